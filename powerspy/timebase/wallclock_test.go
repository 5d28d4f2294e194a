package timebase

import (
	"testing"
	"time"
)

func TestWallClock(t *testing.T) {
	const ms = time.Millisecond
	start := time.Date(2024, 3, 31, 0, 59, 0, 0, time.UTC)
	steps := []struct {
		name             string
		wall, mono, want time.Duration // the clocks advance by so much
	}{
		{"first look", 0, 0, 0},
		{"nothing", 20 * ms, 20 * ms, 0},
		{"jitter between the readings", 21 * ms, 20 * ms, 0},
		{"forward", 20*ms + time.Second, 20 * ms, 1001 * ms},
		{"after it", 20 * ms, 20 * ms, 0},
		{"back", 20*ms - time.Hour, 20 * ms, -time.Hour},
		{"a little", 40 * ms, 0, 0},
		{"little by little", 40 * ms, 0, 80 * ms},
		{"just the limit", 50 * ms, 0, 0},
		{"sleep", 8 * time.Hour, 10 * ms, 8*time.Hour + 40*ms},
		{"silence", time.Hour, time.Hour, 0},
	}
	var w WallClock
	wall, mono := start, time.Duration(0)
	for _, s := range steps {
		wall, mono = wall.Add(s.wall), mono+s.mono
		if got := w.step(wall, mono); got != s.want {
			t.Errorf("%s: step of %v, want %v", s.name, got, s.want)
		}
	}
}

// Both clocks of a real time are taken apart, so that times that stand still
// or lack a monotonic reading make no step.
func TestWallClockStep(t *testing.T) {
	var w WallClock
	now := time.Now()
	for _, d := range []time.Duration{0, time.Second, time.Hour} {
		if got := w.Step(now.Add(d)); got != 0 {
			t.Errorf("step of %v after %v", got, d)
		}
	}
	// Without its monotonic reading a time differs from now by the wall clock
	// alone.
	if got := w.Step(now.Round(0).Add(2 * time.Hour)); got.Abs() > smallestStep {
		t.Errorf("step of %v", got)
	}
}
