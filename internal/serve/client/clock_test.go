package client

import (
	"testing"
	"time"
)

// TestSleep: a machine that slept has lost time, and a server whose clock was set has
// not; windows go by the clock that they began with.
func TestSleep(t *testing.T) {
	const step = 100 * time.Second
	for _, slept := range []bool{true, false} {
		c := newClock()
		wall := c.origin.Round(0)
		c.add(exchange{at: 0, ahead: time.Second, round: time.Millisecond}, 0)
		later := 10 * time.Second
		var went time.Duration
		if slept {
			went = step
		}
		c.add(exchange{at: later, ahead: time.Second + step, round: time.Millisecond}, went)
		want := map[bool]time.Duration{true: 0, false: step}[slept]
		if c.set != want {
			t.Errorf("slept %v: windows are taken to be %v behind, want %v", slept, c.set, want)
		}
		server := wall.Add(later + time.Second + step)
		if got := c.local(server).Sub(c.origin); (got - later - want).Abs() > time.Millisecond {
			t.Errorf("slept %v: a window is placed after %v, want %v", slept, got, later+want)
		}
	}
}
