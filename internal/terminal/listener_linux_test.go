package terminal

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// within is how long anything may take that has to happen.
const within = time.Minute

func listen(t *testing.T) (l *Listener, link string) {
	t.Helper()
	link = filepath.Join(t.TempDir(), "tty")
	l, err := Listen(link)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, link
}

func open(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	return f
}

func accept(t *testing.T, l *Listener) *Line {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	return c
}

// carries checks that what is written arrives as it is.
func carries(t *testing.T, from io.Writer, to io.Reader, text string) {
	t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		t.Error(err)
		return
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Errorf("got %q, %v, want %q", got, err, text)
	}
}

// ended checks that the client of c has left.
func ended(t *testing.T, c *Line) {
	t.Helper()
	if n, err := c.Read(make([]byte, 16)); !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v of a client that left", n, err)
	}
}

// However a program opens the link, it has the terminal in raw mode.
func TestListenerOpenings(t *testing.T) {
	l, link := listen(t)
	tests := []struct {
		name     string
		flags    int
		resolved bool
		take     func(fd int) error
	}{
		{name: "plain"},
		{name: "without a controlling terminal", flags: syscall.O_NOCTTY | syscall.O_NONBLOCK},
		{name: "by its own path", flags: syscall.O_NOCTTY, resolved: true},
		{name: "exclusive", flags: syscall.O_NOCTTY, take: func(fd int) error {
			return errors.Join(unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB), unix.IoctlSetInt(fd, unix.TIOCEXCL, 0))
		}},
		{name: "after an exclusive one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := link
			if tt.resolved {
				var err error
				if path, err = os.Readlink(link); err != nil {
					t.Fatal(err)
				}
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			f := open(t, path, tt.flags)
			if tt.take != nil {
				if err := tt.take(int(f.Fd())); err != nil {
					t.Error(err)
				}
			}
			c := accept(t, l)
			carries(t, f, c, "<?>\r\x03\x04")
			carries(t, c, f, "\n\r<K>\x00\x11\x13")
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			ended(t, c)
		})
	}
}

// A second program has a terminal of its own; the first one's bytes, settings and
// end are not its.
func TestListenerApart(t *testing.T) {
	l, link := listen(t)
	first := open(t, link, syscall.O_NOCTTY)
	a := accept(t, l)
	second := open(t, link, syscall.O_NOCTTY)
	b := accept(t, l)
	for range 3 {
		carries(t, first, a, "<V00>")
		carries(t, a, first, "<01>")
		carries(t, b, second, "in use\r\n")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if n, err := second.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Error("the second was not hung up")
	}
	carries(t, first, a, "<V01>")

	state, err := term.GetState(int(first.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(a, "never read by the first")
	if err := errors.Join(err, setCooked(int(first.Fd())), first.Close()); err != nil {
		t.Fatal(err)
	}
	ended(t, a)
	third := open(t, link, syscall.O_NOCTTY)
	c := accept(t, l)
	if now, err := term.GetState(int(third.Fd())); err != nil || *now != *state {
		t.Errorf("the third has the settings %v, %v, want %v", now, err, state)
	}
	carries(t, c, third, "<02>")
}

func setCooked(fd int) error {
	s, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	s.Lflag |= unix.ICANON // no echo: it would come back
	return unix.IoctlSetTermios(fd, unix.TCSETS, s)
}

// A program that looks at the link's target and opens that is refused while
// another one has it, as long as it is no superuser's.
func TestListenerRefuses(t *testing.T) {
	l, link := listen(t)
	path, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	open(t, link, syscall.O_NOCTTY)
	accept(t, l)
	if err := asOrdinary(func() error {
		f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err == nil {
			f.Close()
		}
		return err
	}); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("got %v, want %v", err, syscall.EBUSY)
	}
}

// asOrdinary calls f without the right that makes TIOCEXCL void.
func asOrdinary(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&header, &data[0])
		data[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
		if err == nil {
			err = unix.Capset(&header, &data[0])
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// Two that open the link in one instant are both hung up; one that closes it and
// opens it again is not, and neither is the one that closes it and another that
// opens it.
func TestListenerInstant(t *testing.T) {
	tests := []struct {
		name   string
		events string // o: opened, c: closed by the first that has it open
		hungUp bool
	}{
		{name: "one", events: "o"},
		{name: "two", events: "oo", hungUp: true},
		{name: "three of which one left", events: "oooc", hungUp: true},
		{name: "two of which one left", events: "ooc"},
		{name: "stty, then the program", events: "oco"},
		{name: "stty twice, then the program", events: "ococo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, link := listen(t)
			var have []*os.File
			for _, e := range tt.events {
				if e == 'o' {
					have = append(have, open(t, link, syscall.O_NOCTTY))
					continue
				}
				if err := have[0].Close(); err != nil {
					t.Error(err)
				}
				have = have[1:]
			}
			accepted := make(chan *Line)
			go func() {
				defer close(accepted)
				if c, err := l.Accept(); err == nil {
					accepted <- c
				}
			}()
			if tt.hungUp {
				for _, f := range have {
					if n, err := f.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
						t.Errorf("read %d, %v, want a hang-up", n, err)
					}
				}
				have = []*os.File{open(t, link, syscall.O_NOCTTY)} // a later one is served
			}
			c := <-accepted
			carries(t, c, have[0], "<K>")
			c.Close()
		})
	}
}

// Close wakes Accept and removes the link, unless it is somebody else's by now.
func TestListenerClose(t *testing.T) {
	for _, taken := range []bool{false, true} {
		l, link := listen(t)
		accepted := make(chan error)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		if taken {
			if err := Link("/dev/null", link); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want %v", err, net.ErrClosed)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v, want %v", err, net.ErrClosed)
		}
		if to, err := os.Readlink(link); taken != (err == nil) {
			t.Errorf("the link leads to %q, %v afterwards", to, err)
		}
	}
}

// A link is replaced, anything else is not, and nothing else is left behind.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"/dev/pts/gone", "/dev/null"} {
		if err := Link(to, link); err != nil {
			t.Error(err)
		}
		if got, err := os.Readlink(link); err != nil || got != to {
			t.Errorf("the link leads to %q, %v, want %q", got, err, to)
		}
	}
	if err := Link("/dev/null", file); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v, want %v", err, os.ErrExist)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "file link" {
		t.Errorf("the directory holds %s", got)
	}
}
