package timebase

import (
	"math"
	"time"
)

// An output is a sequence of windows that was given out.
//
// What was given out is not taken back. A window that is now known to have been
// left out earlier, unnoticed, is told with the next one. One that was told to be
// left out although it was not leaves no room for its successor: that one has
// its right end, which is the end of the one before, and is as good as without
// extent; and the next window that really was left out is not told, so that
// counts come right again.
type output struct {
	end    time.Time // of the last window
	moment float64   // where that is on the grid: seconds
	any    bool
	extra  int // windows told that were none
}

// mostLeftOut bounds what is told at once.
const mostLeftOut = math.MaxInt32

// place returns the window of a frame that arrived at y, of which so much is
// known.
func (o *output) place(f *Filter, b belief, y float64) Window {
	slot := b.mode()
	moment := f.moment(slot)
	_, length := f.mains.estimate()
	w := Window{
		Length:    seconds(length),
		Frequency: f.periods / length,
		Error:     seconds(math.Hypot(f.mains.sigma(float64(slot-f.top)), math.Sqrt(b.spread(slot))*length)),
	}
	// No frame comes before its window has ended.
	moment = min(moment, y)
	w.End = f.at(moment - f.offset)
	steps := 1.
	if o.any {
		steps = math.Round((moment - o.moment) / length)
		o.moment = max(moment, o.moment)
	} else {
		o.moment, o.end, o.any = moment, f.began, true
	}
	if !w.End.After(o.end) {
		w.End = o.end.Add(1)
	}
	left := int(min(max(steps-1, -1), mostLeftOut))
	paid := min(o.extra, left)
	o.extra -= paid
	w.LeftOut = max(left-paid, 0)
	w.Start = o.end
	if w.LeftOut > 0 || w.Start.IsZero() || w.Start.Equal(f.began) {
		w.Start = w.End.Add(-w.Length)
		if w.Start.Before(o.end) {
			w.Start = o.end
		}
	}
	o.end = w.End
	w.Delay = f.at(y).Sub(w.End)
	return w
}
