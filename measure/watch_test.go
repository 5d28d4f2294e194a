package measure_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

// A remote is a source with the clock of another machine.
type remote struct{ measuretest.Source }

func (*remote) ClockError() time.Duration { return 3 * time.Millisecond }

// A worsening clock is known less well with each window.
type worsening struct {
	measuretest.Source
	asked int
}

func (w *worsening) ClockError() time.Duration {
	w.asked++
	return time.Duration(w.asked) * time.Millisecond
}

// TestWatchClockWorsens: the worst counts.
func TestWatchClockWorsens(t *testing.T) {
	src := &worsening{Source: measuretest.Source{Events: measuretest.Windows(time.Now(), 4, 20*time.Millisecond, 10)}}
	h := new(measure.History)
	w := measure.StartWatch(t.Context(), src, h)
	<-w.Context().Done()
	if _, err := w.Stop(); err != nil {
		t.Error(err)
	}
	if want := 5 * time.Millisecond; h.ClockError != want {
		t.Errorf("%v, want %v", h.ClockError, want)
	}
}

// TestWatchClock: the History of a watch knows how uncertain the clock of its source
// is, unless it is told better.
func TestWatchClock(t *testing.T) {
	for _, tt := range []struct {
		src         measure.Source
		known, want time.Duration
	}{
		{new(remote), 0, 3 * time.Millisecond},
		{new(remote), time.Millisecond, time.Millisecond},
		{new(measuretest.Source), 0, 0},
	} {
		h := &measure.History{ClockError: tt.known}
		if _, err := measure.StartWatch(t.Context(), tt.src, h).Stop(); err != nil {
			t.Error(err)
		}
		if h.ClockError != tt.want {
			t.Errorf("%T: %v, want %v", tt.src, h.ClockError, tt.want)
		}
	}
}

// A tardy source yields an event each pause, until its context ends.
type tardy struct {
	measuretest.Source
	pause time.Duration
}

func (s *tardy) Next() (meter.Event, error) {
	select {
	case <-time.After(s.pause):
		return s.Source.Next()
	case <-s.Context.Done():
		return meter.Event{}, s.Context.Err()
	}
}

// TestWatchSettles: what comes late is waited for while more of it comes, and what
// no longer comes is not.
func TestWatchSettles(t *testing.T) {
	for _, tt := range []struct {
		n       int // of the ten windows until the moment
		settled bool
		took    time.Duration
	}{
		{10, true, 10 * 1500 * time.Millisecond},
		{5, false, 10 * time.Second}, // no window from 8 s to 10 s
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			src := &tardy{pause: 1500 * time.Millisecond}
			src.Events, src.Context = measuretest.Windows(start, tt.n, 20*time.Millisecond, 10), ctx
			w := measure.StartWatch(ctx, src, new(measure.History))
			settled := w.Settle(ctx, start.Add(200*time.Millisecond), 2*time.Second)
			if took := time.Since(start); settled != tt.settled || took != tt.took {
				t.Errorf("%d windows: settled %v after %v, want %v after %v", tt.n, settled, took, tt.settled, tt.took)
			}
			cancel()
			if _, err := w.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A heldUp context is that of a process which gets no processor time just when it asks
// whether it is to end.
type heldUp struct {
	context.Context
	next time.Duration
}

func (h *heldUp) Err() error {
	time.Sleep(h.next)
	h.next = 0
	return h.Context.Err()
}

// TestWatchSettlesHeldUp: a time in which the process was held up is none in which
// nothing came.
func TestWatchSettlesHeldUp(t *testing.T) {
	for _, held := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			src := &tardy{pause: 2500 * time.Millisecond}
			src.Events, src.Context = measuretest.Windows(start, 1, 20*time.Millisecond, 10), ctx
			w := measure.StartWatch(ctx, src, new(measure.History))
			if settled := w.Settle(&heldUp{ctx, held}, start.Add(20*time.Millisecond), 2*time.Second); settled != (held > 0) {
				t.Errorf("held up for %v: settled %v", held, settled)
			}
			cancel()
			if _, err := w.Stop(); err != nil && held > 0 {
				t.Error(err)
			}
		})
	}
}
