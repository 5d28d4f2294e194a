package meter

import (
	"context"
	"fmt"
	"time"
)

// Surroundings are what of a machine's Bluetooth decides whether connecting is
// of use.
type surroundings struct {
	service  bool
	adapters string // their identifiers, addresses, and whether they are on
}

const (
	// lookTime bounds a look at the surroundings: a service that does not answer
	// in time counts as none.
	lookTime = 2 * time.Second
	// lookEvery is how often they are looked at while nothing else can be done.
	lookEvery = time.Second
	// settle is how long a change gets to be complete: an adapter that is there
	// is not yet on.
	settle = 300 * time.Millisecond
)

// look looks at the surroundings.
func (h host) look(ctx context.Context) surroundings {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	d, err := h.bus(ctx)
	if err != nil {
		return surroundings{}
	}
	defer d.Close() // nothing is lost when hanging up fails
	all, err := d.Adapters(ctx)
	if err != nil {
		return surroundings{}
	}
	s := surroundings{service: true}
	for _, a := range all {
		s.adapters += fmt.Sprintf("%s %s %t;", a.ID, a.Address, a.Powered)
	}
	return s
}

// wait returns after d, or soon after the surroundings have become other than
// they were before, or when ctx ends.
func (h host) wait(ctx context.Context, d time.Duration, before surroundings) {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 || !sleep(ctx, min(left, lookEvery)) {
			return
		}
		if h.look(ctx) != before {
			sleep(ctx, settle)
			return
		}
	}
}
