//go:build integration && linux

package vmtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A test that runs outside starts a guest in which this program runs, too, as a
// control: it does what the test asks it over a forwarded port.

const (
	controlEnv  = "POWERSPY_VM_CONTROL" // set: be the control
	controlPort = "9798"
	serverPort  = "9797"

	wattsFile = "/tmp/watts" // what the simulated meter's load draws
)

func TestMain(m *testing.M) {
	if os.Getenv(controlEnv) != "" {
		if err := control(); err != nil {
			fmt.Fprintln(os.Stderr, "vmtest: control:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// control serves a test that runs outside until it asks for the end.
func control() error {
	var server *exec.Cmd
	quit := make(chan struct{})
	end := sync.OnceFunc(func() { close(quit) })
	mux := http.NewServeMux()
	handle := func(path string, f func(url.Values) (any, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := f(r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintln(w, answer)
		})
	}
	// The clock of the guest, in ns since 1970.
	handle("GET /time", func(url.Values) (any, error) { return time.Now().UnixNano(), nil })
	// Sets it by so many ns, and makes it so many millionths faster.
	handle("POST /clock", func(q url.Values) (any, error) {
		by, err := strconv.ParseInt(q.Get("by"), 10, 64)
		if err != nil {
			return nil, err
		}
		ppm, err := strconv.ParseInt(q.Get("ppm"), 10, 64)
		if err != nil {
			return nil, err
		}
		if _, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_FREQUENCY, Freq: ppm << 16}); err != nil {
			return nil, fmt.Errorf("adjtimex: %w", err)
		}
		now := unix.NsecToTimeval(time.Now().UnixNano() + by)
		if err := unix.Settimeofday(&now); err != nil {
			return nil, fmt.Errorf("settimeofday: %w", err)
		}
		clocksource, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
		return strings.TrimSpace(string(clocksource)), err
	})
	// Lets the load draw so many watts.
	handle("POST /load", func(q url.Values) (any, error) {
		return "drawn", os.WriteFile(wattsFile, []byte(q.Get("watts")), 0o644)
	})
	handle("POST /serve", func(url.Values) (any, error) {
		server = exec.Command(hostDir+"/powerspy", "serve", "--device", "sim:link=ideal,load=file:"+wattsFile,
			"--listen", ":"+serverPort, "--web.config.file", hostDir+"/web.yml")
		server.Stdout, server.Stderr = os.Stdout, os.Stderr
		return "started", server.Start()
	})
	handle("POST /quit", func(url.Values) (any, error) {
		defer end()
		if server == nil {
			return "", nil
		}
		if err := server.Process.Signal(syscall.SIGTERM); err != nil {
			return nil, err
		}
		return "ended", server.Wait()
	})
	s := &http.Server{Addr: ":" + controlPort, Handler: mux}
	failed := make(chan error, 1)
	go func() { failed <- s.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-quit:
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return s.Shutdown(ctx)
	}
}

// A Guest is one that a test which runs outside has started.
type Guest struct {
	Address string // of this machine, from which ports lead into the guest

	powerspy string // this machine's
	client   *http.Client
	ended    chan struct{} // closed when it has
	status   error         // of scripts/vm/run
}

// StartGuest starts a guest with a control in it, and these files in its /host. The
// ports serverPort and controlPort of an address of this machine's loopback lead to
// those of the guest. It has to have ended in order at the end of the test.
func StartGuest(t *testing.T, address string, files ...string) *Guest {
	t.Helper()
	if flag.NArg() < 2 {
		t.Fatal("this test starts a guest: run it with scripts/vm/test")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g := &Guest{
		Address: address, powerspy: flag.Arg(0), ended: make(chan struct{}),
		client: &http.Client{Timeout: waitTime},
	}
	args := append([]string{}, flag.Args()[2:]...)
	for _, port := range []string{serverPort, controlPort} {
		args = append(args, "--forward", address+":"+port)
	}
	for _, file := range files {
		args = append(args, "--file", file)
	}
	args = append(args, "--env", controlEnv+"=1", "--", self)
	cmd := exec.Command(flag.Arg(1), args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // whose end the signal tells
		err := cmd.Start()
		started <- err
		if err == nil {
			g.status = cmd.Wait()
			close(g.ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.stop(t, cmd) })
	g.Until(t, "the control answers", func() bool {
		_, err := g.ask(http.MethodGet, "time", nil)
		return err == nil
	})
	return g
}

func (g *Guest) stop(t *testing.T, cmd *exec.Cmd) {
	defer g.client.CloseIdleConnections()
	if _, err := g.ask(http.MethodPost, "quit", nil); err != nil {
		t.Errorf("the server did not end in order: %v", err)
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	select {
	case <-g.ended:
	case <-time.After(waitTime):
		t.Error("the guest does not end")
		_ = cmd.Process.Signal(syscall.SIGTERM) // the same
		<-g.ended
	}
	if g.status != nil {
		t.Errorf("the guest ended with %v", g.status)
	}
}

// Until waits until ok. It fails the test when the guest ends, or after some minutes.
func (g *Guest) Until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(5 * time.Minute)
	for !ok() {
		select {
		case <-g.ended:
			t.Fatalf("the guest ended before %s: %v", what, g.status)
		case <-limit:
			t.Fatalf("not in time: %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask asks the control for something.
func (g *Guest) ask(method, what string, q url.Values) (string, error) {
	u := url.URL{Scheme: "http", Host: g.Address + ":" + controlPort, Path: "/" + what, RawQuery: q.Encode()}
	r, err := http.NewRequest(method, u.String(), nil)
	if err != nil {
		return "", err
	}
	answer, err := g.client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return strings.TrimSpace(string(text)), err
}

// Ask asks the control for something that may not fail.
func (g *Guest) Ask(t *testing.T, what string, q url.Values) string {
	t.Helper()
	text, err := g.ask(http.MethodPost, what, q)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return text
}

// A client is a powerspy command that runs on this machine.
type client struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer  // complete when it has ended
	done   chan struct{} // closed then
	status int

	mu   sync.Mutex // guards told
	told []Line
}

// Client starts a command for a user who has never measured. It is killed at the end
// of the test, if it still runs.
func (g *Guest) Client(t *testing.T, env []string, args ...string) *client {
	t.Helper()
	home := t.TempDir()
	c := &client{cmd: exec.Command(g.powerspy, args...), done: make(chan struct{})}
	c.cmd.Dir = home
	c.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + home}, env...)
	c.cmd.Stderr = &c.stderr
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	go func() {
		defer close(c.done)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			c.mu.Lock()
			c.told = append(c.told, Line{time.Since(begun), lines.Text()})
			c.mu.Unlock()
		}
		_ = c.cmd.Wait() // its status tells
		c.status = status(c.cmd.ProcessState)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has ended, usually
		<-c.done
	})
	return c
}

// output returns the lines that it has written.
func (c *client) output() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

// ends waits for its end.
func (c *client) ends(t *testing.T, g *Guest) {
	t.Helper()
	g.Until(t, "a command ends", func() bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
}
