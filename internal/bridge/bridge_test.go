package bridge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// run bridges to a simulated meter until the test ends.
func run(t *testing.T, spec string) (*Bridge, *sim.Meter) {
	t.Helper()
	m := simulated(t, spec)
	b := &Bridge{
		Dial:   func(ctx context.Context) (powerspy.Link, error) { return m.Dial(ctx) },
		Report: func(text string) { t.Log(text) },
	}
	keep(t, b)
	return b, m
}

// keep keeps a link until the test ends.
func keep(t *testing.T, b *Bridge) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Link(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Link: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	synctest.Wait()
}

// client connects a client; leave makes it go away.
func client(t *testing.T, b *Bridge) (c net.Conn, leave func()) {
	t.Helper()
	c, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- b.Client(context.Background(), far) }()
	var once sync.Once
	leave = func() {
		once.Do(func() {
			_ = c.Close()
			if err := <-done; err != nil {
				t.Errorf("Client: %v", err)
			}
		})
	}
	t.Cleanup(leave)
	return c, leave
}

func ask(t *testing.T, c io.Writer, r *bufio.Reader, request string) string {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return frame(t, r)
}

func frame(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('>')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimLeft(s, "\n\r")
}

// The client of a stream reads on when the link breaks, and hears no <K>.
func TestStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := run(t, "delay=0s,jitter=0s,stall=0,serial=1,drop=5s")
		c, leave := client(t, b)
		r := bufio.NewReader(c)
		if got := ask(t, c, r, "<V00>"); got != "<01>" {
			t.Errorf("EEPROM: %q", got)
		}
		if got := ask(t, c, r, "<J0032>"); got != "<K>" {
			t.Errorf("start: %q", got)
		}
		begun := time.Now()
		for n := range 20 {
			if got := frame(t, r); !isFrame(got) {
				t.Errorf("%d: %q", n, got)
			}
		}
		// Twice in these 20 s the link broke; each costs up to some 2 s.
		if d := time.Since(begun); d < 22*time.Second || d > 45*time.Second {
			t.Errorf("20 frames took %v", d)
		}
		leave()
		synctest.Wait()
		if m.Measuring() {
			t.Error("the client's stream was left running")
		}
	})
}

func isFrame(s string) bool {
	_, err := powerspy.ParseFrame([]byte(strings.Trim(s, "<>")))
	return err == nil
}

// What is asked while there is no link never reaches the meter.
func TestStaleRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := run(t, "delay=0s,jitter=0s,stall=0,serial=1,away=1s/10s")
		c, _ := client(t, b)
		time.Sleep(2 * time.Second)
		if _, err := io.WriteString(c, "<J0032>"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if m.Measuring() {
			t.Error("a stale request reached the meter")
		}
		if got := ask(t, c, bufio.NewReader(c), "<V00>"); got != "<01>" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

// A client that does not read blocks nothing, and sees whole frames later.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := run(t, "delay=0s,jitter=0s,stall=0")
		c, _ := client(t, b)
		r := bufio.NewReader(c)
		ask(t, c, r, "<J0001>")
		time.Sleep(10 * time.Minute) // 30000 frames of 41 bytes
		for range 8000 {
			if got := frame(t, r); !isFrame(got) {
				t.Fatalf("%q", got)
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.slow {
			t.Error("nothing was dropped")
		}
	})
}

func TestSwallower(t *testing.T) {
	for in, want := range map[string]string{
		"<K>\n\r<00>": "\n\r<00>", "<00><K><K>": "<00><K>", "<<K>a": "<a", "<KK>": "<KK>", "<00><Z><Z>": "<00><Z>", "<K.>": "<K.>",
	} {
		for _, step := range []int{1, 2, len(in)} {
			var s swallower
			got := ""
			for p := in; p != ""; {
				n := min(step, len(p))
				got += string(s.filter([]byte(p[:n])))
				p = p[n:]
			}
			if got != want {
				t.Errorf("%q by %d: %q, want %q", in, step, got, want)
			}
		}
	}
}
