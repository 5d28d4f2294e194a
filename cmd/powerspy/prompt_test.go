package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"powerspy2/internal/progress"
	"powerspy2/meter"
)

// person is the far end of a terminal: what is typed, and what is seen.
type person struct {
	t      *testing.T
	master *os.File
	seen   *bufio.Reader
}

// askedSession returns a session that asks on a terminal of its own.
func askedSession(t *testing.T, interrupt func()) (*session, *person) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(master.Close(), tty.Close()); err != nil {
			t.Error(err)
		}
	})
	s := &session{progress: &progress.Teller{}, env: env{
		interrupt: interrupt,
		terminal: func() (terminal, error) {
			// Anew, as openTerminal does: with deadlines.
			return os.OpenFile(tty.Name(), os.O_RDWR, 0)
		},
	}}
	return s, &person{t, master, bufio.NewReader(master)}
}

// until reads up to and with the text.
func (p *person) until(text string) string {
	p.t.Helper()
	var got strings.Builder
	for !strings.Contains(got.String(), text) {
		b, err := p.seen.ReadByte()
		if err != nil {
			p.t.Fatalf("waiting for %q: %v after %q", text, err, got.String())
		}
		got.WriteByte(b)
	}
	return got.String()
}

func (p *person) typeIn(keys string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

func TestAskPIN(t *testing.T) {
	s, person := askedSession(t, nil)
	type answer struct {
		pin string
		err error
	}
	answers := make(chan answer)
	go func() {
		pin, err := s.askPIN(t.Context(), meter.Target{Kind: meter.Named, Name: "PowerSpy 4567"})
		answers <- answer{pin, err}
	}()
	person.until("PIN of PowerSpy 4567")
	person.until(": ")
	person.typeIn("98\x7f765\r") // with a slip, corrected
	if got := <-answers; got.pin != "9765" || got.err != nil {
		t.Errorf("got %q, %v", got.pin, got.err)
	}
	if after := person.until("\n"); strings.ContainsAny(after, "98765") {
		t.Errorf("the PIN is on the terminal: %q", after)
	}
}

func TestChoose(t *testing.T) {
	found := make([]meter.Target, 2)
	for i, address := range []string{"00:0B:CE:07:1D:31", "00:0B:CE:07:1D:32"} {
		var err error
		if found[i], err = meter.ParseTarget(address); err != nil {
			t.Fatal(err)
		}
		found[i].Name = "PowerSpy"
	}
	tests := []struct {
		typed   string
		want    int
		refused bool
	}{
		{"2\r", 1, false},
		{" 1 \r", 0, false},
		{"3\rx\r2\r", 1, false},
		{"0\r-1\r\r", 0, true},
	}
	for _, tt := range tests {
		s, person := askedSession(t, nil)
		type answer struct {
			n   int
			err error
		}
		answers := make(chan answer)
		go func() {
			n, err := s.choose(t.Context(), found)
			answers <- answer{n, err}
		}()
		if seen := person.until("Which one (1 to 2)? "); !strings.Contains(seen, "   1  PowerSpy (00:0B:CE:07:1D:31)\r\n   2  PowerSpy (00:0B:CE:07:1D:32)") {
			t.Errorf("list: %q", seen)
		}
		person.typeIn(tt.typed)
		got := <-answers
		if tt.refused {
			if exitStatus(got.err) != 2 {
				t.Errorf("%q: got %v, want a usage error", tt.typed, got.err)
			}
		} else if got.n != tt.want || got.err != nil {
			t.Errorf("%q: got %d, %v; want %d", tt.typed, got.n, got.err, tt.want)
		}
	}
}

// Ctrl-C at a question ends the command, and the end of the command ends a
// question.
func TestAskInterrupted(t *testing.T) {
	for _, keys := range []string{"\x03", "\x04", ""} {
		ctx, cancel := context.WithCancel(t.Context())
		s, person := askedSession(t, cancel)
		errs := make(chan error)
		go func() {
			_, err := s.askPIN(ctx, meter.Target{})
			errs <- err
		}()
		person.until(": ")
		if keys == "" {
			cancel()
		} else {
			person.typeIn(keys)
		}
		select {
		case err := <-errs:
			if !errors.Is(err, context.Canceled) || ctx.Err() == nil {
				t.Errorf("%q: got %v, context %v", keys, err, ctx.Err())
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q: the question is still open", keys)
		}
		cancel()
	}
}
