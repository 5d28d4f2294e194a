package meter

import (
	"fmt"
	"math"
	"time"

	"powerspy2/powerspy"
)

// MinInterval is the shortest interval that can be asked for before the mains
// frequency is known: about one mains period at 60 Hz.
const MinInterval = 16 * time.Millisecond

// MaxInterval is the longest interval that can be asked for.
const MaxInterval = 24 * time.Hour

// maxWindow bounds the length of one averaging window: meters were seen to
// send nothing at all for windows over two seconds.
const maxWindow = time.Second

// CheckInterval checks what can be checked of an interval before the mains
// frequency is known: that it is from [MinInterval] to [MaxInterval]. Errors
// match [ErrInterval].
func CheckInterval(d time.Duration) error {
	if d >= MinInterval && d <= MaxInterval {
		return nil
	}
	return &Error{
		Kind: ErrInterval, Op: fmt.Sprintf("interval %v", d),
		Err:  fmt.Errorf("a reading lasts from one mains period (20ms at 50 Hz, 16.7ms at 60 Hz) to %v", MaxInterval),
		Next: "give an interval such as 20ms, 250ms or 1s",
	}
}

// checkWindows checks whether readings of an interval can be made of windows
// of so many mains periods.
func checkWindows(interval time.Duration, periods int, frequency float64, g powerspy.Generation) error {
	if most := min(g.MaxPeriods(), int(maxWindow.Seconds()*math.Round(frequency))); periods < 1 || periods > most {
		return &Error{
			Kind: ErrUsage, Op: fmt.Sprintf("averaging %d mains periods", periods),
			Err:  fmt.Errorf("a window of this meter can be 1 to %d periods", most),
			Next: "leave it out for windows of one period",
		}
	}
	// The mains wander by some tenths of a percent around their nominal
	// frequency: nobody who asks for 20 ms wants to hear that the period is 20.006 ms.
	window := float64(periods) / frequency
	if interval.Seconds() >= 0.95*window {
		return nil
	}
	shortest := "one mains period"
	if periods > 1 {
		shortest = fmt.Sprintf("one window of %d mains periods", periods)
	}
	return &Error{
		Kind: ErrInterval, Op: fmt.Sprintf("interval %v", interval),
		Err:  fmt.Errorf("the shortest is %s, which is %.4g ms here (%.4g Hz)", shortest, window*1e3, frequency),
		Next: fmt.Sprintf("give at least %vms", math.Ceil(window*1e3*0.97)),
	}
}

// A grid cuts a stream of windows into the intervals that a user asked for.
// Intervals follow each other from the start of the first window. A reading
// ends with the window whose end is nearest to that of its interval, so that
// it is off by half a window at most, and never drifts however the mains do.
type grid struct {
	interval time.Duration
	current  int64     // number of the interval being filled
	windows  int64     // so far, lost ones too, as long as origin is not known
	origin   time.Time // where interval 0 begins
	last     time.Time // end of the last window
	resumed  bool      // the next window comes after a gap of unknown length
}

// settled is the age of a stream at which the times of windows are trusted.
// Before that windows are counted: as their times become known better they
// move by more than the half window that decides about an interval.
const settled = 10 * time.Second

// resume begins, or goes on with another stream.
func (g *grid) resume(interval time.Duration) {
	g.interval = interval
	g.resumed = !g.last.IsZero()
}

// add takes in a window of the given end and length, after so many that were
// lost. It tells the number of its interval, whether that ends with it, and
// whether windows before it were lost from that interval. A reading under way
// has to be closed before if windows were lost.
func (g *grid) add(end time.Time, length time.Duration, lost int) (interval int64, ends, cut bool) {
	var at time.Duration // of the window's end, since the origin
	switch {
	case !g.origin.IsZero():
		at = end.Sub(g.origin)
	case g.resumed:
		// Too early for the first stream to have settled: its best knowledge.
		g.origin = g.last.Add(-time.Duration(g.windows) * length)
		at = end.Sub(g.origin)
	default:
		g.windows += 1 + int64(lost)
		at = time.Duration(g.windows) * length
		if at >= settled {
			g.origin = end.Add(-at)
		}
	}
	g.last = end
	if lost > 0 || g.resumed {
		g.resumed = false
		begin := at - length
		g.current = max(g.current, g.over(begin, length))
		cut = begin-time.Duration(g.current)*g.interval >= length/2
	}
	interval = g.current
	g.current = max(interval, g.over(at, length))
	return interval, g.current > interval, cut
}

// over returns how many intervals are over for a window that ends at the
// given time since the origin, or begins there.
func (g *grid) over(at, length time.Duration) int64 {
	return int64((at + length/2) / g.interval)
}
