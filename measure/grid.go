package measure

import "time"

// A grid cuts a stream of windows into intervals. Intervals follow each other
// from the start of the first window. A reading ends with the window whose end
// is nearest to that of its interval, so that it is off by half a window at
// most, and never drifts however the mains do.
//
// Windows are counted, and the count follows their times slowly: those of single
// windows are corrected by some milliseconds now and then, and readings as short
// as windows would now and then have two of them, or none.
type grid struct {
	interval time.Duration
	current  int64         // number of the interval being filled
	at       time.Duration // end of the last window, since interval 0 began
	off      time.Duration // by how much its times are later than that, smoothed
	origin   time.Time     // where interval 0 begins; zero: not known yet
	last     time.Time     // end of the last window
	resumed  bool          // the next window comes after a gap of unknown length
}

const (
	// settled is the age of a stream at which the times of windows are trusted.
	// Before that they are only counted.
	settled = 10 * time.Second

	// follow is how fast the count follows the times.
	follow = 2 * time.Second
)

// resume says that the next window comes after a gap of unknown length.
func (g *grid) resume() { g.resumed = !g.last.IsZero() }

// add takes in a window of the given end and length, after so many that were
// lost. It tells the number of its interval, whether that ends with it, and
// whether windows before it were lost from that interval. A reading under way
// has to be closed before if windows were lost.
func (g *grid) add(end time.Time, length time.Duration, lost int) (interval int64, ends, cut bool) {
	if g.resumed && g.origin.IsZero() {
		// Too early for the first stream to have settled: its best knowledge.
		g.origin = g.last.Add(-g.at)
	}
	g.at += time.Duration(1+lost) * length
	switch {
	case g.resumed:
		g.at, g.off = end.Sub(g.origin), 0
	case !g.origin.IsZero():
		g.correct(end, length)
	case g.at >= settled:
		g.origin = end.Add(-g.at)
	}
	g.last = end
	if lost > 0 || g.resumed {
		g.resumed = false
		begin := g.at - length
		g.current = max(g.current, g.over(begin, length))
		cut = begin-time.Duration(g.current)*g.interval >= length/2
	}
	interval = g.current
	g.current = max(interval, g.over(g.at, length))
	return interval, g.current > interval, cut
}

// correct lets the count follow the time of a window that ended. Where intervals
// are as short as windows the count may be off by some of one, since there the
// least correction to and fro would leave an interval without an end.
func (g *grid) correct(end time.Time, length time.Duration) {
	free := time.Duration(0)
	if g.interval < 3*length/2 {
		free = length / 8
	}
	g.off += time.Duration(float64(end.Sub(g.origin)-g.at-g.off) * min(float64(length)/float64(follow), 1))
	by := g.off - min(max(g.off, -free), free)
	g.at += by
	g.off -= by
}

// over returns how many intervals are over for a window that ends at the
// given time since the origin, or begins there.
func (g *grid) over(at, length time.Duration) int64 {
	return int64((at + length/2) / max(g.interval, 1)) // of no interval: each window
}
