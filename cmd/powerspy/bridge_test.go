package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program that knows only a serial device or a port measures over a bridge,
// one after the other, and the device is gone afterwards.
func TestBridge(t *testing.T) {
	link := filepath.Join(t.TempDir(), "meter")
	if err := os.Symlink("/dev/pts/gone", link); err != nil { // of a bridge that was killed
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--tty", link}, {"--tcp", "0"}} {
		p := start(t, append([]string{"bridge", "--device", quickSim}, args...)...)
		device := bridgeDevice(t, p)
		if args[0] == "--tcp" {
			refuseSecond(t, strings.TrimPrefix(device, "tcp://"))
		} else if second := start(t, "bridge", "--device", quickSim, "--tty", link); second.wait().ExitCode() == 0 {
			t.Error("a second bridge took the device of a live one")
		}
		if args[0] == "--tty" {
			tellShared(t, p, device)
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
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the device was left behind: %v", err)
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

// refuseSecond checks that a second client is told, and the first one is served
// on.
func refuseSecond(t *testing.T, address string) {
	t.Helper()
	dial := func() net.Conn {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := dial()
	answers := bufio.NewReader(first)
	ask := func() {
		t.Helper()
		if _, err := io.WriteString(first, "<V00>"); err != nil {
			t.Fatal(err)
		}
		if answer, err := answers.ReadString('>'); err != nil || len(strings.Trim(answer, "\r\n<>")) != 2 {
			t.Errorf("first client: %q, %v", answer, err)
		}
	}
	ask()
	if said, err := io.ReadAll(dial()); err != nil || !strings.Contains(string(said), "in use by another program") {
		t.Errorf("second client: %q, %v", said, err)
	}
	ask()
	if err := first.Close(); err != nil {
		t.Error(err)
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

// tellShared checks that the bridge tells of a second program on its device.
func tellShared(t *testing.T, p *process, device string) {
	t.Helper()
	for range 2 {
		f, err := os.OpenFile(device, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.WriteString(f, "<V00>"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Read(make([]byte, 16)); err != nil { // the bridge has seen it
			t.Fatal(err)
		}
	}
	p.told("powerspy: " + device + " was opened again: programs that have it open at once share it, and each gets a part of the answers")
}
