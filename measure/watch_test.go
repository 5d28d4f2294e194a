package measure_test

import (
	"testing"
	"time"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
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
