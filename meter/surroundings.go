package meter

import (
	"context"
	"fmt"
	"maps"
	"time"

	"powerspy2/bluez"
)

// Surroundings are what of a machine's Bluetooth decides whether connecting is
// of use.
type surroundings struct {
	service  bool
	adapters map[string]string // their addresses, and whether they are on, by identifier
}

const (
	// lookTime bounds a look at the surroundings: a service that does not answer
	// in time counts as none.
	lookTime = 2 * time.Second
	// settle is how long a change gets to be complete: an adapter that is there
	// is not yet on.
	settle = 300 * time.Millisecond
)

func (s surroundings) equal(t surroundings) bool {
	return s.service == t.service && maps.Equal(s.adapters, t.adapters)
}

// apply takes over an event.
func (s *surroundings) apply(e bluez.Event) {
	switch e.Kind {
	case bluez.DaemonUp:
		*s = surroundings{service: true, adapters: make(map[string]string)}
	case bluez.DaemonDown:
		*s = surroundings{}
	case bluez.AdapterAdded, bluez.AdapterChanged:
		s.adapters[e.Adapter.ID] = fmt.Sprintf("%s %t", e.Adapter.Address, e.Adapter.Powered)
	case bluez.AdapterRemoved:
		delete(s.adapters, e.Adapter.ID)
	}
}

// begin begins to watch the surroundings, and returns what they are. Nil
// without a bus: nothing will be seen then.
func (h host) begin(ctx context.Context) (w watcher, now surroundings) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	w, err := h.watch(ctx)
	if err != nil {
		return nil, surroundings{}
	}
	for w.Buffered() > 0 {
		e, err := w.Next(ctx)
		if err != nil {
			break // the service has just left, or the bus
		}
		now.apply(e)
	}
	return w, now
}

// look looks at the surroundings.
func (h host) look(ctx context.Context) surroundings {
	w, now := h.begin(ctx)
	if w != nil {
		_ = w.Close() // nothing is lost when hanging up fails
	}
	return now
}

// wait returns after d, or soon after the surroundings have become other than
// they were before, or when ctx ends.
func (h host) wait(ctx context.Context, d time.Duration, before surroundings) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	w, now := h.begin(ctx)
	if w == nil {
		<-ctx.Done()
		return
	}
	defer w.Close() // nothing is lost when hanging up fails
	for now.equal(before) {
		e, err := w.Next(ctx)
		if err != nil {
			<-ctx.Done() // at once, unless the bus is lost
			return
		}
		now.apply(e)
	}
	sleep(ctx, settle)
}
