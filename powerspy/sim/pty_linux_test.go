package sim

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// within is how long anything may take that runs on the real clock.
const within = 10 * time.Second

func servePTY(t *testing.T, m *Meter) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	path, wait, err := m.ServePTY(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("ServePTY ended with %v", err)
		}
	})
	return path
}

// openPTY opens path as a program does that knows nothing of terminals: the
// raw mode has to be set already.
func openPTY(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	return f
}

func askPTY(t *testing.T, f *os.File, request string, want func(frame string) bool) string {
	t.Helper()
	if _, err := io.WriteString(f, request); err != nil {
		t.Fatal(err)
	}
	return frameFrom(t, f, want)
}

// frameFrom reads until a frame is wanted.
func frameFrom(t *testing.T, r io.Reader, want func(frame string) bool) string {
	t.Helper()
	var got strings.Builder
	one := make([]byte, 1)
	for {
		if _, err := r.Read(one); err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		got.Write(one)
		if one[0] != '>' {
			continue
		}
		s := got.String()
		if frame := s[strings.LastIndexByte(s, '<'):]; want(frame) {
			return frame
		}
	}
}

func is(want string) func(string) bool { return func(frame string) bool { return frame == want } }

func TestServePTY(t *testing.T) {
	m := New(Config{Generation: V1, Serial: 1})
	path := servePTY(t, m)

	f := openPTY(t, path)
	askPTY(t, f, "<?>", is("<POWERSPYR01FF35020001>"))
	askPTY(t, f, "<V0E>", is("<6C>"))
	// Line ends must not be translated: LF CR is told as it is.
	eol := make([]byte, 2)
	if _, err := io.ReadFull(f, eol); err != nil || string(eol) != "\n\r" {
		t.Errorf("got line end %q, %v", eol, err)
	}
	askPTY(t, f, "<J01>", is("<K>"))
	frameFrom(t, f, measurement)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	// The next client meets the stream of the one that died.
	f = openPTY(t, path)
	frameFrom(t, f, measurement)
	askPTY(t, f, "<Q>", is("<K>"))
	askPTY(t, f, "<?>", is("<POWERSPYR01FF35020001>"))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	// And so on.
	for range 20 {
		f := openPTY(t, path)
		askPTY(t, f, "<V00>", is("<01>"))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A client that goes away without having read does not leave a blocked meter
// behind: the next may have to read old answers, but gets its own.
func TestServePTYUnread(t *testing.T) {
	path := servePTY(t, New(Config{}))
	f := openPTY(t, path)
	for range 400 {
		if _, err := io.WriteString(f, strings.Repeat("<V00>", 20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = openPTY(t, path)
	defer f.Close()
	var got strings.Builder
	buf := make([]byte, 4096)
	for range 100 {
		if _, err := io.WriteString(f, "<?>"); err != nil {
			t.Fatal(err)
		}
		if err := f.SetReadDeadline(time.Now().Add(within / 100)); err != nil {
			t.Fatal(err)
		}
		n, err := f.Read(buf)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		got.Write(buf[:n])
		if strings.Contains(got.String(), "<POWERSPYR01FF350311D7>") {
			t.Logf("after %d bytes", got.Len())
			return
		}
	}
	t.Errorf("the next client is not answered after %d bytes", got.Len())
}

func TestServePTYContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	path, wait, err := New(Config{}).ServePTY(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := openPTY(t, path)
	askPTY(t, f, "<V00>", is("<D7>"))
	cancel() // With a client connected.
	for range 2 {
		if err := wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("ServePTY ended with %v", err)
		}
	}
	if _, err := f.Read(make([]byte, 64)); err == nil {
		_, err = f.Read(make([]byte, 64))
		if err == nil {
			t.Error("the terminal outlives the meter")
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A recording is streamed on a pseudo-terminal as in the process.
func TestPTYReplay(t *testing.T) {
	l := write(t, Config{Link: LinkB, Load: LoadServer, Seed: 5}, "<J0001>", 25, false)
	m := New(replay(t, l.text, ""))
	f := openPTY(t, servePTY(t, m))
	defer f.Close()
	askPTY(t, f, "<J0001>", func(frame string) bool { return frame == "<K>" })
	for n, was := range l.heard {
		got := frameFrom(t, f, measurement)
		_, _, p, _, _ := decode(t, got, m.scale)
		_, _, p0, _, _ := decode(t, was.frame, m.scale)
		if p-p0 > 1e-3 || p0-p > 1e-3 {
			t.Fatalf("frame %d: %s, was %s", n, got, was.frame)
		}
	}
}
