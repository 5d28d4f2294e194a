package meter

import (
	"fmt"
	"time"
)

// A Reading is what was measured during one interval. It is made of whole
// averaging windows.
type Reading struct {
	Start, End  time.Time
	Windows     int     // averaging windows in it, at least 1
	Power       float64 // mean power in W; negative when power flows backwards
	Voltage     float64 // rms voltage in V
	Current     float64 // rms current in A
	VoltagePeak float64 // highest voltage in V
	CurrentPeak float64 // highest current in A
	Energy      float64 // energy in J over the true length of the windows
	Frequency   float64 // mains frequency in Hz
}

// A Gap is a time that was not measured. It is never a zero and never
// silently bridged.
type Gap struct {
	From, To time.Time
	Reason   string
}

// An EventKind tells which field of an Event is set.
type EventKind uint8

// Kinds of events.
const (
	ReadingEvent EventKind = iota + 1
	GapEvent
	StatusEvent
)

// String returns the kind in one word.
func (k EventKind) String() string {
	switch k {
	case ReadingEvent:
		return "reading"
	case GapEvent:
		return "gap"
	case StatusEvent:
		return "status"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// An Event is what a stream yields. It is a value, so that a stream makes no
// garbage.
type Event struct {
	Kind    EventKind
	Reading Reading // ReadingEvent
	Gap     Gap     // GapEvent
	Status  Status  // StatusEvent
}
