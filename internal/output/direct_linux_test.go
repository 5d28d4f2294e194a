package output

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// A disk may hang: a regular file is written through the scheduler, which goes on
// with everything else meanwhile.
func TestDirectRegularFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if w := NewDirect(f); w != io.Writer(f) {
		t.Errorf("got %T, want the file itself", w)
	}
}

// While a reader holds a write up, everything else goes on: timers, goroutines
// and signals, on one processor. It is so for each kind of output whose reader
// can stop.
func TestDirectHeldUp(t *testing.T) {
	for name, makePair := range map[string]func(*testing.T) (r, w *os.File){
		"pipe": func(t *testing.T) (r, w *os.File) {
			var fds [2]int
			if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			return os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
		},
		"FIFO": func(t *testing.T) (r, w *os.File) {
			path := filepath.Join(t.TempDir(), "fifo")
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			w, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			return r, w
		},
		"socket": func(t *testing.T) (r, w *os.File) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
		},
		"terminal": func(t *testing.T) (r, w *os.File) {
			master, tty, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			return master, tty
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			r, f := makePair(t)
			defer r.Close()
			defer f.Close()
			w := NewDirect(f)
			signals := make(chan os.Signal, 1)
			signal.Notify(signals, unix.SIGUSR1)
			defer signal.Stop(signals)

			var written atomic.Int64
			total := int64(0)
			done := make(chan error)
			go func() {
				line := bytes.Repeat([]byte("x"), 1023)
				line = append(line, '\n')
				for total = 0; total < 4<<20; total += int64(len(line)) {
					if _, err := w.Write(line); err != nil {
						done <- err
						return
					}
					written.Add(int64(len(line)))
				}
				done <- nil
			}()
			// Held up once nothing more is written for a while.
			for before := int64(-1); before != written.Load(); time.Sleep(50 * time.Millisecond) {
				before = written.Load()
			}
			if n := written.Load(); n == 4<<20 {
				t.Fatalf("nothing has held it up")
			}
			if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			select {
			case <-signals:
			case <-time.After(10 * time.Second):
				t.Fatal("the signal did not get through")
			}
			// And it goes on where it was when the reader does.
			go func() { _, _ = io.Copy(io.Discard, r) }()
			if err := <-done; err != nil || total != 4<<20 {
				t.Errorf("wrote %d, %v", total, err)
			}
		})
	}
}

// A named pipe that was opened non-blocking stays so, and a close wakes whoever
// is held up by its reader.
func TestDirectCloseWakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := NewDirect(f)
	ended := make(chan error)
	go func() {
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				ended <- err
				return
			}
		}
	}()
	time.AfterFunc(50*time.Millisecond, func() { _ = f.Close() })
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// A full pipe must block the writer, not lose or repeat anything, and stay
// blocking for whoever shares it.
func TestDirectFullPipe(t *testing.T) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, wr := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	defer wr.Close()
	w := NewDirect(wr)
	d, ok := w.(*direct)
	if !ok || d.raw != nil || d.fd == fds[1] {
		t.Fatalf("got %T, want a description of its own", w)
	}
	want := bytes.Repeat([]byte("0123456789abcde\n"), 1<<14) // four times a pipe's buffer
	done := make(chan error, 1)
	go func() {
		for p := want; len(p) > 0; p = p[1024:] {
			if _, err := w.Write(p[:1024]); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("what was read differs from what was written")
	}
}

func TestDirectLeavesFlagsAlone(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	fd := int(tty.Fd())
	before, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := NewDirect(tty)
	if _, ok := w.(*direct); !ok {
		t.Fatalf("got %T", w)
	}
	after, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || before != after {
		t.Errorf("flags %#x, were %#x, %v", after, before, err)
	}
	if _, err := io.WriteString(w, "hello\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := master.Read(buf); err != nil || string(buf[:n]) != "hello\r\n" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

func TestDirectErrors(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if _, err := NewDirect(full).Write([]byte("x")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	direct := NewDirect(w)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	// Descriptors above 2: Go leaves SIGPIPE without effect.
	if _, err := direct.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("got %v, want EPIPE", err)
	}
}

func TestDirectFallsBack(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f, g := os.NewFile(uintptr(fds[0]), "one"), os.NewFile(uintptr(fds[1]), "other")
	defer f.Close()
	defer g.Close()
	if w := NewDirect(f); w != io.Writer(f) {
		t.Errorf("got %T for a socket, want the file itself", w)
	}
}
