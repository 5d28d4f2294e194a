package measure

import (
	"fmt"
	"math"
	"time"

	"powerspy2/meter"
)

// A Reading is what was measured during one interval. It is made of whole
// averaging windows that follow each other without a gap.
type Reading struct {
	// Start and End are those of its first and last window. They always
	// increase, from reading to reading.
	Start, End time.Time

	// Length is the true length of its windows, a whole number of mains
	// periods. It is better known than End minus Start: see meter.Window.
	Length  time.Duration
	Windows int // measured averaging windows in it
	Bridged int // averaging windows in it that the meter left out and that were bridged

	// Interval is the number of the interval that the reading lies in, counted
	// from 0 at the beginning of the measurement. One that was interrupted comes
	// as several readings; one that was lost as a whole comes as none.
	Interval int64

	// Ends tells that the interval is over with this reading. When the end of
	// an interval was lost, only a reading of a later one tells.
	Ends bool

	// Partial tells that the interval was measured in part only: windows of it
	// were lost, and are in a gap next to the reading, or the stream ended.
	Partial bool

	Power       float64 // mean power in W; negative when power flows backwards
	PowerMin    float64 // lowest mean power of a window in W
	PowerMax    float64 // highest mean power of a window in W
	Voltage     float64 // rms voltage in V
	Current     float64 // rms current in A
	VoltagePeak float64 // highest voltage in V
	CurrentPeak float64 // highest current in A
	Energy      float64 // energy in J over Length
	Frequency   float64 // mains frequency in Hz

	// Delay is how long after End its last frame arrived.
	Delay time.Duration
}

// ApparentPower returns the product of rms voltage and rms current in VA.
func (r *Reading) ApparentPower() float64 { return r.Voltage * r.Current }

// PowerFactor returns power over apparent power: -1 to 1, but for the rounding
// of small currents. It is NaN when there is no apparent power.
func (r *Reading) PowerFactor() float64 {
	if s := r.ApparentPower(); s > 0 {
		return r.Power / s
	}
	return math.NaN()
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

// An Event is what becomes of a stream's events where windows are gathered into
// readings: see [Every]. It is a value, so that it makes no garbage.
type Event struct {
	Kind    EventKind    // which of the others is set
	Reading Reading      // ReadingEvent
	Gap     meter.Gap    // GapEvent
	Status  meter.Status // StatusEvent
}
