package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A program that knows only a serial device or a port measures over a bridge,
// one after the other, and the device is gone afterwards.
func TestBridge(t *testing.T) {
	link := filepath.Join(t.TempDir(), "meter")
	if err := os.Symlink("/dev/pts/gone", link); err != nil { // of a bridge that was killed
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--tty", link}, {"--tcp", "127.0.0.1:45671"}} {
		device := link
		if args[0] == "--tcp" {
			device = "tcp://" + args[1]
		}
		p := start(t, append([]string{"bridge", "--device", quickSim}, args...)...)
		p.told("powerspy: connected to the meter")
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
