package meter

import (
	"context"
	"errors"
	"time"

	"powerspy2/rfcomm"
)

// A meterRecoverer gets a real meter to measure again.
type meterRecoverer struct {
	route    *route
	limit    Recovery
	sc       StreamConfig
	timeline *timeline
	periods  int      // in a window; 0: to be chosen
	worked   bool     // windows of so many periods came
	trials   trials   // of windows that were left out too often
	notes    []Status // to be told
	m        *Meter   // nil: there is no link
	byHand   bool     // there has been no stream: Drain makes a link

	outage time.Time    // when it began
	seen   surroundings // then, or before the last round of steps

	switchedOff bool // the adapter is off because of us
	forbidden   bool // this user may not restart the service
	taken       [lastStep + 1]bool
	cycled      time.Time // when the power was cycled last
}

func newRecoverer(r *route, sc StreamConfig, rec Recovery) *meterRecoverer {
	return &meterRecoverer{route: r, sc: sc, limit: rec, timeline: &timeline{}, trials: trials{}}
}

// first opens the meter and starts the first stream.
func (r *meterRecoverer) first(ctx context.Context) (source, error) {
	m, err := r.route.open(ctx)
	// From here on events tell what goes on, and there is nobody to ask.
	r.route.cfg.Report, r.route.cfg.AskPIN, r.route.cfg.Choose = nil, nil, nil
	if err != nil {
		return nil, err
	}
	r.m = m
	return r.start(ctx)
}

func (r *meterRecoverer) told() []Status {
	notes := r.notes
	r.notes = nil
	return notes
}

func (r *meterRecoverer) began(ctx context.Context) error {
	r.taken = [lastStep + 1]bool{}
	r.outage = time.Now()
	if err := r.stuck(); err != nil {
		return explain("measure with "+r.route.target.String(), err)
	}
	r.look(ctx)
	return nil
}

// stuck returns ErrKernelStuck when the kernel's RFCOMM is dead, of which
// nothing but a reboot helps.
func (r *meterRecoverer) stuck() error {
	if r.route.target.Kind != Bluetooth {
		return nil
	}
	if err := r.route.host.radio.Alive(); errors.Is(err, rfcomm.ErrKernelStuck) {
		return err
	}
	return nil
}

func (r *meterRecoverer) look(ctx context.Context) {
	if r.route.target.Kind == Bluetooth {
		r.seen = r.route.host.look(ctx)
	}
}

func (r *meterRecoverer) stop(ctx context.Context, stream source) error {
	switch {
	case r.stuck() != nil:
		// Nobody can reach the meter, and trying would not return.
	case stream != nil:
		return stream.Stop(ctx)
	case r.m != nil:
		r.m.stopStray(ctx)
	}
	return nil
}

func (r *meterRecoverer) info() Info {
	if r.route.info == nil {
		return Info{Target: r.route.target}
	}
	return *r.route.info
}

func (r *meterRecoverer) close() error {
	m := r.m
	r.m = nil
	// With a dead RFCOMM neither write(2) nor close(2) returns: its thread died
	// with locks that they need.
	if m == nil || r.stuck() != nil {
		return nil
	}
	return m.Close()
}

func (r *meterRecoverer) wait(ctx context.Context, d time.Duration) {
	if r.route.target.Kind == Bluetooth {
		r.route.host.wait(ctx, d, r.seen)
	} else {
		sleep(ctx, d)
	}
	r.look(ctx)
}
