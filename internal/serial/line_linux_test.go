package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"powerspy2/internal/flock"
)

// newTerminal makes a pseudo-terminal, and returns its other side and its path.
func newTerminal(t *testing.T) (master *os.File, path string) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return master, tty.Name()
}

func open(t *testing.T, path string) *Line {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // some tests have done so
	return l
}

// Bytes pass both ways as they are.
func TestLineIsRaw(t *testing.T) {
	master, path := newTerminal(t)
	l := open(t, path)
	const text = "\x03\x04\r\n\x11\x13\xff<J0001>\r"
	b := make([]byte, 64)
	if _, err := master.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Read(b); err != nil || string(b[:n]) != text {
		t.Errorf("in: %q, %v", b[:n], err)
	}
	if _, err := l.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if n, err := master.Read(b); err != nil || string(b[:n]) != text {
		t.Errorf("out: %q, %v", b[:n], err)
	}
	if err := l.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
}

// Any goroutine may read a line, also one that is locked to its thread.
func TestLinePinned(t *testing.T) {
	master, path := newTerminal(t)
	l := open(t, path)
	for i := range 4 {
		got := make(chan string)
		go func() {
			if i%2 == 0 {
				runtime.LockOSThread()
			}
			b := make([]byte, 8)
			n, err := l.Read(b)
			got <- fmt.Sprint(string(b[:n]), err)
		}()
		if _, err := master.WriteString("piece"); err != nil {
			t.Fatal(err)
		}
		if text := <-got; text != "piece<nil>" {
			t.Errorf("reader %d: %s", i, text)
		}
	}
}

func TestOpenBusy(t *testing.T) {
	t.Run("locked", func(t *testing.T) {
		_, path := newTerminal(t)
		l := open(t, path)
		_, err := Open(path)
		var busy *BusyError
		if !errors.Is(err, ErrBusy) || !errors.As(err, &busy) || busy.PID != 0 {
			t.Errorf("got %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, path)
	})
	// Older programs ask for no lock.
	t.Run("read by another program", func(t *testing.T) {
		_, path := newTerminal(t)
		tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		older := exec.Command("sleep", "60")
		older.Stdin = tty
		if err := errors.Join(older.Start(), tty.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(path)
		if want := fmt.Sprintf("in use by pid %d (sleep)", older.Process.Pid); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := older.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = older.Wait() // was killed
		open(t, path)
	})
	// rfcomm(1) holds its line open for others.
	t.Run("kept open", func(t *testing.T) {
		_, path := newTerminal(t)
		sleep, err := exec.LookPath("sleep")
		if err != nil {
			t.Fatal(err)
		}
		keeper := filepath.Join(t.TempDir(), "rfcomm")
		program, err := os.ReadFile(sleep)
		if err := errors.Join(err, os.WriteFile(keeper, program, 0o700)); err != nil {
			t.Fatal(err)
		}
		tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(keeper, "60")
		cmd.Stdin = tty
		if err := errors.Join(cmd.Start(), tty.Close()); err != nil {
			t.Fatal(err)
		}
		open(t, path)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // was killed
	})
	t.Run("refused by the kernel", func(t *testing.T) {
		_, path := newTerminal(t)
		open(t, path)
		if err := heldAt(path); !errors.Is(err, ErrBusy) || err.Error() != "in use by another program" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a name that drives terminals", func(t *testing.T) {
		if got := (&BusyError{PID: 7, Name: "a\x1b[2J"}).Error(); got != `in use by pid 7 (a\x1b[2J)` {
			t.Errorf("got %q", got)
		}
	})
}

// A line is locked while it is open.
func TestOpenTakesLock(t *testing.T) {
	_, path := newTerminal(t)
	open(t, path)
	other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if taken, err := flock.Try(other); taken || err != nil {
		t.Errorf("got %v, %v", taken, err)
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		want error
	}{
		{file, ErrNotTerminal},
		{"/dev/null", ErrNotTerminal},
		{file + "none", fs.ErrNotExist},
	} {
		l, err := Open(tt.path)
		if err == nil {
			_ = l.Close()
		}
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s: got %v, want %v", tt.path, err, tt.want)
		}
	}
}

// Closing wakes a read, also beside a goroutine that sets deadlines.
func TestLineClose(t *testing.T) {
	for range 30 {
		_, path := newTerminal(t)
		l := open(t, path)
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				if _, err := l.Read(make([]byte, 8)); errors.Is(err, os.ErrClosed) {
					return
				} else if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			for d := time.Nanosecond; ; d *= 2 {
				if err := l.SetReadDeadline(time.Now().Add(d % time.Second)); errors.Is(err, os.ErrClosed) {
					return
				} else if err != nil {
					t.Errorf("deadline: %v", err)
					return
				}
			}
		})
		runtime.Gosched()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := l.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("second close: %v", err)
		}
	}
}
