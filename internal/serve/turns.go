package serve

import (
	"sync"
	"time"
)

// turns are the times at which this machine's clock was set, where windows did not
// follow: they go on by the clock before, so that no time comes twice. Who asks for the
// energy since a moment means the clock as it was then.
type turns struct {
	mu   sync.Mutex
	list []turn    // the oldest first
	seen time.Time // when the last window came, with a monotonic reading
}

// A turn is since when times of windows are ahead of the clock by so much.
type turn struct {
	at    time.Time // by the clock; of the first one zero
	ahead time.Duration
}

const (
	// maxTurns is how many are remembered.
	maxTurns = 100

	// leastTurn is less than clocks are set by, and more than windows are placed anew
	// by where a measurement begins.
	leastTurn = time.Millisecond
)

// window takes note of a window that has just come: its end as the meter's stream has
// it, and what the feed has added to that.
func (t *turns) window(end time.Time, shift time.Duration) {
	now := time.Now()
	// One is by the monotonic clock, where the window has a reading of it.
	t.turn(now, now.Sub(end)-now.Round(0).Sub(end.Round(0))+shift)
}

// turn is window for what was found.
func (t *turns) turn(now time.Time, ahead time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch n := len(t.list); {
	case n == 0:
		t.list = append(t.list, turn{ahead: ahead})
	case (ahead - t.list[n-1].ahead).Abs() >= leastTurn:
		if n == maxTurns {
			t.list = t.list[:copy(t.list, t.list[1:])]
		}
		t.list = append(t.list, turn{at: now.Round(0).Add(-now.Sub(t.seen)), ahead: ahead})
	}
	t.seen = now
}

// placed returns the time of windows at a moment of the clock: of the last one, where
// the clock has shown it twice, but for moments that are still to come.
func (t *turns) placed(clock, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) == 0 {
		return clock
	}
	until := now
	for i := len(t.list) - 1; i >= 0; i-- {
		k := &t.list[i]
		if !clock.Before(k.at) && !clock.After(until) {
			return clock.Add(k.ahead)
		}
		if i > 0 {
			until = k.at.Add(k.ahead - t.list[i-1].ahead) // by the clock before
		}
	}
	for i := len(t.list) - 1; i > 0; i-- {
		if k := &t.list[i]; !clock.Before(k.at) {
			return clock.Add(k.ahead)
		}
	}
	return clock.Add(t.list[0].ahead)
}

// shown returns what the clock showed at a time of windows.
func (t *turns) shown(placed time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.list) - 1; i >= 0; i-- {
		if k := &t.list[i]; i == 0 || !placed.Before(k.at.Add(k.ahead)) {
			return placed.Add(-k.ahead)
		}
	}
	return placed
}
