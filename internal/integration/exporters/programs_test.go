// Package exporters tests `powerspy serve` with the programs that it tells of
// meters: Prometheus, an OpenTelemetry receiver and an MQTT broker.
package exporters

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"powerspy2/powerspy/sim"
)

// patience is how long something that takes seconds is waited for.
const patience = 5 * time.Minute

// command is the path of powerspy.
var command string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run builds powerspy and runs the tests.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "exporters")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	command = filepath.Join(dir, "powerspy")
	build := exec.Command("go", "build", "-o", command, "./cmd/powerspy")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A process is a program that was started. It is ended with its test.
type process struct {
	*exec.Cmd
	said *output
	done chan struct{} // closed when it has ended
}

// output keeps what a program says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a program in an environment of its own.
func start(t *testing.T, environment []string, name string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(name, args...), said: new(output), done: make(chan struct{})}
	p.Stdout, p.Stderr = p.said, p.said
	p.Env = append(environment, "PATH="+os.Getenv("PATH")+":/usr/sbin")
	if p.Path == name { // not found in this PATH
		if _, err := exec.LookPath("/usr/sbin/" + name); err == nil {
			p.Path, p.Err = "/usr/sbin/"+name, nil
		}
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // what it says is told where it matters
		close(p.done)
	}()
	t.Cleanup(func() {
		p.end(t)
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), tail(p.said.String()))
		}
	})
	return p
}

// end ends a program as a service manager does.
func (p *process) end(t *testing.T) {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.Process.Kill()
		t.Errorf("%s does not end", filepath.Base(p.Path))
	}
}

func tail(text string) string {
	const most = 3000
	if len(text) > most {
		return "..." + text[len(text)-most:]
	}
	return text
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// freePort returns an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// simulated starts a meter and returns it and its address.
func simulated(t *testing.T, spec string) (*sim.Meter, string) {
	t.Helper()
	cfg, err := sim.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	m := sim.New(cfg)
	at := freePort(t)
	t.Cleanup(reachable(t, m, at))
	return m, at
}

// reachable makes a meter one that can be connected to at an address, until away is
// called.
func reachable(t *testing.T, m *sim.Meter, address string) (away func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Serve(ctx, l) // until it is away
	}()
	return func() {
		cancel()
		<-ended
	}
}

// A server is `powerspy serve` of meters.
type server struct {
	*process
	address string // HOST:PORT
}

// serve starts a server, with a home of its own.
func serve(t *testing.T, environment []string, args ...string) *server {
	t.Helper()
	home := t.TempDir()
	s := &server{address: freePort(t)}
	environment = append([]string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_CONFIG_HOME=" + home, "XDG_STATE_HOME=" + home}, environment...)
	s.process = start(t, environment, command, append([]string{"serve", "--listen", s.address}, args...)...)
	return s
}

// get returns what is at a path of the server.
func (s *server) get(path string) (string, error) {
	r, err := http.Get("http://" + s.address + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		return "", err
	}
	if r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", r.Status, b.String())
	}
	return b.String(), nil
}

// measures waits until all meters of the server measure.
func (s *server) measures(t *testing.T) {
	t.Helper()
	until(t, "the server measures", func() bool {
		text, err := s.get("/metrics")
		return err == nil && strings.Contains(text, "powerspy_up{") && !hasAway(text)
	})
}

// hasAway reports whether one of the meters is away.
func hasAway(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "powerspy_up{") && strings.HasSuffix(line, " 0\n") {
			return true
		}
	}
	return false
}
