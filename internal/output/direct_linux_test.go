package output

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

func TestDirectRegularFile(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := NewDirect(f)
	if _, ok := w.(*direct); !ok {
		t.Fatalf("got %T", w)
	}
	for _, line := range []string{"one\n", "", "two\n"} {
		if n, err := io.WriteString(w, line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != "one\ntwo\n" {
		t.Errorf("got %q, %v", got, err)
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
	w := NewDirect(wr)
	d, ok := w.(*direct)
	if !ok || d.fd == fds[1] {
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
		done <- errors.Join(unix.Close(d.fd), wr.Close())
	}()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, wrote %d, or they differ", len(got), len(want))
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
