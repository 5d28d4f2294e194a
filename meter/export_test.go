package meter

import (
	"context"
	"time"

	"powerspy2/powerspy"
)

// OpenLink returns the meter behind a link.
func OpenLink(ctx context.Context, l powerspy.Link) (*Meter, error) {
	r := &route{finding: finding{target: Target{Kind: Simulated}}}
	return r.initialised(ctx, l)
}

// StepAt takes the next frame as if it arrived then, and returns whether there
// is an event.
func (s *Stream) StepAt(arrival time.Time) (Event, bool, error) {
	if s.events.head == len(s.events.items) {
		f, err := s.rt.Next(time.Now().Add(time.Second))
		if err != nil {
			return Event{}, false, err
		}
		f.Arrival = arrival
		s.take(&f)
	}
	e, ok := s.events.pop()
	return e, ok, s.failed
}
