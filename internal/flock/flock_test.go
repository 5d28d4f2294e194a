//go:build unix

package flock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	a, b := open(t, path, os.O_RDWR|os.O_CREATE), open(t, path, os.O_RDWR)
	if taken, err := Try(a); !taken || err != nil {
		t.Fatalf("a free file: %v, %v", taken, err)
	}
	if taken, err := Try(a); !taken || err != nil {
		t.Errorf("its holder again: %v, %v", taken, err)
	}
	if taken, err := Try(b); taken || err != nil {
		t.Errorf("a second open file: %v, %v", taken, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if taken, err := Try(b); !taken || err != nil {
		t.Errorf("after the first was closed: %v, %v", taken, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if taken, err := Try(b); taken || err == nil {
		t.Errorf("a closed file: %v, %v", taken, err)
	}
}

// A file with deadlines, such as a serial line, keeps them.
func TestDeadlineStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path, os.O_RDWR|unix.O_NONBLOCK)
	if taken, err := Try(f); !taken || err != nil {
		t.Fatalf("%v, %v", taken, err)
	}
	if err := f.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
