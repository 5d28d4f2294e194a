// Package measuretest has what tests of measurements need: a source whose events
// the test chooses.
package measuretest

import (
	"context"
	"io"
	"time"

	"powerspy2/meter"
	"powerspy2/powerspy"
)

// A Source yields events that are given to it, and remembers what was done to
// it. The zero Source ends at once.
type Source struct {
	// Events are yielded one after the other.
	Events []meter.Event

	// Err comes after the last event; nil: io.EOF.
	Err error

	// Context, if not nil, ends the source when it ends. Without Err a source
	// with one waits for that after its last event, as a meter's goes on.
	Context context.Context

	// StopErr and CloseErr are what Stop and Close return.
	StopErr, CloseErr error

	Stopped, Closed int // how often Stop and Close were called

	next int
}

// Next returns the next event, or the error after them.
func (s *Source) Next() (meter.Event, error) {
	if s.next < len(s.Events) {
		s.next++
		return s.Events[s.next-1], nil
	}
	switch {
	case s.Err != nil:
		return meter.Event{}, s.Err
	case s.Context != nil:
		<-s.Context.Done()
		return meter.Event{}, s.Context.Err()
	}
	return meter.Event{}, io.EOF
}

// Stop counts.
func (s *Source) Stop(context.Context) error {
	s.Stopped++
	return s.StopErr
}

// Close counts.
func (s *Source) Close() error {
	s.Closed++
	return s.CloseErr
}

// Target returns a simulated meter.
func (s *Source) Target() meter.Target { return meter.Target{Kind: meter.Simulated} }

// Info returns that of a meter at 50 Hz.
func (s *Source) Info() meter.Info { return meter.Info{Target: s.Target(), Frequency: 50} }

// Windows returns n windows of a length and a constant power in W, from start
// on.
func Windows(start time.Time, n int, length time.Duration, power float64) []meter.Event {
	events := make([]meter.Event, n)
	for i := range events {
		end := start.Add(length)
		events[i] = meter.Event{Kind: meter.WindowEvent, Window: meter.Window{
			Start: start, End: end, Length: length, Frequency: 1 / length.Seconds(),
			Measurement: powerspy.Measurement{Power: power, Voltage: 230, Current: power / 230, VoltagePeak: 325, CurrentPeak: power / 163},
		}}
		start = end
	}
	return events
}

// Gap returns a gap of so many windows, 0 for a number that is not known.
func Gap(from time.Time, length time.Duration, windows int) meter.Event {
	return meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{
		From: from, To: from.Add(length), Windows: windows, Reason: "a test wants it",
	}}
}
