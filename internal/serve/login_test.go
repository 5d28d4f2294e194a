package serve

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// An authority makes certificates.
type authority struct {
	*testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{T: t, dir: t.TempDir()}
	a.cert, a.key = a.make("ca", true)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// make writes NAME.crt and NAME.key, of a certificate for 127.0.0.1.
func (a *authority) make(name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	a.made++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.made), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: ca,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := a.cert, a.key
	if ca {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	a.write(name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	a.write(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, text string) {
	a.Helper()
	if err := os.WriteFile(a.file(name), []byte(text), 0o600); err != nil {
		a.Fatal(err)
	}
}

// load writes a web configuration and reads it.
func (a *authority) load(text string) *WebConfig {
	a.Helper()
	a.write("web.yml", text)
	w, err := LoadWebConfig(a.file("web.yml"))
	if err != nil {
		a.Fatal(err)
	}
	return w
}

// users are those of a web configuration, alice with the password secret.
func users(t *testing.T, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), cost)
	if err != nil {
		t.Fatal(err)
	}
	return "basic_auth_users:\n  alice: " + string(hash) + "\n"
}

const (
	withTLS     = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
	withClients = "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
)

// testWebConfig is one with a user.
func testWebConfig(t *testing.T) *WebConfig {
	return newAuthority(t).load(users(t, bcrypt.MinCost))
}

// What other machines reach needs a login that cannot be listened to.
func TestGuards(t *testing.T) {
	a := newAuthority(t)
	a.make("server", false)
	open := a.load("")
	passwords := a.load(users(t, bcrypt.MinCost))
	tlsOnly := a.load(withTLS)
	clientsPerhaps := a.load(withTLS + strings.Replace(withClients, "RequireAndVerifyClientCert", "VerifyClientCertIfGiven", 1))
	clients := a.load(withTLS + withClients)
	both := a.load(withTLS + users(t, bcrypt.MinCost))
	for _, tt := range []struct {
		name string
		web  *WebConfig
		want error
	}{
		{"none", nil, ErrNoWebConfig}, {"empty", open, ErrNoLogin}, {"TLS alone", tlsOnly, ErrNoLogin},
		{"certificates that may be left out", clientsPerhaps, ErrNoLogin}, {"users without TLS", passwords, ErrNoTLS},
		{"client certificates", clients, nil}, {"users and TLS", both, nil},
	} {
		if err := tt.web.Guards(Network); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		for _, k := range []Kind{Unix, Loopback} {
			if err := tt.web.Guards(k); err != nil {
				t.Errorf("%s: kind %d: %v", tt.name, k, err)
			}
		}
	}
	for address, want := range map[string]Kind{"127.0.0.1:0": Loopback, "127.1.2.3:0": Loopback, "[::1]:0": Loopback, ":0": Network, "0.0.0.0:0": Network} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			if strings.HasPrefix(address, "[") {
				continue // there is no IPv6
			}
			t.Fatal(err)
		}
		sl, err := NewListener(l)
		if err != nil || sl.Kind != want {
			t.Errorf("%s: kind %d, %v, want %d", address, sl.Kind, err, want)
		}
		// A server refuses it by the address that is bound.
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ctx, sl); (want == Network) != errors.Is(err, ErrNoWebConfig) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A web configuration that is wrong is told, and none of it is in force.
func TestWebConfigErrors(t *testing.T) {
	a := newAuthority(t)
	for text, want := range map[string]string{
		"basic_auth_users:\n  alice: secret\n": "hash", "no_such_key: 1\n": "no_such_key", "{": "yaml",
		"tls_server_config:\n  cert_file: missing.crt\n  key_file: missing.key\n": "missing.crt",
	} {
		a.write("web.yml", text)
		if _, err := LoadWebConfig(a.file("web.yml")); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one about %s, in a line", text, err, want)
		}
	}
	a.write("large.yml", strings.Repeat("#\n", maxWebConfig))
	if _, err := LoadWebConfig(a.file("large.yml")); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
	// What has no end, or would not be there a second time.
	for _, path := range []string{"/dev/zero", t.TempDir()} {
		if _, err := LoadWebConfig(path); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := LoadWebConfig(a.file("none.yml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Systemd's sockets: datagrams are none to listen on, and a name that is no file has no
// permissions.
func TestGivenSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, tt := range []struct {
		network, name string
		open          bool
		refused       string
	}{
		{network: "unix", name: path},
		{network: "unix", name: "@powerspy-test-" + rand.Text(), open: true},
		{network: "unixpacket", name: path + "p", refused: "neither a Unix socket of streams"},
	} {
		l, err := net.ListenUnix(tt.network, &net.UnixAddr{Name: tt.name, Net: tt.network})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		sl, err := NewListener(l)
		switch {
		case err != nil && (tt.refused == "" || !strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%s %s: %v", tt.network, tt.name, err)
		case err == nil && (tt.refused != "" || sl.Kind != Unix || sl.Open() != tt.open):
			t.Errorf("%s %s: %+v, open %t", tt.network, tt.name, sl, sl.Open())
		}
	}
}

// Wrong passwords are slowed by their address before they cost anything, and others
// are not.
func TestPasswords(t *testing.T) {
	web := testWebConfig(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDoorman()
		here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
		expect := func(user, password string, from netip.Prefix, want entry) {
			t.Helper()
			if got := d.check(web, user, password, from); got != want {
				t.Errorf("%s, %q from %v: %d, want %d", user, password, from, got, want)
			}
		}
		for range attempts {
			expect("alice", "secret", here, welcome)
		}
		for i := range attempts {
			expect([]string{"alice", "bob", "alice:secret", "", "al"}[i], "wrong", here, wrong)
		}
		expect("alice", "wrong", here, tooMany)
		expect("carol", "secret", here, tooMany)
		expect("alice", "secret", here, welcome) // who was here before
		expect("alice", "wrong", there, wrong)
		time.Sleep(forgiven)
		expect("alice", "wrong", here, wrong)
		expect("alice", "wrong", here, tooMany)
		expect("alice", strings.Repeat("x", 10000), there, wrong)

		// However many addresses there are, memory is bounded.
		for i := range 2 * maxAddresses {
			d.of(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)).Allow()
		}
		if len(d.tries) > maxAddresses {
			t.Errorf("%d addresses are remembered", len(d.tries))
		}
		time.Sleep(time.Minute)
		d.of(netip.MustParsePrefix("192.0.2.3/32"))
		if len(d.tries) != 1 {
			t.Errorf("%d addresses are remembered a minute later", len(d.tries))
		}
	})
	r := &http.Request{RemoteAddr: "[2001:db8::1%eth0]:123"}
	if got := addressOf(r); got != netip.MustParsePrefix("2001:db8::/64") {
		t.Errorf("got %v", got)
	}
}

// A password of nobody's takes as long as a wrong one of somebody's: the cost of the
// hash that it is compared with is as high.
func TestDecoy(t *testing.T) {
	web := newAuthority(t).load(users(t, bcrypt.MinCost+1))
	if cost, err := bcrypt.Cost(web.decoy); err != nil || cost != bcrypt.MinCost+1 {
		t.Errorf("cost %d, %v", cost, err)
	}
}

// Requests for other hosts and from other sites' pages are refused over TCP.
func TestForeign(t *testing.T) {
	s, err := New(Config{Meters: []MeterConfig{live("sim")}, AllowedHosts: []string{"Lab7.example."}})
	if err != nil {
		t.Fatal(err)
	}
	h := s.httpServer().Handler
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 9797}
	for _, tt := range []struct {
		host, origin string
		status       int
	}{
		{"localhost", "", 200}, {"LOCALHOST:1234", "", 200}, {"a.localhost", "", 200}, {"127.0.0.1:80", "", 200}, {"[::1]:80", "", 200}, {"[::1]", "", 200},
		{"192.0.2.7:9797", "", 200}, {"192.0.2.7", "", 200}, {"lab7.example:1", "", 200}, {"lab7.example.", "", 200},
		{"192.0.2.8", "", 403}, {"evil.example", "", 403}, {"localhost.evil.example", "", 403}, {"evil.example:9797", "", 403}, {"127.0.0.1.evil.example", "", 403}, {"", "", 403}, {"xlocalhost", "", 403},
		{"localhost", "http://localhost:3000", 200}, {"localhost", "https://lab7.example", 200}, {"localhost", "http://192.0.2.7", 200},
		{"localhost", "http://evil.example", 403}, {"localhost", "null", 403}, {"localhost", "http://localhost.evil.example", 403}, {"localhost", "://", 403}, {"localhost", "file://", 403},
	} {
		r := httptest.NewRequest("GET", "/api/v1/time", nil)
		r.Host = tt.host
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("host %q, origin %q: %d %s", tt.host, tt.origin, w.Code, w.Body)
		}
		// A Unix socket has neither hosts nor pages.
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peer{kind: Unix, uid: 1})))
		if w.Code != 200 {
			t.Errorf("Unix socket, host %q, origin %q: %d", tt.host, tt.origin, w.Code)
		}
	}
}

// So are those that a browser sends for a page of another site without an Origin, but not
// a link that leads here.
func TestCrossSite(t *testing.T) {
	s, err := New(Config{Meters: []MeterConfig{live("sim")}})
	if err != nil {
		t.Fatal(err)
	}
	h := s.httpServer().Handler
	for _, tt := range []struct {
		site, mode, origin string
		status             int
	}{
		{"cross-site", "no-cors", "", 403}, {"cross-site", "", "", 403}, {"cross-site", "navigate", "", 200}, {"same-origin", "cors", "", 200},
		{"same-site", "no-cors", "", 200}, {"none", "navigate", "", 200}, {"cross-site", "cors", "http://localhost:3000", 200}, {"cross-site", "cors", "http://evil.example", 403},
	} {
		r := httptest.NewRequest("GET", "/api/v1/time", nil)
		r.Host = "localhost"
		r.Header.Set("Sec-Fetch-Site", tt.site)
		r.Header.Set("Sec-Fetch-Mode", tt.mode)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%+v: %d %s", tt, w.Code, w.Body)
		}
	}
}

// Over TLS a login is asked for, sets marks by its name, and a new configuration comes
// without cutting readers.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.make("server", false)
	web := a.load(withTLS + users(t, bcrypt.MinCost))
	tl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(tl)
	if err != nil {
		t.Fatal(err)
	}
	b := run(t, Config{Meters: []MeterConfig{live("sim")}, Web: web}, l)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	client := func(certs ...tls.Certificate) *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	base := "https://" + tl.Addr().String()
	ask := func(c *http.Client, method, path, password, body string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if password != "" {
			r.SetBasicAuth("alice", password)
		}
		return c.Do(r)
	}
	expect := func(c *http.Client, method, path, password, body string, status int, want string) *http.Response {
		t.Helper()
		resp, err := ask(c, method, path, password, body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status || !strings.Contains(string(text), want) {
			t.Errorf("%s %s: %d %s, %v, want %d %s", method, path, resp.StatusCode, text, err, status, want)
		}
		return resp
	}
	c := client()
	if resp := expect(c, "GET", "/api/v1/time", "", "", 401, "password"); !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("headers %v", resp.Header)
	}
	expect(c, "GET", "/api/v1/time", "wrong", "", 401, "or the password is wrong")
	expect(c, "GET", "/api/v1/time", "secret", "", 200, "time_s")
	expect(c, "POST", "/api/v1/meters/sim/marks", "secret", `{"name":"x"}`, 201, `"by":"alice"`)
	if resp, err := http.Get("http://" + tl.Addr().String()); err == nil {
		if resp.Body.Close(); resp.StatusCode != 400 {
			t.Errorf("without TLS: %d", resp.StatusCode)
		}
	}

	resp, err := ask(c, "GET", "/api/v1/meters/sim/events", "secret", "")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	// Another certificate, and one that clients need instead of a password.
	a.make("server", false)
	next := a.load(withTLS + withClients)
	if err := b.server.Reload(next, l); err != nil {
		t.Fatal(err)
	}
	if resp, err := ask(client(), "GET", "/api/v1/time", "secret", ""); err == nil {
		resp.Body.Close()
		t.Errorf("without a certificate: %d", resp.StatusCode)
	}
	a.make("bob", false)
	pair, err := tls.LoadX509KeyPair(a.file("bob.crt"), a.file("bob.key"))
	if err != nil {
		t.Fatal(err)
	}
	certified := expect(client(pair), "POST", "/api/v1/meters/sim/marks", "", `{"end":true}`, 201, `"by":"bob"`)
	if got := certified.TLS.PeerCertificates[0].SerialNumber.Int64(); got <= 2 {
		t.Errorf("the certificate of before, number %d", got)
	}
	for range 20 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the reader was cut: %v", err)
		}
	}
	if err := b.server.Reload(a.load(users(t, bcrypt.MinCost)), l); err == nil {
		t.Error("TLS was switched off")
	}
	if err := b.server.Reload(a.load(withTLS), &Listener{l, Network}); !errors.Is(err, ErrNoLogin) {
		t.Errorf("got %v", err)
	}
	expect(client(pair), "GET", "/api/v1/time", "", "", 200, "time_s") // nothing has changed
}

// Over loopback TCP without a login everybody reads, and nobody sets a mark.
func TestLoopback(t *testing.T) {
	tl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(tl)
	if err != nil {
		t.Fatal(err)
	}
	b := run(t, Config{Meters: []MeterConfig{live("sim")}}, l)
	b.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", tl.Addr().String())
	}}}
	defer b.client.CloseIdleConnections()
	url := fmt.Sprintf("http://%s/api/v1/meters/sim/marks", tl.Addr())
	resp, err := b.client.Post(url, "application/json", strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if resp.Body.Close(); err != nil || resp.StatusCode != 403 || !strings.Contains(string(text), "known who set them") {
		t.Errorf("%d %s, %v", resp.StatusCode, text, err)
	}
	if resp, err = b.client.Get(url); err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if resp, err = b.client.Get("http://powerspy/"); err != nil { // which leads here by its name
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != 403 {
		t.Errorf("status %d", resp.StatusCode)
	}
}
