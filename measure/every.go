package measure

import (
	"time"

	"powerspy2/meter"
)

// An Every is a sink that gathers windows into readings of an interval and hands
// them on, along with gaps and statuses, in their order. Readings end with the
// window nearest to the end of their interval and never drift. What a gap cuts
// off comes before it, as a partial reading.
//
// Set the exported fields before its first event. Several of them may share one
// stream: each gives the readings that it would give alone.
type Every struct {
	// Interval is the length of a reading, from one window to
	// [meter.MaxInterval]. A shorter one makes a reading of each window.
	Interval time.Duration

	// Out takes the readings, gaps and statuses. The event is the Every's own and
	// valid during the call. An error ends the measurement, [Done] without being
	// one.
	Out func(*Event) error

	// Count ends the measurement after so many readings; 0: does not.
	Count uint64

	// Duration ends it when so much time has been measured, gaps not counted, be
	// it in the midst of an interval; 0: does not.
	Duration time.Duration

	grid     grid
	sum      sum
	lost     int // windows in gaps before the next window
	readings uint64
	measured time.Duration
	event    Event // kept, so that handing it on makes no garbage
}

var _ Sink = (*Every)(nil)

// Event implements [Sink]. Errors are those of Out, and [Done].
func (v *Every) Event(e *meter.Event) error {
	switch e.Kind {
	case meter.WindowEvent:
		return v.window(&e.Window)
	case meter.GapEvent:
		return v.gap(e.Gap)
	case meter.StatusEvent:
		if e.Status.Phase == meter.Stalled {
			if err := v.cut(); err != nil {
				return err
			}
		}
		v.event = Event{Kind: StatusEvent, Status: e.Status}
		return v.out()
	}
	return nil
}

// End implements [Sink]: an unfinished reading is handed on as a partial one.
func (v *Every) End() error { return v.cut() }

func (v *Every) window(w *meter.Window) error {
	v.grid.interval = v.Interval
	v.sum.add(w)
	v.measured += w.Length
	interval, ends, cut := v.grid.add(w.End, w.Length, v.lost)
	v.lost = 0
	v.sum.interval, v.sum.ends = interval, ends
	v.sum.partial = v.sum.partial || cut
	if ends {
		if err := v.flush(); err != nil {
			return err
		}
	}
	if v.enough(w.Length, ends) {
		return Done
	}
	return nil
}

// enough reports whether all has been measured that was asked for. A last
// reading that is whole may end a window before or after the duration does.
func (v *Every) enough(window time.Duration, ended bool) bool {
	if v.counted() {
		return true
	}
	if v.Duration == 0 {
		return false
	}
	left := v.Duration - v.measured
	if ended {
		return left < min(3*window/2, v.Interval/2)
	}
	whole := v.sum.length+3*window/2 >= v.Interval // with the next window
	return left <= window/2 && !whole || left <= -window/2
}

func (v *Every) gap(g meter.Gap) error {
	if err := v.cut(); err != nil {
		return err
	}
	if g.Windows > 0 {
		v.lost += g.Windows
	} else {
		v.grid.resume()
	}
	v.event = Event{Kind: GapEvent, Gap: g}
	return v.out()
}

// out hands on what is no reading, before which the last one may have come.
func (v *Every) out() error {
	if err := v.Out(&v.event); err != nil {
		return err
	}
	if v.counted() {
		return Done
	}
	return nil
}

// counted reports whether there are as many readings as were asked for.
func (v *Every) counted() bool { return v.Count > 0 && v.readings >= v.Count }

// cut hands on what there is of a reading that will not be complete.
func (v *Every) cut() error {
	if v.sum.windows() == 0 {
		return nil
	}
	v.sum.partial = true
	return v.flush()
}

// flush hands on the reading made of the windows since the last one.
func (v *Every) flush() error {
	v.event = Event{Kind: ReadingEvent, Reading: v.sum.reading()}
	v.sum = sum{}
	v.readings++
	return v.Out(&v.event)
}
