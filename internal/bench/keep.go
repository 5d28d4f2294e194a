package bench

import (
	"context"
	"time"
)

const (
	// keepEvery is how far calls of Keep are apart at least, and keepShare how many
	// times what the last one took.
	keepEvery = 10 * time.Second
	keepShare = 100

	// keepLate is after how long what the meter says of the last run is waited for, so
	// that of long runs none is missing.
	keepLate = keepShare * time.Second
)

// keep has what is known kept, if it is time.
func (s *session) keep(ctx context.Context) error {
	start := s.clock.Now()
	since := start.Sub(s.kept)
	if s.Keep == nil || since < s.rest {
		return nil
	}
	if since >= keepLate {
		if err := s.collect(ctx, true, true); err != nil {
			return err
		}
	}
	if !s.unkept {
		return nil
	}
	s.Keep(&s.outcome)
	s.unkept = false
	s.kept = s.clock.Now()
	s.rest = max(keepEvery, keepShare*s.kept.Sub(start))
	return nil
}
