package powerspy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func identified(t *testing.T, c *Client) {
	t.Helper()
	if _, err := c.Identity(context.Background()); err != nil {
		t.Fatalf("failed to identify: %v", err)
	}
}

// An answer that comes after its request was given up must not become the
// answer to the next.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(synced,
			[]step{want("<V0E>"), pause(3 * time.Second), send("<11>\n\r")},
			synced,
			readsByte,
		)...)
		var p [1]byte
		if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrNoAnswer)
		}
		<-time.After(5 * time.Second)
		if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
			t.Fatalf("unexpected byte: %#02x, %v", p[0], err)
		}
	})
}

// The same when it comes between the request that synchronises and its answer,
// and when the answer that came late is an identity.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(
			[]step{want("<?>"), pause(DefaultTimeout + 1)},
			[]step{want("<?>"), pause(DefaultTimeout + 1), send("<" + v2Identity + ">")},
			[]step{want("<?>")},
			// The answer to the second ? is taken for that to the third.
			[]step{want("<?>"), send("<" + v2Identity + ">"), want("<V0E>"), send("<" + v2Identity + "><6C>"), pause(0)},
			onWant("<V0E>", "<6C>"),
			twice("<V0F>", "<02>"),
		)...)
		for range 2 {
			if _, err := c.Identity(t.Context()); !errors.Is(err, ErrNoAnswer) {
				t.Fatalf("unexpected error: %v, want %v", err, ErrNoAnswer)
			}
			<-time.After(time.Second)
		}
		identified(t, c)
		var p [2]byte
		if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p != [2]byte{0x6C, 0x02} {
			t.Fatalf("unexpected bytes: % X, %v", p, err)
		}
	})
}

// Whatever ends a request early leaves the client unsynchronised.
func TestSynchronisesAgain(t *testing.T) {
	tests := []struct {
		name   string
		answer []step
		ctx    time.Duration
	}{
		{name: "no answer"},
		{name: "not understood", answer: []step{send("<K>")}},
		{name: "context", ctx: time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answered := twice("<F>", "<F6C00>")
				c := play(t, script(met, []step{want("<F>")}, tt.answer, synced, answered, onWant("<F>", "<Z>"), answered)...)
				ctx := t.Context()
				if tt.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
					defer cancel()
				}
				if _, err := c.Frequency(ctx); err == nil {
					t.Fatal("no error")
				}
				if _, err := c.Frequency(t.Context()); err != nil {
					t.Fatalf("failed afterwards: %v", err)
				}
				// A refusal is an answer and needs nothing.
				if _, err := c.Frequency(t.Context()); !errors.Is(err, ErrRefused) {
					t.Fatalf("unexpected error: %v, want %v", err, ErrRefused)
				}
				if _, err := c.Frequency(t.Context()); err != nil {
					t.Fatalf("failed after a refusal: %v", err)
				}
			})
		})
	}
}

// A context that has ended before anything was sent costs nothing.
func TestContextBefore(t *testing.T) {
	c := play(t, script(met, twice("<F>", "<F6C00>"))...)
	identified(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Frequency(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("unexpected error: %v, want %v", err, context.Canceled)
	}
	if _, err := c.Frequency(t.Context()); err != nil {
		t.Fatalf("failed afterwards: %v", err)
	}
}

func TestContextDuring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, want("<?>"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := c.Identity(ctx)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		cancel()
		err := <-done
		if !errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 0 {
			t.Fatalf("unexpected error after %v: %v, want %v", time.Since(start), err, context.Canceled)
		}
	})
}

func TestContextWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, want("<?>"))
		first, second := make(chan error), make(chan error)
		go func() {
			_, err := c.Identity(context.Background())
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			_, err := c.Identity(ctx)
			second <- err
		}()
		if err := <-second; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) {
			t.Errorf("unexpected error: %v, want %v", err, context.DeadlineExceeded)
		}
		if err := <-first; !errors.Is(err, ErrNoAnswer) {
			t.Errorf("unexpected error: %v, want %v", err, ErrNoAnswer)
		}
	})
}

// A gatedLink holds up whoever sets a deadline in the past.
type gatedLink struct {
	net.Conn
	entered, gate chan struct{}

	mu   sync.Mutex // guards last
	last time.Time  // read deadline
}

func (l *gatedLink) SetReadDeadline(t time.Time) error {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last = t
	}()
	if t.Equal(past) {
		close(l.entered)
		<-l.gate
	}
	return l.Conn.SetReadDeadline(t)
}

// A cancellation that comes together with the answer must not hit the next
// request: the first may not return while its watcher can still act.
func TestLateCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, meter := net.Pipe()
		l := &gatedLink{Conn: host, entered: make(chan struct{}), gate: make(chan struct{})}
		c := NewClient(l, nil)
		answer := func() {
			if _, err := io.ReadFull(meter, make([]byte, len("<?>"))); err != nil {
				t.Errorf("failed to read: %v", err)
			}
		}
		reply := func() {
			if _, err := io.WriteString(meter, "<"+v2Identity+">"); err != nil {
				t.Errorf("failed to write: %v", err)
			}
		}
		go func() {
			for range 2 {
				answer()
				reply()
			}
		}()
		identified(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.Identity(ctx)
			done <- err
		}()
		answer()
		cancel()
		<-l.entered // the watcher is at work, and the answer arrives
		reply()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("the request returned before its watcher: %v", err)
		default:
		}
		close(l.gate)
		synctest.Wait()
		l.mu.Lock()
		if !l.last.IsZero() {
			t.Errorf("the request left a deadline behind: %v", l.last)
		}
		l.mu.Unlock()
		go func() {
			answer()
			reply()
		}()
		if _, err := c.Identity(context.Background()); err != nil {
			t.Errorf("the next request failed: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("failed to close: %v", err)
		}
	})
}

// The same by brute force, in real time.
func TestCancellationRace(t *testing.T) {
	c := respond(t, func(string) string { return "<" + v2Identity + ">\n\r" })
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(cancel)
		if _, err := c.Identity(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("unexpected error: %v", err)
		}
		if _, err := c.Identity(context.Background()); err != nil {
			t.Fatalf("a cancellation hit the next request: %v", err)
		}
		wg.Wait()
	}
}

func TestConcurrentRequests(t *testing.T) {
	c := respond(t, func(request string) string {
		switch {
		case request == "<?>":
			return "<" + v2Identity + ">"
		case request == "<F>":
			return "<F6C00>\n\r"
		case strings.HasPrefix(request, "<V"):
			return "<" + request[2:4] + ">" // each byte holds its address
		}
		return "<Z>"
	})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			p := make([]byte, 8)
			if err := c.ReadEEPROM(t.Context(), uint8(i), p); err != nil {
				t.Errorf("failed to read: %v", err)
			}
			for j, b := range p {
				if int(b) != i+j {
					t.Errorf("address %#02x holds %#02x", i+j, b)
				}
			}
			if f, err := c.Frequency(t.Context()); f != 50 || err != nil {
				t.Errorf("unexpected frequency: %g, %v", f, err)
			}
		})
	}
	wg.Wait()
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, want("<?>"))
		errs := make(chan error, 2)
		for range 2 { // one reads, one is queued
			go func() {
				_, err := c.Identity(context.Background())
				errs <- err
			}()
		}
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Fatalf("failed to close: %v", err)
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrClosed) || !errors.Is(err, os.ErrClosed) || errors.Is(err, ErrLink) {
				t.Errorf("unexpected error: %v, want %v", err, ErrClosed)
			}
		}
		if err := c.Close(); err != nil {
			t.Errorf("failed to close again: %v", err)
		}
		if _, err := c.Identity(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("unexpected error: %v, want %v", err, ErrClosed)
		}
	})
}

func TestTrace(t *testing.T) {
	type traced struct {
		Dir   string
		Bytes string
	}
	var got []traced
	cfg := &Config{Trace: func(dir Direction, p []byte) { got = append(got, traced{dir.String(), string(p)}) }}
	c := playback{steps: []step{
		want("<?>"), send("\n\r<K>"), send("<" + v2Identity + ">\n\r"),
		want("<V0E>"), send("<Z>"),
	}}.start(t, cfg)
	if err := c.ReadEEPROM(t.Context(), 0x0E, make([]byte, 1)); !errors.Is(err, ErrRefused) {
		t.Fatalf("unexpected error: %v, want %v", err, ErrRefused)
	}
	want := []traced{
		{"sent", "<?>"}, {"received", "\n\r<K>"}, {"received", "<" + v2Identity + ">\n\r"},
		{"sent", "<V0E>"}, {"received", "<Z>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("unexpected trace (-want +got):\n%s", diff)
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := playback{steps: []step{want("<?>")}}.start(t, &Config{Timeout: 300 * time.Millisecond})
		start := time.Now()
		if _, err := c.Identity(t.Context()); !errors.Is(err, ErrNoAnswer) || time.Since(start) != 300*time.Millisecond {
			t.Fatalf("unexpected error after %v: %v", time.Since(start), err)
		}
	})
}

// The meter's chatter does not extend the time it has to answer.
func TestTimeoutUnderChatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, meter := net.Pipe()
		c := NewClient(host, nil)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			if _, err := io.ReadFull(meter, make([]byte, 3)); err != nil {
				t.Errorf("failed to read: %v", err)
			}
			for {
				<-time.After(20 * time.Millisecond)
				if _, err := io.WriteString(meter, "<"+goldenFrame+">\n\r"); err != nil {
					return
				}
			}
		})
		start := time.Now()
		if _, err := c.Identity(t.Context()); !errors.Is(err, ErrNoAnswer) || time.Since(start) != DefaultTimeout {
			t.Errorf("unexpected error after %v: %v", time.Since(start), err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("failed to close: %v", err)
		}
	})
}

func TestStrings(t *testing.T) {
	tests := []struct {
		got, want string
	}{
		{Sent.String(), "sent"}, {Received.String(), "received"}, {Direction(9).String(), "Direction(9)"},
		{V1.String(), "V1"}, {V2.String(), "V2"}, {Generation(9).String(), "Generation(9)"},
		{Ready.String(), "ready"}, {Waiting.String(), "waiting for trigger"}, {Acquiring.String(), "acquiring"},
		{Complete.String(), "capture complete"}, {Streaming.String(), "streaming"}, {Status('X').String(), "Status('X')"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("unexpected text: %s, want %s", tt.got, tt.want)
		}
	}
}

// What was there before a request cannot be its answer.
func TestDiscardsEarlierBytes(t *testing.T) {
	c := play(t, script(met,
		onWant("<F>", "<F6C00>\n\r"), onWant("<F>", "<F6C00>\n\r<11><22><3"),
		onWant("<V0E>", "3><6C>"), onWant("<V0E>", "<6C>"),
	)...)
	if _, err := c.Frequency(t.Context()); err != nil {
		t.Fatalf("failed to read the frequency: %v", err)
	}
	var p [1]byte
	if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
		t.Fatalf("unexpected byte: %#02x, %v", p[0], err)
	}
}

// A hastyLink has its hook called when a deadline is about to be set, once.
type hastyLink struct {
	net.Conn
	hook func()
}

func (l *hastyLink) SetReadDeadline(t time.Time) error {
	if hook := l.hook; hook != nil && !t.Equal(past) {
		l.hook = nil
		hook()
	}
	return l.Conn.SetReadDeadline(t)
}

// A cancellation is not lost if its watcher acts just before the deadline of
// the request, or of the stream, is set over its own.
func TestEarlyCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, meter := net.Pipe()
		l := &hastyLink{Conn: host}
		c := NewClient(l, nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, s := range script(met, onWant("<J0032>", "<K>")) {
				if _, err := io.ReadFull(meter, make([]byte, len(s.want))); err != nil {
					t.Errorf("failed to read: %v", err)
				}
				if _, err := io.WriteString(meter, s.send); err != nil {
					t.Errorf("failed to write: %v", err)
				}
			}
		})
		arm := func() context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			l.hook = func() {
				cancel()
				synctest.Wait() // for the watcher
			}
			return ctx
		}

		start := time.Now()
		if _, err := c.Identity(arm()); !errors.Is(err, context.Canceled) {
			t.Errorf("unexpected error: %v, want %v", err, context.Canceled)
		}
		ctx := arm()
		hook := l.hook // for Next, not for the start
		l.hook = nil
		r, err := c.StartRealtime(ctx, 50)
		if err != nil {
			t.Fatalf("failed to start: %v", err)
		}
		l.hook = hook
		if _, err := r.Next(start.Add(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Errorf("unexpected error of Next: %v, want %v", err, context.Canceled)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		if err := c.Close(); err != nil {
			t.Errorf("failed to close: %v", err)
		}
		wg.Wait()
	})
}
