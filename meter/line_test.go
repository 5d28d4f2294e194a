package meter

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// answering listens on a port where every client is served by serve.
func answering(t *testing.T, serve func(net.Conn)) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return Target{Kind: TCP, Host: l.Addr().String()}
}

// What a bridge says to a second program is told as what it is, however it comes.
func TestBridgeInUse(t *testing.T) {
	for _, piece := range []int{1, 7, 100} {
		target := answering(t, func(c net.Conn) {
			text := LineInUse + "\r\n"
			for len(text) > 0 {
				n := min(piece, len(text))
				if _, err := io.WriteString(c, text[:n]); err != nil {
					return
				}
				text = text[n:]
			}
			_, _ = io.Copy(io.Discard, c)
		})
		_, err := Open(context.Background(), Config{Target: target})
		if !errors.Is(err, ErrInUse) || !errors.Is(err, ErrNoAnswer) {
			t.Errorf("in pieces of %d: got %v", piece, err)
		} else if text := err.Error(); !strings.Contains(text, "the meter is in use by another program") || strings.Contains(text, "unplug") {
			t.Errorf("told as %q", text)
		}
	}
}

// Nobody is told to cut the power of the machine under test for a line that may
// only be busy.
func TestSilentLine(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	go func() { _, _ = io.Copy(io.Discard, master) }()
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	targets := []Target{
		{Kind: Serial, Path: tty.Name()},
		answering(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }),
	}
	for _, target := range targets {
		t.Run(target.Kind.String(), func(t *testing.T) {
			t.Parallel()
			_, err := Open(context.Background(), Config{Target: target})
			if !errors.Is(err, ErrSilentLine) || !errors.Is(err, ErrNoAnswer) {
				t.Fatalf("got %v", err)
			}
			if text := err.Error(); strings.Contains(text, "unplug") || strings.Contains(text, "power of") {
				t.Errorf("told as %q", text)
			}
		})
	}
}

// A line that another program has says so, and the kind is that of a meter that
// does not answer.
func TestLineInUse(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	target := Target{Kind: Serial, Path: tty.Name()}
	first, err := openLink(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = openLink(context.Background(), target)
	var told *Error
	if !errors.As(err, &told) || told.Kind != ErrNoAnswer || !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}
