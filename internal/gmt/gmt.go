// Package gmt makes the rows that the Green Metrics Tool reads.
//
// A row is `TIMESTAMP VALUE`: UNIX microseconds and, for the tool, microjoules.
// The tool adds the energies up, and it refuses a run whose rows break one of
// its rules. This is what they get:
//
//   - Times increase strictly, by about the interval that was asked for. A row's
//     time is the end of its last reading; where the end of an interval was
//     lost, it is the time at which the interval was over.
//   - An interval is one row, however often it was interrupted: the energy that
//     was measured in it, or the mean power over the time that was measured.
//     Nothing is made up for what was lost, and an interval that was lost as a
//     whole is no row.
//   - The tool refuses energies of 1 uJ and less. So the energy of an interval
//     without load, or whose power flowed backwards, is written as 2 uJ, the
//     smallest that it takes. This holds for microjoules only: with every other
//     unit, and in every other format of the project, such values stay as they
//     are, with their sign.
package gmt

import (
	"io"
	"time"

	"powerspy2/internal/output"
	"powerspy2/measure"
)

// leastEnergy is the smallest energy that is written in microjoules, in J.
const leastEnergy = 2e-6

// Rows makes rows of the events of a measurement.
type Rows struct {
	sink     output.Sink
	interval int64 // us
	floor    bool  // energies are to be at least leastEnergy

	row  measure.Reading // being made; no length: none
	last int64           // time of the last row, in UNIX us

	// The last interval whose end is known, and that end in UNIX us: 0 before
	// the first reading.
	ended  int64
	ending int64

	event measure.Event // kept, so that a row makes no garbage
}

// NewRows writes rows of an interval to w, each with a single Write. Errors are
// those of output.NewSink.
func NewRows(w io.Writer, unit output.Unit, interval time.Duration) (*Rows, error) {
	sink, err := output.NewSink(output.Plain, w, output.Options{Unit: &unit})
	if err != nil {
		return nil, err
	}
	return &Rows{sink: sink, interval: interval.Microseconds(), floor: unit == output.Microjoule}, nil
}

// Event takes an event. It writes a row as soon as its interval is known to be
// over. The error is that of the writer.
func (r *Rows) Event(e *measure.Event) error {
	if e.Kind != measure.ReadingEvent {
		return nil
	}
	reading := &e.Reading
	start, end := reading.Start.UnixMicro(), reading.End.UnixMicro()
	if r.ending == 0 {
		r.ended, r.ending = reading.Interval-1, start
	}
	if r.row.Length > 0 && r.row.Interval != reading.Interval {
		over := r.ending + (r.row.Interval-r.ended)*r.interval
		if err := r.write(max(r.row.End.UnixMicro(), min(over, start))); err != nil {
			return err
		}
	}
	r.add(reading)
	if !reading.Ends {
		return nil
	}
	r.ended, r.ending = reading.Interval, end
	return r.write(end)
}

// Close writes what there is of an interval that is not over.
func (r *Rows) Close() error {
	if r.row.Length == 0 {
		return nil
	}
	return r.write(r.row.End.UnixMicro())
}

// add adds a reading to the row.
func (r *Rows) add(reading *measure.Reading) {
	if r.row.Length == 0 {
		r.row = *reading
		return
	}
	r.row.End = reading.End
	r.row.Windows += reading.Windows
	r.row.Bridged += reading.Bridged
	r.row.Length += reading.Length
	r.row.Energy += reading.Energy
	r.row.Power = r.row.Energy / r.row.Length.Seconds()
}

// write writes the row and begins another.
func (r *Rows) write(at int64) error {
	r.last = max(at, r.last+1)
	r.row.End = time.UnixMicro(r.last)
	if r.floor {
		r.row.Energy = max(r.row.Energy, leastEnergy)
	}
	r.event = measure.Event{Kind: measure.ReadingEvent, Reading: r.row}
	err := r.sink.Event(&r.event)
	r.row = measure.Reading{}
	return err
}
