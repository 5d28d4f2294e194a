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

func measurement(frame string) bool { return len(frame) == 38 }

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
