package meter

import (
	"context"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// OpenLink returns the meter behind a link.
func OpenLink(ctx context.Context, l powerspy.Link) (*Meter, error) {
	r := &route{target: Target{Kind: Simulated}}
	return r.initialised(ctx, l)
}

// Pace makes the stream believe that frames arrive one mains period after the
// other, however fast they are read.
func (s *Stream) Pace() { s.base = &pacedBase{Base: s.base, now: time.Now()} }

type pacedBase struct {
	timebase.Base
	now time.Time
	n   int
}

func (b *pacedBase) Window(time.Time) (start, end time.Time) {
	b.now = b.now.Add(20 * time.Millisecond)
	b.n++
	return b.Base.Window(b.now.Add(time.Duration(b.n*7919%20) * time.Millisecond))
}
