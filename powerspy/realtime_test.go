package powerspy

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// frameText is a frame on the wire whose power is n counts.
func frameText(n int32) string {
	text, _ := Frame{Power: n}.AppendText([]byte("<")) // never an error
	return string(text) + ">\n\r"
}

// stream starts a real-time stream that the script has ready.
func stream(ctx context.Context, t *testing.T, c *Client) *Realtime {
	t.Helper()
	r, err := c.StartRealtime(ctx, 50)
	if err != nil {
		t.Fatalf("failed to start: %v", err)
	}
	return r
}

func wantFrames(t *testing.T, r *Realtime, powers ...int32) (arrivals []time.Time) {
	t.Helper()
	for _, n := range powers {
		f, err := r.Next(time.Now().Add(10 * time.Second))
		if err != nil || f.Power != n {
			t.Fatalf("unexpected frame: %+v, %v, want %d", f, err, n)
		}
		arrivals = append(arrivals, f.Arrival)
	}
	return arrivals
}

func TestStartRealtimeRequest(t *testing.T) {
	tests := []struct {
		g       Generation
		periods int
		request string
	}{
		{V1, 1, "<J01>"}, {V1, 50, "<J32>"}, {V1, 100, "<J64>"},
		{V2, 1, "<J0001>"}, {V2, 50, "<J0032>"}, {V2, 65535, "<JFFFF>"},
	}
	for _, tt := range tests {
		c := play(t, script(meets(tt.g), onWant(tt.request, "<K>"))...)
		before := time.Now()
		r, err := c.StartRealtime(t.Context(), tt.periods)
		if err != nil {
			t.Errorf("%s: failed to start: %v", tt.request, err)
			continue
		}
		sent, acknowledged := r.Began()
		if sent.Before(before) || acknowledged.Before(sent) || time.Now().Before(acknowledged) || r.Periods() != tt.periods {
			t.Errorf("%s: began between %v and %v with %d periods", tt.request, sent, acknowledged, r.Periods())
		}
	}
	for _, tt := range tests {
		for _, periods := range []int{-1, 0, tt.g.MaxPeriods() + 1} {
			if _, err := play(t, meets(tt.g)...).StartRealtime(t.Context(), periods); !errors.Is(err, ErrOutOfRange) {
				t.Errorf("%v: %d periods: unexpected error: %v, want %v", tt.g, periods, err, ErrOutOfRange)
			}
		}
	}
}

func TestRealtime(t *testing.T) {
	for chop := range 8 {
		c := playback{chop: chop, steps: script(
			onWant("<?>", frameText(-1)+frameText(-2)+"<"+v2Identity+">\n\r"), synced,
			onWant("<J0032>", frameText(-3)+"<K>\n\r"+frameText(1)+frameText(2)+frameText(-4)),
			onWant("<Q>", frameText(3)+frameText(4)+"<K>"),
			twice("<F>", "<F6C00>"),
		)}.start(t, nil)
		r := stream(t.Context(), t, c)
		wantFrames(t, r, 1, 2, -4)
		if _, err := c.Frequency(t.Context()); !errors.Is(err, ErrStreaming) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrStreaming)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Fatalf("failed to stop: %v", err)
		}
		if err := r.Stop(t.Context()); err != nil { // nothing may be sent
			t.Fatalf("failed to stop again: %v", err)
		}
		if _, err := r.Next(time.Time{}); !errors.Is(err, ErrStopped) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrStopped)
		}
		if n := r.Rejected(); n != 0 {
			t.Fatalf("%d frames rejected", n)
		}
		if _, err := c.Frequency(t.Context()); err != nil {
			t.Fatalf("failed after the stream: %v", err)
		}
	}
}

func TestRealtimeRejects(t *testing.T) {
	c := play(t, script(met, onWant("<J0032>", "<K>"+
		frameText(1)+
		strings.ToLower("<"+goldenFrame+">")+ // 1
		"<"+goldenFrame[:20]+ // 2: interrupted by
		frameText(2)+
		goldenFrame[20:]+">"+ // 3
		"<K>"+ // 4
		"<"+strings.Repeat(goldenFrame+" ", 20)+">"+ // 5
		"\n\r\x00noise"+
		frameText(3)))...)
	r := stream(t.Context(), t, c)
	for i, want := range []uint64{0, 2, 5} {
		wantFrames(t, r, int32(i+1))
		if got := r.Rejected(); got != want {
			t.Errorf("%d frames rejected before frame %d, want %d", got, i+1, want)
		}
	}
}

// Frames that come with one read have one arrival.
func TestRealtimeArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := frameText(4)
		c := play(t, script(met, onWant("<J0032>", "<K>"), []step{
			pause(time.Second), send(frameText(1) + frameText(2) + frameText(3) + whole[:10]),
			pause(time.Second), send(whole[10:]),
		})...)
		start := time.Now()
		r := stream(t.Context(), t, c)
		arrivals := wantFrames(t, r, 1, 2, 3, 4)
		for i, want := range []time.Duration{1, 1, 1, 2} {
			if got := arrivals[i].Sub(start); got != want*time.Second {
				t.Errorf("frame %d arrived after %v, want %v", i+1, got, want*time.Second)
			}
		}
	})
}

func TestRealtimeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := frameText(1)
		c := play(t, script(met, onWant("<J0032>", "<K>"), []step{
			pause(500 * time.Millisecond), send(whole[:7]),
			pause(time.Second), send(whole[7:] + frameText(2)),
		})...)
		r := stream(t.Context(), t, c)
		for range 2 {
			start := time.Now()
			_, err := r.Next(start.Add(700 * time.Millisecond))
			if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrNoAnswer) || took != 700*time.Millisecond {
				t.Fatalf("unexpected error after %v: %v", took, err)
			}
		}
		wantFrames(t, r, 1)
		// What is there comes whatever the deadline.
		if f, err := r.Next(past); err != nil || f.Power != 2 {
			t.Fatalf("unexpected frame: %+v, %v", f, err)
		}
		if _, err := r.Next(past); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("unexpected error: %v", err)
		}
	})
}

// The context governs the stream, and Stop works after its end.
func TestRealtimeContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(met, onWant("<J0032>", "<K>"), onWant("<Q>", frameText(1)+"<Z.>"), twice("<F>", "<F6C00>"))...)
		ctx, cancel := context.WithCancel(t.Context())
		r := stream(ctx, t, c)
		done := make(chan error)
		go func() {
			_, err := r.Next(time.Time{})
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("unexpected error: %v, want %v", err, context.Canceled)
		}
		if _, err := r.Next(time.Time{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("unexpected error: %v, want %v", err, context.Canceled)
		}
		if err := r.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("unexpected error: %v, want %v", err, context.Canceled)
		}
		if err := r.Stop(context.Background()); err != nil {
			t.Fatalf("failed to stop: %v", err)
		}
		if _, err := c.Frequency(context.Background()); err != nil {
			t.Fatalf("failed after the stream: %v", err)
		}
	})
}

func TestRealtimeInterrupted(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
		act   func(*Client, *Realtime) error
		want  error
	}{
		{"Realtime.Stop", onWant("<Q>", "<K>"), func(_ *Client, r *Realtime) error { return r.Stop(context.Background()) }, ErrStopped},
		{"Client.Stop", onWant("<Q>", "<K>"), func(c *Client, _ *Realtime) error { return c.Stop(context.Background()) }, ErrStopped},
		{"Close", nil, func(c *Client, _ *Realtime) error { return c.Close() }, ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := play(t, script(met, onWant("<J0032>", "<K>"), tt.steps)...)
				r := stream(t.Context(), t, c)
				done := make(chan error)
				go func() {
					_, err := r.Next(time.Time{})
					done <- err
				}()
				synctest.Wait()
				if err := tt.act(c, r); err != nil {
					t.Errorf("unexpected error: %v", err)
				}
				if err := <-done; !errors.Is(err, tt.want) {
					t.Errorf("unexpected error of Next: %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// A new client of a meter left streaming stops it even before it knows it.
func TestStopOfAnotherClientsStream(t *testing.T) {
	c := play(t, script(
		// The first <K> is the late answer to somebody else's request.
		onWant("<Q>", frameText(1)+"<K>"),
		onWant("<?>", frameText(2)+"<K>\n\r<"+v2Identity+">"),
		readsByte,
	)...)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatalf("failed to stop: %v", err)
	}
	var p [1]byte
	if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
		t.Fatalf("unexpected byte: %#02x, %v", p[0], err)
	}
}

func TestStopFailsAndIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(met, onWant("<J0032>", "<K>"),
			[]step{want("<Q>")}, onWant("<Q>", "<K>"), synced,
			onWant("<J0032>", "<K>"+frameText(1)))...)
		r := stream(t.Context(), t, c)
		if err := r.Stop(t.Context()); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrNoAnswer)
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Fatalf("failed to stop: %v", err)
		}
		again := stream(t.Context(), t, c)
		// The old stream is over: it may not stop the new one.
		if err := r.Stop(t.Context()); err != nil {
			t.Fatalf("failed to stop the old stream: %v", err)
		}
		wantFrames(t, again, 1)
	})
}

// An endlessLink is a meter that streams as fast as it is read.
type endlessLink struct {
	answers []string
	frames  string
}

func (l *endlessLink) Read(p []byte) (int, error) {
	if len(l.answers) > 0 {
		n := copy(p, l.answers[0])
		l.answers = l.answers[1:]
		return n, nil
	}
	return copy(p, l.frames), nil
}

func (l *endlessLink) Write(p []byte) (int, error)      { return len(p), nil }
func (l *endlessLink) Close() error                     { return nil }
func (l *endlessLink) SetReadDeadline(time.Time) error  { return nil }
func (l *endlessLink) SetWriteDeadline(time.Time) error { return nil }

var _ io.ReadWriteCloser = &endlessLink{}

func endless(tb testing.TB) *Realtime {
	tb.Helper()
	c := NewClient(&endlessLink{
		answers: []string{"<" + v2Identity + ">", "<" + v2Identity + ">", "<K>"},
		frames:  "<" + goldenFrame + ">\n\r",
	}, nil)
	r, err := c.StartRealtime(tb.Context(), 1)
	if err != nil {
		tb.Fatalf("failed to start: %v", err)
	}
	return r
}

func TestNextAllocs(t *testing.T) {
	r := endless(t)
	deadline := time.Now().Add(time.Hour)
	n := testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(deadline); err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
	})
	if n != 0 {
		t.Fatalf("%g allocations a frame, want none", n)
	}
}

func BenchmarkNext(b *testing.B) {
	r := endless(b)
	deadline := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(deadline); err != nil {
			b.Fatalf("unexpected error: %v", err)
		}
	}
}

// A start that was given up may have been heard: Stop puts that right.
func TestStartRealtimeUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(met,
			[]step{want("<J0032>"), pause(3 * time.Second), send("<K>" + frameText(1))},
			onWant("<Q>", frameText(2)+"<K>"),
			onWant("<?>", "<"+v2Identity+">"),
			onWant("<J0032>", "<Z>"),
			onWant("<J0032>", "<K>"+frameText(3)),
		)...)
		if _, err := c.StartRealtime(t.Context(), 50); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrNoAnswer)
		}
		<-time.After(5 * time.Second)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatalf("failed to stop: %v", err)
		}
		if _, err := c.StartRealtime(t.Context(), 50); !errors.Is(err, ErrRefused) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrRefused)
		}
		wantFrames(t, stream(t.Context(), t, c), 3)
	})
}

// Once a stream was stopped, its context is of no consequence.
func TestStopForgetsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(met, onWant("<J0032>", "<K>"), onWant("<Q>", "<K>"),
			[]step{want("<F>"), pause(time.Second), send("<F6C00>")}, onWant("<F>", "<F6C00>"))...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		r := stream(ctx, t, c)
		if err := r.Stop(t.Context()); err != nil {
			t.Fatalf("failed to stop: %v", err)
		}
		if _, err := c.Frequency(t.Context()); err != nil {
			t.Fatalf("failed after the stream: %v", err)
		}
	})
}

// A Stop that queues behind the start stops the stream that is just starting.
func TestStopQueuedBehindStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(met,
			[]step{want("<J0032>"), pause(time.Second), send("<K>")},
			onWant("<Q>", "<K>"))...)
		started := make(chan *Realtime)
		go func() {
			r, err := c.StartRealtime(t.Context(), 50)
			if err != nil {
				t.Errorf("failed to start: %v", err)
			}
			started <- r
		}()
		synctest.Wait()
		stopped := make(chan error)
		go func() { stopped <- c.Stop(t.Context()) }()
		r := <-started
		if err := <-stopped; err != nil {
			t.Errorf("failed to stop: %v", err)
		}
		if _, err := r.Next(time.Now().Add(time.Second)); !errors.Is(err, ErrStopped) {
			t.Errorf("unexpected error: %v, want %v", err, ErrStopped)
		}
	})
}

// The <K> that an unsynchronised client gets proves nothing by itself.
func TestStopIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(onWant("<Q>", "<K>"), []step{want("<?>")})...)
		if err := c.Stop(t.Context()); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrNoAnswer)
		}
	})
}

// TestFirstFrame: the first frame is marked and may be impossible, as it is on
// real meters; a later one that is impossible is damaged.
func TestFirstFrame(t *testing.T) {
	possible := Frame{VoltageSquare: 8003530, CurrentSquare: 2065147, Power: 1, VoltagePeak: 4009, CurrentPeak: 2741}
	bogus := possible
	bogus.VoltageSquare *= 50
	damaged := possible
	damaged.CurrentSquare = 2743 * 2743
	rounded := possible
	rounded.CurrentSquare = 2742 * 2742
	text := func(frames ...Frame) string {
		var b []byte
		for _, f := range frames {
			b, _ = f.AppendText(append(b, '<')) // always nil
			b = append(b, ">\n\r"...)
		}
		return string(b)
	}
	c := play(t, script(met, onWant("<J0032>", "<K>"+text(bogus, possible, damaged, bogus, rounded)))...)
	r := stream(t.Context(), t, c)
	for i, want := range []RealtimeFrame{{Frame: bogus, First: true}, {Frame: possible}, {Frame: rounded}} {
		got, err := r.Next(time.Now().Add(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got.Arrival.IsZero() {
			t.Errorf("frame %d arrived at no time", i)
		}
		got.Arrival = time.Time{}
		if got != want {
			t.Errorf("frame %d: %+v, want %+v", i, got, want)
		}
	}
	if n := r.Rejected(); n != 2 {
		t.Errorf("%d frames rejected, want 2", n)
	}
}
