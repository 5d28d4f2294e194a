package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/bridge"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// A program that knows only a serial device or a port measures over a bridge,
// one after the other, and the device is gone afterwards.
func TestBridge(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "meter")
	if err := os.Symlink("/dev/pts/gone", link); err != nil { // of a bridge that was killed
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--tty", link}, {"--tcp", "0"}} {
		p := start(t, append([]string{"bridge", "--device", quickSim}, args...)...)
		device := bridgeDevice(t, p)
		if args[0] == "--tty" {
			if second := start(t, "bridge", "--device", quickSim, "--tty", link); second.wait().ExitCode() == 0 {
				t.Error("a second bridge took the device of a live one")
			}
		}
		for range 2 {
			m := start(t, "measure", "-q", "--device", device, "--interval", "20ms", "--count", "3")
			for range 3 {
				m.line()
			}
			if got := m.wait(); got.ExitCode() != 0 {
				t.Errorf("%v: measure: %v", args, got)
			}
		}
		p.signal(syscall.SIGTERM)
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%v: %v", args, got)
		}
	}
	notThere(t, link)
}

func notThere(t *testing.T, link string) {
	t.Helper()
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the device was left behind: %v", err)
	}
}

// A second program is told and hung up, whatever it says; the first one is not
// disturbed in its stream, and the next one is served.
func TestBridgeSecondProgram(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "meter")
	for _, args := range [][]string{{"--tty", link}, {"--tcp", "0"}} {
		p := start(t, append([]string{"bridge", "--device", quickSim + ",serial=1"}, args...)...)
		device := bridgeDevice(t, p)
		first := openDevice(t, device)
		frames := make(chan error, 1)
		stop := make(chan struct{})
		if got := askDevice(t, first, "<J0005>"); got != "<K>" {
			t.Errorf("%v: start: %q", args, got)
		}
		go func() { frames <- onlyFrames(first, stop) }()

		for range 2 {
			second := openDevice(t, device)
			if _, err := io.WriteString(second, "<V00>"); err != nil {
				t.Error(err)
			}
			// A hang-up is an end or an error, as it comes.
			if said, _ := io.ReadAll(second); string(said) != "the meter is in use by another program\r\n" {
				t.Errorf("%v: the second was told %q", args, said)
			}
			if _, err := second.Write([]byte("<V00>")); err == nil && args[0] == "--tty" {
				t.Error("the second was not hung up")
			}
			p.told("powerspy: a second program was sent away: the meter is in use by the first")
		}

		close(stop)
		if err := <-frames; err != nil {
			t.Errorf("%v: the first: %v", args, err)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		third := openDevice(t, device)
		if got := askDevice(t, third, "<V00>"); got != "<01>" {
			t.Errorf("%v: the next was answered %q", args, got)
		}
		p.signal(os.Interrupt) // with a client
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%v: %v", args, got)
		}
		if rest, _ := io.ReadAll(third); strings.Contains(string(rest), "<") {
			t.Errorf("%v: the client was told %q at the end", args, rest)
		}
	}
	notThere(t, link)
}

// openDevice opens what a bridge says to give to the other program.
func openDevice(t *testing.T, device string) (rw interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}) {
	t.Helper()
	var err error
	if address, ok := strings.CutPrefix(device, "tcp://"); ok {
		rw, err = net.Dial("tcp", address)
	} else {
		rw, err = os.OpenFile(device, os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rw.Close() })
	if err := rw.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return rw
}

// askDevice makes a request and returns its answer.
func askDevice(t *testing.T, rw io.ReadWriter, request string) string {
	t.Helper()
	if _, err := io.WriteString(rw, request); err != nil {
		t.Fatal(err)
	}
	answer, err := readFrame(rw)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// readFrame reads up to the end of a frame and no further.
func readFrame(r io.Reader) (string, error) {
	var frame []byte
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", err
		}
		switch frame = append(frame, one[0]); one[0] {
		case '<':
			frame = frame[len(frame)-1:]
		case '>':
			return string(frame), nil
		}
	}
}

// onlyFrames reads real-time frames until stop is closed.
func onlyFrames(r io.Reader, stop <-chan struct{}) error {
	for {
		f, err := readFrame(r)
		if err == nil {
			_, err = powerspy.ParseFrame([]byte(strings.Trim(f, "<>")))
		}
		if err != nil {
			return fmt.Errorf("%q: %w", f, err)
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// A program that looks at the device with stty, or closes it and opens it again
// at once, is not sent away.
func TestBridgeOpenedAgain(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "meter")
	for _, args := range [][]string{{"--tty", link}, {"--tcp", "0"}} {
		p := start(t, append([]string{"bridge", "--device", quickSim + ",serial=1"}, args...)...)
		device := bridgeDevice(t, p)
		for n := range 10 {
			if err := openDevice(t, device).Close(); err != nil {
				t.Error(err)
			}
			rw := openDevice(t, device)
			if got := askDevice(t, rw, "<V00>"); got != "<01>" {
				t.Errorf("%v, time %d: %q", args, n, got)
			}
			if err := rw.Close(); err != nil {
				t.Error(err)
			}
		}
		p.signal(os.Interrupt)
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%v: %v", args, got)
		}
	}
}

// --verbose shows what is carried, in both directions, and so that the meter is
// told to stop when the bridge is: with a client that reads, that does not, or
// that has left.
func TestBridgeVerbose(t *testing.T) {
	for _, client := range []string{"reads", "stalls", "left"} {
		link := filepath.Join(t.TempDir(), "meter")
		p := start(t, "bridge", "-v", "--device", quickSim+",serial=1", "--tty", link)
		rw := openDevice(t, bridgeDevice(t, p))
		if _, err := io.WriteString(rw, "<V00>"); err != nil {
			t.Fatal(err)
		}
		p.told("> <V00>")
		p.told(`< <01>\n\r`)
		if _, err := io.WriteString(rw, "<J0001>"); err != nil {
			t.Fatal(err)
		}
		p.told("> <J0001>")
		switch client {
		case "reads":
			go io.Copy(io.Discard, rw)
		case "left":
			if err := rw.Close(); err != nil {
				t.Error(err)
			}
			p.told("> <Q>")
		}
		p.signal(os.Interrupt)
		if client != "left" {
			p.told("> <Q>")
		}
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%s: %v", client, got)
		}
		notThere(t, link)
	}
}

// What can't be mended ends the bridge with its error, and takes the device away.
func TestBridgeEnds(t *testing.T) {
	wrong := &meter.Error{Kind: meter.ErrPairing, Op: "pair", Err: errors.New("wrong PIN")}
	b := &bridge.Bridge{
		Dial:   func(context.Context) (powerspy.Link, error) { return nil, wrong },
		Final:  func(err error) bool { return errors.Is(err, meter.ErrPairing) },
		Report: func(text string) { t.Log(text) },
	}
	f, err := listenTCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := serveBridge(t.Context(), b, f); !errors.Is(err, wrong) || exitStatus(err) != 5 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
	if _, err := f.accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the port is left: %v", err)
	}
}

// bridgeDevice returns the device that the bridge tells, once it is connected.
func bridgeDevice(t *testing.T, p *process) string {
	t.Helper()
	for {
		l, err := p.stderr.ReadString('\n')
		if err != nil {
			t.Fatalf("no device was told: %v", err)
		}
		if _, device, ok := strings.Cut(strings.TrimSpace(l), "give that to the other program, as --device "); ok {
			return device
		}
	}
}

// What can't work ends with the usual statuses, before a device is made.
func TestBridgeRefuses(t *testing.T) {
	tests := []struct {
		args   []string
		status int
	}{
		{[]string{"--tcp", "0.0.0.0:0"}, 2},
		{[]string{"--tcp", "192.0.2.1:4567"}, 2},
		{[]string{"--tcp", "70000"}, 2},
		{[]string{"--tcp", "127.0.0.1:70000"}, 2},
		{[]string{"--tcp", "-1"}, 2},
		{[]string{"--tcp", "wat"}, 2},
		{[]string{"--device", "sim:away=0s/1h", "--tcp", "0"}, 3},
		{[]string{"--tty", "a", "--tcp", "0"}, 2},
	}
	for _, tt := range tests {
		args := tt.args
		if args[0] != "--device" {
			args = append([]string{"--device", quickSim}, args...)
		}
		if got := start(t, append([]string{"bridge"}, args...)...).wait(); got.ExitCode() != tt.status {
			t.Errorf("%v: %v, want exit status %d", tt.args, got, tt.status)
		}
	}
}

// A web page of another site can send a request to any port of this machine. It
// must not reach the meter.
func TestBridgeWebPage(t *testing.T) {
	p := start(t, "bridge", "--device", quickSim+",serial=77", "--tcp", "0")
	device := bridgeDevice(t, p)
	res, err := http.Post("http://"+strings.TrimPrefix(device, "tcp://"), "text/plain", strings.NewReader("<W0041>"))
	if err == nil {
		t.Errorf("the page was answered: %v", res.Status)
		res.Body.Close()
	}
	rw := openDevice(t, device)
	if got := askDevice(t, rw, "<V00>"); got != "<4D>" {
		t.Errorf("the EEPROM begins with %s, want <4D>", got)
	}
	p.signal(os.Interrupt)
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}

// Errors about the device name what was typed, and locks that nobody holds any
// more are gone.
func TestBridgeTTYErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	p := start(t, "bridge", "-q", "--device", quickSim, "--tty", filepath.Join(dir, "tty"))
	said, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("powerspy: can't create %s/tty: the directory %[1]s does not exist; make it first: `mkdir -p %[1]s`\n", dir); string(said) != want {
		t.Errorf("got %q, want %q", said, want)
	}
	if got := p.wait(); got.ExitCode() != 1 {
		t.Error(got)
	}
	locks, err := filepath.Glob(filepath.Join(os.Getenv(runtimeDir), "powerspy", "*absent*"))
	if err != nil || len(locks) > 0 {
		t.Errorf("left behind: %q, %v", locks, err)
	}
}

// Somebody else's directory in the place of the locks keeps no bridge from
// working, and whoever has to remove it is named.
func TestBridgeWithoutLocks(t *testing.T) {
	dir := t.TempDir()
	tmp, link := filepath.Join(dir, "tmp"), filepath.Join(dir, "tty")
	if err := os.MkdirAll(filepath.Join(tmp, fmt.Sprintf("powerspy-%d", os.Getuid())), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(tmp, fmt.Sprintf("powerspy-%d", os.Getuid())), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d", os.Getuid())); err == nil {
		t.Logf("this user has a runtime directory, which is used")
	}
	without := []string{"HOME=", "XDG_RUNTIME_DIR=", "XDG_CACHE_HOME=", "TMPDIR=" + tmp, "powerspy", "bridge", "--device", quickSim, "--tty", link}
	p := startProgram(t, "env", without...)
	if device := bridgeDevice(t, p); device != link {
		t.Errorf("the device is %s", device)
	}
	// A second one can't tell, and leaves the link alone.
	second := startProgram(t, "env", without...)
	if got := second.wait(); got.ExitCode() == 0 {
		t.Error("the link of another bridge was taken")
	}
	if got := askDevice(t, openDevice(t, link), "<V00>"); !strings.HasPrefix(got, "<") {
		t.Errorf("got %q", got)
	}
	p.signal(os.Interrupt)
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}

// On a terminal the phase of connecting is over once the bridge is connected.
func TestBridgeOnTerminal(t *testing.T) {
	t.Parallel()
	person, cmd := startOnTerminal(t, "bridge", "--device", quickSim, "--tcp", "0")
	person.until("as --device tcp://")
	address := strings.TrimSpace(person.until("\r\n"))
	for range 2 {
		openDevice(t, "tcp://"+address)
	}
	seen := person.until("a second program was sent away") // a second later
	if strings.Contains(seen, "opening sim:") {
		t.Errorf("the phase is shown on: %q", seen)
	}
	person.typeIn("\x03")
	go person.drain()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
