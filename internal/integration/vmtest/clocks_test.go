//go:build integration && linux

package vmtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"powerspy2/meter"
	"powerspy2/record"
)

const (
	password = "of alice"
	cutPort  = "9799" // of a network to the server that can be cut
)

// TestOutsideClocks: the server is in a guest whose clock is 37 s ahead and 120 ppm
// fast, its clients outside, over TLS and with a password. What `run` and `measure`
// tell is by the client's clock, within what they say, also where the network is cut
// for 20 s.
//
// An emulator holds its guest up now and then, for a second at times. So nothing here
// depends on how soon anything comes: the two clocks are compared by exchanges of this
// test's own, each of which is right within its round trip; the load is constant for a
// second before and after what is measured, and another one 37 s off; and where the
// server has placed its windows is asked of the server.
func TestOutsideClocks(t *testing.T) {
	const (
		ahead = 37 * time.Second
		ppm   = 120
		idle  = 50.  // W
		busy  = 150. // W
	)
	dir := t.TempDir()
	address := loopback()
	roots := webConfig(t, dir, address)
	g := StartGuest(t, address, filepath.Join(dir, "web.yml"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	first := g.exchange(t)
	for range 20 {
		if e := g.exchange(t); e.round < first.round {
			first = e
		}
	}
	source := g.Ask(t, "clock", url.Values{"by": {strconv.FormatInt(int64(ahead-first.ahead), 10)}, "ppm": {strconv.Itoa(ppm)}})
	t.Logf("the guest's clock, %s, was %v ahead, +-%v", source, first.ahead, first.round/2)
	clocks := g.compareClocks(t)

	g.Ask(t, "load", watts(idle))
	g.Ask(t, "serve", nil)
	api := &server{
		url:    "https://" + net.JoinHostPort(address, serverPort) + "/api/v1/meters",
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	}
	defer api.client.CloseIdleConnections()
	var name string
	g.Until(t, "the meter is up", func() bool {
		var meters []struct{ Name, State string }
		if api.get("", &meters) != nil || len(meters) != 1 {
			return false
		}
		name = meters[0].Name
		return meters[0].State == "up"
	})
	api.url += "/" + url.PathEscape(name)
	begun, _ := clocks.there(t, time.Now())

	command := func(port, name string, args ...string) *client {
		login := []string{name, "--device", "https://alice@" + net.JoinHostPort(address, port), "--ca-file", filepath.Join(dir, "cert.pem")}
		return g.Client(t, []string{"POWERSPY_PASSWORD=" + password}, append(login, args...)...)
	}

	// A measurement, over a network that is cut.
	network := newNetwork(t, net.JoinHostPort(address, cutPort), net.JoinHostPort(address, serverPort))
	recording := filepath.Join(dir, "cut.jsonl")
	measure := command(cutPort, "measure", "--duration", "30s", "--interval", "1s", "--format", "jsonl", "--record", recording)
	g.Until(t, "the first readings", func() bool { return len(measure.output()) >= 3 })
	network.cut(t)
	restored := make(chan struct{})
	go func() {
		defer close(restored)
		time.Sleep(20 * time.Second)
		network.restore(t)
	}()
	defer func() { <-restored }()

	// Meanwhile jobs, over one that is not.
	run := func(during func(*client), script string) *job {
		report := filepath.Join(t.TempDir(), "run.json")
		// The simulated link has no constant delay.
		c := command(serverPort, "run", "--delay", "1us", "--format", "json", "--output", report, "--", "sh", "-c", script)
		during(c)
		c.ends(t, g)
		if c.status != 0 {
			t.Fatalf("run: exit status %d\n%s", c.status, c.stderr.String())
		}
		j := new(job)
		text, err := os.ReadFile(report)
		if err == nil {
			err = json.Unmarshal(text, j)
		}
		if err != nil {
			t.Fatalf("the report: %v\n%s", err, text)
		}
		checkApart(t, ahead, strings.Join(j.Warnings, "\n"))
		from, fromDoubt := clocks.there(t, j.Start.Time)
		to, toDoubt := clocks.there(t, j.End.Time)
		if err := api.get(fmt.Sprintf("/energy?from=%s&to=%s", seconds(from), seconds(to)), &j.served); err != nil {
			t.Fatal(err)
		}
		// A joule is a watt for a second of this machine's.
		j.served.Energy *= j.End.Sub(j.Start.Time).Seconds() / to.Sub(from).Seconds()
		j.doubt = fromDoubt + toDoubt + 2*digits
		// The server itself may have lost windows, where the emulator stood still.
		if math.Abs(j.Coverage-j.served.Coverage) > 0.01 {
			t.Errorf("%v of it was measured, by the server %v:\n%s", j.Coverage, j.served.Coverage, text)
		}
		return j
	}
	for range 2 {
		g.Ask(t, "load", watts(busy))
		time.Sleep(time.Second) // by which a window may be in the wrong place
		j := run(func(*client) {}, "sleep 4")
		time.Sleep(time.Second) // likewise
		g.Ask(t, "load", watts(idle))
		truth := busy * j.Duration * j.Coverage
		off := j.Energy - truth
		t.Logf("%.6f J +- %.6f J, %+.6f J off", j.Energy, j.Uncertainty, off)
		if math.Abs(off) > j.Uncertainty+busy*2*digits.Seconds() || j.Uncertainty > truth/1000 {
			t.Errorf("%.6f J +- %.6f J, truly %.6f J", j.Energy, j.Uncertainty, truth)
		}
	}
	// One at whose ends the power differs, so that its energy depends on when it was.
	j := run(func(c *client) {
		g.Until(t, "half of the job", func() bool { return len(c.output()) > 0 })
		g.Ask(t, "load", watts(busy))
	}, "sleep 2; echo half; sleep 3")
	doubt := busy * j.doubt.Seconds()
	off := j.Energy - j.served.Energy
	t.Logf("%.6f J +- %.6f J, %+.6f J from what the server has there, +- %.6f J", j.Energy, j.Uncertainty, off, doubt)
	if math.Abs(off) > j.Uncertainty+doubt {
		t.Errorf("%.6f J +- %.6f J, where the server has %.6f J +- %.6f J", j.Energy, j.Uncertainty, j.served.Energy, doubt)
	}

	<-restored
	measure.ends(t, g)
	t.Logf("measure said:\n%s", measure.stderr.String())
	checkApart(t, ahead, measure.stderr.String())
	// The server gives windows out when their place is well known, which takes a while.
	checkCut(t, clocks, measure, recording, api, begun.Add(-5*time.Second))
}

// checkApart checks that it is told, once, how far the server's clock is ahead.
func checkApart(t *testing.T, ahead time.Duration, said string) {
	t.Helper()
	told := apart.FindAllStringSubmatch(said, -1)
	if len(told) == 1 {
		if s, err := strconv.ParseFloat(told[0][1], 64); err == nil && math.Abs(s-ahead.Seconds()) < 0.15 {
			return
		}
	}
	t.Errorf("it is not told once that the server's clock is %v ahead:\n%s", ahead, said)
}

var apart = regexp.MustCompile(`the server's clock is ([0-9.]+) s ahead of this machine's`)

// checkCut checks what a measurement over a network that was cut has told against what
// the server has since a moment of its clock.
func checkCut(t *testing.T, clocks *comparison, measure *client, recording string, api *server, since time.Time) {
	t.Helper()
	told := events(t, recording)
	if len(told) == 0 {
		t.Fatal("nothing was recorded")
	}
	last := told[len(told)-1]
	until, _ := clocks.there(t, last.Window.End)
	has := api.events(t, since, until)
	at := 0
	for at+len(told) <= len(has) && !same(told, has[at:]) {
		at++
	}
	if at+len(told) > len(has) {
		t.Fatalf("%d windows and gaps are not those of the server, which has %d", len(told), len(has))
	}
	gaps := 0
	worst, loosest := time.Duration(0), time.Duration(0)
	for i, e := range told {
		if e.Kind == meter.GapEvent {
			gaps++
			continue
		}
		right, doubt := clocks.here(t, has[at+i].Window.End)
		off := e.Window.End.Sub(right).Abs()
		// What is told is the standard error of what is off by so much at most.
		bound := time.Duration(math.Sqrt(6)*float64(e.Window.Error)) + time.Microsecond
		if off > bound+doubt {
			t.Fatalf("window %d ends %v from where the server's ends, more than %v, known to %v", i, off, bound, doubt)
		}
		worst, loosest = max(worst, off), max(loosest, bound)
	}
	t.Logf("%d windows, at most %v off, where up to %v is told", len(told), worst, loosest)

	rows, again := 0, false
	var before, pause time.Duration
	for _, line := range measure.output() {
		var l struct {
			Type, Text string
			Partial    bool
		}
		if err := json.Unmarshal([]byte(line.Text), &l); err != nil {
			t.Fatalf("%q: %v", line.Text, err)
		}
		again = again || l.Type == "status" && strings.Contains(l.Text, "connected again")
		if l.Type == "reading" {
			rows++
			pause, before = max(pause, line.At-before), line.At
		}
	}
	if !again || pause < 15*time.Second {
		t.Errorf("it was not cut off: the longest time between two readings is %v", pause)
	}
	// The server itself may have lost windows, where the emulator stood still.
	status, least := 0, 30
	if gaps > 0 {
		status, least = 7, 1
	}
	if measure.status != status || rows < least || gaps == 0 && rows > 30 {
		t.Errorf("exit status %d and %d readings, where the server has %d gaps\n%s", measure.status, rows, gaps, measure.stderr.String())
	}
}

// same reports whether events that were told begin with those of the server.
func same(told, has []meter.Event) bool {
	for i := range told {
		a, b := &told[i], &has[i]
		if a.Kind != b.Kind || a.Kind == meter.WindowEvent && (a.Window.Measurement != b.Window.Measurement || a.Window.Bridged != b.Window.Bridged) {
			return false
		}
	}
	return true
}

// digits is how exactly a report tells its times.
const digits = time.Microsecond

// A job is what `run` reports.
type job struct {
	Start       record.Seconds `json:"start_s"`
	End         record.Seconds `json:"end_s"`
	Duration    float64        `json:"duration_s"`
	Energy      float64        `json:"energy_J"`
	Uncertainty float64        `json:"energy_uncertainty_J"`
	Coverage    float64        `json:"coverage"`
	Warnings    []string       `json:"warnings"`

	served struct { // what the server has there
		Energy   float64 `json:"energy_J"`
		Coverage float64 `json:"coverage"`
	}
	doubt time.Duration // of where that is, of both ends
}

func watts(p float64) url.Values { return url.Values{"watts": {strconv.FormatFloat(p, 'g', -1, 64)}} }

func seconds(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// A server is asked by this test itself.
type server struct {
	url    string // of its meters, or of one
	client *http.Client
}

func (s *server) open(path string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth("alice", password)
	answer, err := s.client.Do(r)
	if err == nil && answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return answer, err
}

func (s *server) get(path string, v any) error {
	answer, err := s.open(path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(v)
}

// events returns the windows and gaps that the server has between two moments of its
// clock.
func (s *server) events(t *testing.T, from, to time.Time) (list []meter.Event) {
	t.Helper()
	answer, err := s.open("/events?from=" + seconds(from))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	in, err := record.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for {
		l, err := in.Next()
		if err != nil {
			t.Fatalf("the server's windows: %v", err)
		}
		if e, ok := measured(l); ok {
			list = append(list, e)
			if e.Kind == meter.WindowEvent && e.Window.End.After(to.Add(100*time.Millisecond)) {
				return list
			}
		}
	}
}

// events returns the windows and gaps of a recording.
func events(t *testing.T, path string) (list []meter.Event) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := record.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for {
		l, err := in.Next()
		if err == io.EOF { //nolint:errorlint // as it is told
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := measured(l); ok {
			list = append(list, e)
		}
	}
}

func measured(l *record.Line) (meter.Event, bool) {
	return l.Event, l.Kind == record.EventLine && (l.Event.Kind == meter.WindowEvent || l.Event.Kind == meter.GapEvent)
}

// An exchange of times with the guest.
type exchange struct {
	at    time.Time     // of this machine
	ahead time.Duration // the guest's clock, of this machine's
	round time.Duration // ahead is right within half of this
}

func (g *Guest) exchange(t *testing.T) exchange {
	t.Helper()
	e, err := g.tryExchange()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (g *Guest) tryExchange() (e exchange, err error) {
	sent := time.Now()
	text, err := g.ask(http.MethodGet, "time", nil)
	e.round = time.Since(sent)
	if err != nil {
		return e, err
	}
	there, err := strconv.ParseInt(text, 10, 64)
	e.at = sent.Add(e.round / 2)
	e.ahead = time.Unix(0, there).Sub(e.at.Round(0))
	return e, err
}

// A comparison is what exchanges have told of the guest's clock.
type comparison struct {
	mu        sync.Mutex
	exchanges []exchange
}

// compareClocks makes exchanges until the end of the test.
func (g *Guest) compareClocks(t *testing.T) *comparison {
	t.Helper()
	c := &comparison{exchanges: []exchange{g.exchange(t)}}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(200 * time.Millisecond):
			}
			if e, err := g.tryExchange(); err == nil {
				c.mu.Lock()
				c.exchanges = append(c.exchanges, e)
				c.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		close(quit)
		<-done
		a, b := c.exchanges[0], c.exchanges[len(c.exchanges)-1]
		t.Logf("%d exchanges; the guest's clock gained %v in %v, +-%v", len(c.exchanges), b.ahead-a.ahead, b.at.Sub(a.at), (a.round+b.round)/2)
	})
	return c
}

// mostDrift is by how much the guest's clock may be faster or slower.
const mostDrift = 600e-6

// ahead returns by how much the guest's clock is ahead at a time of this machine, and
// how far that may be off.
func (c *comparison) ahead(t *testing.T, at time.Time) (ahead, doubt time.Duration) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	low, high := time.Duration(math.MinInt64), time.Duration(math.MaxInt64)
	for _, e := range c.exchanges {
		off := e.round/2 + time.Duration(math.Abs(float64(at.Sub(e.at)))*mostDrift)
		low, high = max(low, e.ahead-off), min(high, e.ahead+off)
	}
	if low > high {
		t.Fatalf("the guest's clock is not steady: at %v it is over %v and under %v ahead", at, low, high)
	}
	return low + (high-low)/2, (high - low + 1) / 2
}

// there turns a time of this machine into the guest's clock.
func (c *comparison) there(t *testing.T, here time.Time) (there time.Time, doubt time.Duration) {
	t.Helper()
	ahead, doubt := c.ahead(t, here)
	return here.Round(0).Add(ahead), doubt
}

// here turns a time of the guest's clock into this machine's.
func (c *comparison) here(t *testing.T, there time.Time) (here time.Time, doubt time.Duration) {
	t.Helper()
	here = there
	for range 3 { // the first is seconds off
		var ahead time.Duration
		ahead, doubt = c.ahead(t, here)
		here = there.Add(-ahead)
	}
	return here, doubt
}

// loopback returns an address of this machine that no other test has.
func loopback() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 1+pid>>16&127, pid>>8&255, pid&255)
}

// webConfig writes web.yml, cert.pem and key.pem for a server at an address, and
// returns who signed the certificate. Paths in it are those of the guest.
func webConfig(t *testing.T, dir, address string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for name, text := range map[string][]byte{
		"cert.pem": public,
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"web.yml": fmt.Appendf(nil, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  alice: %s\n",
			hash),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return roots
}

// A network leads connections to a server, until it is cut.
type network struct {
	address, server string

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	conns    map[net.Conn]bool
	passing  sync.WaitGroup
}

func newNetwork(t *testing.T, address, server string) *network {
	t.Helper()
	n := &network{address: address, server: server, conns: map[net.Conn]bool{}}
	n.restore(t)
	t.Cleanup(func() {
		n.cut(t)
		n.passing.Wait()
	})
	return n
}

func (n *network) restore(t *testing.T) {
	l, err := net.Listen("tcp", n.address)
	if err != nil {
		t.Errorf("the network is not there again: %v", err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listener = l
	n.passing.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it is cut
			}
			n.passing.Go(func() { n.pass(c, l) })
		}
	})
}

// pass leads a connection that came by a listener to the server.
func (n *network) pass(c net.Conn, by net.Listener) {
	defer c.Close()
	s, err := net.Dial("tcp", n.server)
	if err != nil {
		return
	}
	defer s.Close()
	n.mu.Lock()
	cut := n.listener != by
	if !cut {
		n.conns[c], n.conns[s] = true, true
	}
	n.mu.Unlock()
	if cut {
		return
	}
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.conns, c)
		delete(n.conns, s)
	}()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // it ends with either
			way[0].Close()
		})
	}
	both.Wait()
}

// cut ends all connections, and refuses others.
func (n *network) cut(t *testing.T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener == nil {
		return
	}
	if err := n.listener.Close(); err != nil {
		t.Error(err)
	}
	n.listener = nil
	for c := range n.conns {
		c.Close()
	}
}
