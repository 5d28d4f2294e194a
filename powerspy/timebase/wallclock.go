package timebase

import "time"

// A WallClock notices steps of the wall clock against the monotonic clock: it
// was set, or the machine slept, which stops the monotonic clock on Linux.
// Gradual corrections, as of an NTP daemon, move both clocks. The zero value
// is ready to use.
type WallClock struct {
	origin time.Time
	wall   time.Time     // at the last report, or at first
	mono   time.Duration // since origin
}

// smallestStep is the step that is worth a report. Times are read from both
// clocks within microseconds.
const smallestStep = 50 * time.Millisecond

// Step returns how far the wall clock has been moved since the last step that
// was returned, forward if positive, or 0 if by no more than 50 ms. now comes
// straight from time.Now, such as the arrival of a frame.
func (w *WallClock) Step(now time.Time) time.Duration {
	if w.origin.IsZero() {
		w.origin = now
	}
	return w.step(now.Round(0), now.Sub(w.origin))
}

// step is Step for a wall clock and a monotonic clock.
func (w *WallClock) step(wall time.Time, mono time.Duration) time.Duration {
	if w.wall.IsZero() {
		w.wall, w.mono = wall, mono
		return 0
	}
	step := wall.Sub(w.wall) - (mono - w.mono)
	if step.Abs() <= smallestStep {
		return 0
	}
	w.wall, w.mono = wall, mono
	return step
}
