package timebase

import (
	"math"
	"time"
)

// An output is a sequence of windows that was given out.
//
// What was given out is not taken back. A window that is now known to have been
// left out earlier, unnoticed, is told with the next one. One that was told to be
// left out although it was only late has no place when it comes: what was told
// stands there. It is surplus, and the windows after it are in their places.
type output struct {
	end time.Time // of the last window that was not surplus
	any bool
}

const (
	// mostLeftOut bounds what is told at once.
	mostLeftOut = math.MaxInt32

	// leastRoom is the share of a window from which a place is one.
	leastRoom = 0.5
)

// place returns the window of a frame that arrived at y, of which so much is
// known.
func (o *output) place(f *Filter, b belief, y float64) Window {
	slot := b.mode()
	_, length := f.mains.estimate()
	w := Window{
		// No frame comes before its window has ended.
		End:       f.at(min(f.moment(slot), y) - f.offset),
		Length:    seconds(length),
		Frequency: f.periods / length,
		Error:     seconds(math.Hypot(f.mains.sigma(float64(slot-f.top)), math.Sqrt(b.spread(slot))*length)),
	}
	windows := w.End.Sub(o.end).Seconds() / length // since the one before
	switch {
	case !o.any:
		o.any = true
		w.Start = w.End.Add(-w.Length)
		if w.Start.Before(f.began) {
			// The grid is still uncertain, and may be before the stream.
			w.Start = f.began
			w.End = latest(w.End, f.began.Add(1))
		}
	case windows < leastRoom:
		w.Start, w.End, w.Surplus = o.end, o.end, true
	default:
		w.LeftOut = int(min(max(math.Round(windows)-1, 0), mostLeftOut))
		w.Start = o.end
		if w.LeftOut > 0 {
			w.Start = latest(w.End.Add(-w.Length), o.end)
		}
	}
	o.end = w.End
	w.Delay = f.at(y).Sub(w.End)
	return w
}

// latest returns the later of two times.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
