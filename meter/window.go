package meter

import (
	"fmt"
	"time"

	"powerspy2/powerspy"
)

// A Window is what the meter measured during one averaging window, a whole
// number of mains periods.
type Window struct {
	// Start and End are its place in time, as well as it can be told from a
	// frame that arrives late: see package timebase. They never go back, from
	// window to window.
	Start, End time.Time

	// Length is its true length. It is better known than End minus Start, which
	// also corrects what was wrong with the times before.
	Length time.Duration

	// Error is the standard error of End, without the constant part of the
	// link's delay, which no arrival shows.
	Error time.Duration

	// Delay is how long after End its frame arrived; 0 when it is bridged.
	Delay time.Duration

	// Frequency is the mains frequency in Hz that goes with Length.
	Frequency float64

	// Measurement is the mean power in W, the rms voltage in V and current in A,
	// and their peaks.
	powerspy.Measurement

	// Bridged: the meter left the window out, and what stands here is the mean of
	// its measured neighbours.
	Bridged bool
}

// Energy returns the energy in J over Length: negative when power flows
// backwards.
func (w *Window) Energy() float64 { return w.Power * w.Length.Seconds() }

// A Gap is a time that was not measured. It is never a zero and never
// silently bridged.
type Gap struct {
	From, To time.Time // the end of the last window before it and the start of the first one after it
	Windows  int       // averaging windows that are missing; 0 if not known
	Reason   string    // why, for a person, such as the error that ended the link
}

// An EventKind says which field of an Event is set.
type EventKind uint8

// Kinds of events.
const (
	WindowEvent EventKind = iota + 1
	GapEvent
	StatusEvent
)

// String returns the kind in one word.
func (k EventKind) String() string {
	switch k {
	case WindowEvent:
		return "window"
	case GapEvent:
		return "gap"
	case StatusEvent:
		return "status"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// An Event is what a stream yields. It is a value, so that a stream makes no
// garbage. A Status of phase Stalled says that windows have ended: what comes
// after it does not follow on what came before.
type Event struct {
	Kind   EventKind // which of the others is set
	Window Window    // WindowEvent
	Gap    Gap       // GapEvent
	Status Status    // StatusEvent
}
