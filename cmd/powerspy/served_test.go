package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
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

	"powerspy2/internal/gmt/gmttest"
	"powerspy2/internal/result"
	"powerspy2/internal/serve/api"
)

// startServer serves devices on a Unix socket.
func startServer(t *testing.T, socket string, devices ...string) *process {
	t.Helper()
	args := []string{"serve", "--listen", "unix:" + socket}
	for _, d := range devices {
		args = append(args, "--device", d)
	}
	p := start(t, args...)
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }() // it must not be held up
	return p
}

// withGaps is the exit status of a measurement that has some.
const withGaps = 7

// patiently is how long commands wait for a server that starts.
const patiently = "--give-up-after=30s"

// overTCP leads from a TCP port to a Unix socket, as a reverse proxy does. It returns
// how it is named, and what cuts it.
func overTCP(t *testing.T, socket string) (device string, cut func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
		open = nil
	}
	var pumps sync.WaitGroup
	pumps.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("unix", socket)
			if err != nil {
				_ = a.Close()
				continue
			}
			mu.Lock()
			open = append(open, a, b)
			mu.Unlock()
			pumps.Go(func() { _, _ = io.Copy(a, b); _ = a.Close() })
			pumps.Go(func() { _, _ = io.Copy(b, a); _ = b.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		cut()
		pumps.Wait()
	})
	return "http://" + l.Addr().String(), cut
}

// outputOf returns what a command writes to standard output, which it ends with a
// status. On a busy machine the simulated meter may leave gaps, which is no failure.
func outputOf(t *testing.T, status int, args ...string) string {
	t.Helper()
	p := start(t, args...)
	var told []byte
	read := make(chan struct{})
	go func() {
		defer close(read)
		told, _ = io.ReadAll(p.stderr) // it is told where something is wrong
	}()
	out, err := io.ReadAll(p.stdout)
	<-read
	if got := p.wait().ExitCode(); err != nil || got != status && (status != 0 || got != withGaps) {
		t.Fatalf("%v: %v, %v; it told %q", args, got, err, told)
	}
	return string(out)
}

// readingLines returns the lines of readings among those of a recording.
func readingLines(r io.Reader) []string {
	var lines []string
	for s := bufio.NewScanner(r); s.Scan(); {
		if strings.HasPrefix(s.Text(), `{"type":"reading",`) {
			lines = append(lines, s.Text())
		}
	}
	return lines
}

// TestMeterAtAServer: commands measure through a server as with a meter of their own.
func TestMeterAtAServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	startServer(t, socket, quickSim+",load=constant,watts=100")
	unix := "unix:" + socket
	tcp, cut := overTCP(t, socket)
	outputOf(t, 0, "measure", "--device", unix, patiently, "--count", "1")
	t.Run("several", func(t *testing.T) {
		t.Run("measure", func(t *testing.T) {
			t.Parallel()
			// What is recorded is what the server remembers, to the last bit: the clock
			// is the same.
			for _, device := range []string{unix, tcp + "/sim"} {
				file := filepath.Join(t.TempDir(), "r.jsonl")
				csv := outputOf(t, 0, "measure", "--device", device, "--record", file, "--interval", "100ms", "--count", "10", "--format", "csv", "--fields", "power")
				if want := "power_W\n" + strings.Repeat("100.000001\n", 10); csv != want {
					t.Errorf("%s: readings %q", device, csv)
				}
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				got := readingLines(strings.NewReader(string(text)))
				want := serverLines(t, socket, got)
				if len(got) < 40 || strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("%s: recorded\n%s\nthe server has\n%s", device, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if !strings.Contains(string(text), `"device":"sim:`) {
					t.Errorf("%s: it is not recorded that the meter is a simulated one:\n%s", device, text[:500])
				}
			}
		})
		t.Run("run", func(t *testing.T) {
			t.Parallel()
			for _, device := range []string{unix, tcp} {
				file := filepath.Join(t.TempDir(), "run.json")
				outputOf(t, 3, "run", "--device", device, "--format", "json", "--output", file, "--", "sh", "-c", "sleep 0.7; exit 3")
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var r struct {
					Energy      float64           `json:"energy_J"`
					Uncertainty float64           `json:"energy_uncertainty_J"`
					Duration    float64           `json:"duration_s"`
					Coverage    float64           `json:"coverage"`
					Gaps        []json.RawMessage `json:"gaps"`
					Meter       result.Meter      `json:"meter"`
				}
				if err := json.Unmarshal(text, &r); err != nil {
					t.Fatal(err)
				}
				if r.Coverage < 1 != (len(r.Gaps) > 0) || math.Abs(r.Energy-100*r.Duration*r.Coverage) > r.Uncertainty || !(r.Uncertainty < 0.1) || !r.Meter.Simulated || r.Meter.Serial != 4567 {
					t.Errorf("%s: %s", device, text)
				}
			}
		})
		t.Run("gmt", func(t *testing.T) {
			t.Parallel()
			for _, device := range []string{unix, tcp} {
				p := startProgram(t, gmtProvider, "-i", "40", "-u", "uJ", "--device", device)
				var rows strings.Builder
				for range 75 {
					rows.WriteString(p.line() + "\n")
				}
				p.signal(syscall.SIGTERM)
				rest, err := io.ReadAll(p.stdout)
				if err != nil {
					t.Error(err)
				}
				if err := gmttest.Check(rows.String()+string(rest), 40*time.Millisecond); err != nil {
					t.Error(err)
				}
				if told, err := io.ReadAll(p.stderr); err != nil || len(told) > 0 {
					t.Errorf("standard error: %q (%v)", told, err)
				}
				if got := p.wait(); got.ExitCode() != 0 {
					t.Error(got)
				}
			}
		})
		t.Run("mark", func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "r.jsonl")
			p := start(t, "measure", "--device", unix, "--record", file, "--interval", "100ms")
			p.line()
			outputOf(t, 0, "mark", "--device", unix, "new fan")
			outputOf(t, 0, "mark", "--device", unix+":sim", "--end")
			for range 10 {
				p.line()
			}
			p.signal(os.Interrupt)
			p.wait()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), `,"name":"new fan"}`) || !strings.Contains(string(text), `,"name":"","end":true}`) {
				t.Errorf("the marks are not in\n%s", text)
			}
		})
	})
	// The way there is cut again and again, and nothing is lost.
	file := filepath.Join(t.TempDir(), "r.jsonl")
	p := start(t, "measure", "--device", tcp, "--interval", "20ms", "--record", file)
	for i := range 100 {
		if i%20 == 10 {
			cut()
		}
		p.line()
	}
	p.signal(os.Interrupt)
	if got := p.wait().ExitCode(); got != 0 && got != withGaps {
		t.Errorf("cut again and again: exit status %d", got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "connected again") {
		t.Errorf("it is not recorded that it was connected to again:\n%s", text)
	}
	got := readingLines(strings.NewReader(string(text)))
	if want := serverLines(t, socket, got); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("cut again and again: recorded\n%s\nthe server has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// serverLines returns the windows that a server remembers, as many as there are
// in lines, from the first of them on.
func serverLines(t *testing.T, socket string, lines []string) []string {
	t.Helper()
	if len(lines) == 0 {
		t.Fatal("nothing was recorded")
	}
	var first struct {
		Start json.Number `json:"start_s"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+api.Events("sim")+"?from="+first.Start.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list []string
	for s := bufio.NewScanner(answer.Body); len(list) < len(lines) && s.Scan(); {
		list = append(list, readingLines(strings.NewReader(s.Text()))...)
	}
	return list
}

// TestServerIsKilled: the gap is told, and the next server read from.
func TestServerIsKilled(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	server := startServer(t, socket, quickSim)
	p := start(t, "measure", "--device", "unix:"+socket, patiently, "--interval", "100ms", "--format", "jsonl", "--count", "20")
	for range 5 {
		p.line()
	}
	server.signal(syscall.SIGKILL)
	server.wait()
	startServer(t, socket, quickSim)
	out, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.wait(); got.ExitCode() != withGaps {
		t.Errorf("%v\n%s", got, out)
	}
	told := false
	for l := range strings.Lines(string(out)) {
		told = told || strings.HasPrefix(l, `{"type":"gap"`) && strings.Contains(l, "the server")
	}
	if !told {
		t.Errorf("no gap is told of the server that was killed:\n%s", out)
	}
}

// TestServerHasTheMeter: a meter that a server on this machine has is read through
// it, which a person is told, and nobody else.
func TestServerHasTheMeter(t *testing.T) {
	t.Setenv(runtimeDir, privateDir(t))
	sim := start(t, "sim", "--tcp", "127.0.0.1:0", strings.TrimPrefix(quickSim, "sim:")+",load=constant,watts=50")
	sim.line()
	device, ok := strings.CutPrefix(sim.line(), "try: powerspy measure --device ")
	if !ok {
		t.Fatal("the simulator does not say where it is")
	}
	socket := filepath.Join(t.TempDir(), "s")
	startServer(t, socket, device)
	outputOf(t, 0, "measure", "--device", "unix:"+socket, patiently, "--count", "1")

	if out := outputOf(t, 0, "measure", "--quiet", "--device", device, "--interval", "100ms", "--count", "3", "--unit", "mW"); strings.Count(out, " 50000\n") != 3 {
		t.Errorf("measured %q", out)
	}
	if out := outputOf(t, 0, "gmt", "--check", "--device", device); !strings.Contains(out, "measures: 50.0 W") {
		t.Errorf("gmt --check says %q", out)
	}
	outputOf(t, 0, "mark", "--device", device, "new fan")
	name := strings.TrimPrefix(strings.TrimSpace(device), "tcp://")
	if marks := getText(t, overSocket(t, socket), "http://x"+api.Marks(name)); !strings.Contains(marks, `"name":"new fan"`) {
		t.Errorf("the marks are %s", marks)
	}
	person, cmd := startOnTerminal(t, "measure", "--device", device, "--interval", "100ms", "--count", "3")
	person.until(fmt.Sprintf("through the server at unix:%s\r\n", socket))
	go person.drain()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != withGaps) {
		t.Error(err)
	}

	// What needs the meter itself says who has it; so does all where the socket is not
	// this user's to open.
	for _, args := range [][]string{{"info", "--device", device}, {"measure", "--count", "1", "--device", device}, {"mark", "--device", device, "x"}} {
		if args[0] == "measure" {
			if err := os.Remove(socket); err != nil {
				t.Fatal(err)
			}
		}
		p := start(t, args...)
		told, err := io.ReadAll(p.stderr)
		want, status := "it is in use by pid ", 6
		if args[0] == "mark" {
			want, status = "is no server, and none on this machine has it", 2
		}
		if err != nil || !strings.Contains(string(told), want) {
			t.Errorf("%v: it told %q (%v)", args, told, err)
		}
		if got := p.wait(); got.ExitCode() != status {
			t.Errorf("%v: %v", args, got)
		}
	}
}

// privateDir is one that may be a runtime directory.
func privateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReportOfServer: what a server remembers, with its marks; and what becomes of
// files and names that are none.
func TestReportOfServer(t *testing.T) {
	dir := t.TempDir()
	socket, page := filepath.Join(dir, "s"), filepath.Join(dir, "r.html")
	p := startServer(t, socket, quickSim, quickSim)
	vars := map[string]string{"HOME": dir, "XDG_RUNTIME_DIR": dir}
	server := "unix:" + socket + ":sim2"
	makePage := func(ready func(page string) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			_, stderr, status := inProcess(t, vars, "report", server, "-o", page)
			text, err := os.ReadFile(page)
			if status == 0 && err == nil && ready(string(text)) {
				return
			}
			if time.Now().After(deadline) || status != 0 && !strings.Contains(stderr, "nothing") && !strings.Contains(stderr, "no server answers") {
				t.Fatalf("status %d, %s", status, stderr)
			}
		}
	}
	makePage(func(page string) bool { return strings.Contains(page, `"name":"sim2"`) })
	if _, stderr, status := inProcess(t, vars, "mark", "--device", server, "load"); status != 0 {
		t.Fatal(stderr)
	}
	makePage(func(page string) bool { return strings.Contains(page, `"name":"load"`) })
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"unix:" + socket}, "the server has several meters: sim, sim2; say which"},
		{[]string{"unix:" + socket + ":lab"}, "name one of those"},
		{[]string{"unix:" + dir + "/none"}, "no server answers"},
		{[]string{server, "--from", "2h"}, server},
		{[]string{server, page}, "give another file with -o"},
	} {
		_, stderr, status := inProcess(t, vars, append([]string{"report", "-o", page}, tt.args...)...)
		if status == 0 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: status %d, %s, want %s", tt.args, status, stderr, tt.want)
		}
	}
	p.signal(syscall.SIGTERM)
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}
