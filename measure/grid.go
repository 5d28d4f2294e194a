package measure

import "time"

// A grid cuts a stream of windows into intervals. Intervals follow each other
// from the start of the first window. A reading ends with the window whose end
// is nearest to that of its interval, so that it is off by half a window at
// most, and never drifts however the mains do.
type grid struct {
	interval time.Duration
	current  int64     // number of the interval being filled
	windows  int64     // so far, lost ones too, as long as origin is not known
	origin   time.Time // where interval 0 begins
	last     time.Time // end of the last window
	resumed  bool      // the next window comes after a gap of unknown length
}

// settled is the age of a stream at which the times of windows are trusted.
// Before that windows are counted: as their times become known better they may
// move by more than the half window that decides about an interval.
const settled = 10 * time.Second

// resume says that the next window comes after a gap of unknown length.
func (g *grid) resume() { g.resumed = !g.last.IsZero() }

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
