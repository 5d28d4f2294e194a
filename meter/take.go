package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/bluez"
)

const (
	// linkGone bounds the wait for a radio link to end: BlueZ lets data flow
	// for some two seconds after a Disconnect.
	linkGone = 6 * time.Second
	// linkLost is how long the kernel may keep a radio link that is dead: the
	// supervision timeout, with room.
	linkLost = 40 * time.Second
	// adapterBack bounds the wait for an adapter after it was switched on, or
	// after its service was restarted.
	adapterBack = 15 * time.Second
	// lookPause lies between looks at BlueZ while something is waited for.
	lookPause = 200 * time.Millisecond
	// powerPause lies at least between two power cycles.
	powerPause = 10 * time.Minute
	// bootPause lies between tries to connect to a meter that is starting.
	bootPause = time.Second
)

// take takes a step within its time.
func (r *meterRecoverer) take(ctx context.Context, s Step) (source, error) {
	limit := stepKinds[s].limit
	sctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	do := map[Step]func(context.Context) error{
		Drain: r.drain, Reconnect: r.reconnect, Relink: r.relink, Rebond: r.rebond,
		ResetAdapter: r.resetAdapter, RestartService: r.restartService, PowerCycle: r.powerCycle,
	}[s]
	err := do(sctx)
	if err == nil {
		r.taken[s] = true
		var src source
		if src, err = r.start(ctx); err == nil {
			return src, nil
		}
	}
	if ctx.Err() == nil && sctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		// Not the end of the caller's time, which the error would pass for.
		err = fmt.Errorf("%s took longer than %v", stepKinds[s].doing, limit)
	}
	return nil, explain("measure with "+r.route.target.String(), err)
}

func (r *meterRecoverer) drain(ctx context.Context) error {
	if r.m == nil {
		return r.reconnect(ctx) // which stops a stream that runs
	}
	if err := r.m.client.Stop(ctx); err != nil {
		return err
	}
	return r.m.readFrequency(ctx) // which may have been misread
}

func (r *meterRecoverer) reconnect(ctx context.Context) error {
	// What closing a dead link has to say is known already.
	_ = r.close()
	l, err := r.route.link(ctx)
	if err != nil {
		return err
	}
	r.m, err = r.route.initialised(ctx, l)
	return err
}

func (r *meterRecoverer) relink(ctx context.Context) error {
	_ = r.close()
	err := r.withAdapter(ctx, func(d daemon, a bluez.Adapter) error {
		if err := d.Disconnect(ctx, a.ID, r.route.target.Address); err != nil && !isUnknown(err) {
			return explainBlueZ("disconnect "+r.route.target.String(), err)
		}
		return await(ctx, linkGone, "the radio link did not end", func() (bool, error) {
			linked, _, err := r.linked(ctx, d, a)
			return !linked, err
		})
	})
	if err != nil {
		return err
	}
	return r.reconnect(ctx)
}

func (r *meterRecoverer) rebond(ctx context.Context) error {
	_ = r.close()
	if err := r.route.rebond(ctx); err != nil {
		return err
	}
	err := r.reconnect(ctx)
	if err != nil {
		r.route.disown(ctx, err)
	}
	return err
}

func (r *meterRecoverer) resetAdapter(ctx context.Context) error {
	_ = r.close()
	err := r.withAdapter(ctx, func(d daemon, a bluez.Adapter) error {
		if a.Powered {
			// From here on it is ours to switch on, even if this fails half way.
			r.switchedOff = true
			if err := d.SetPowered(ctx, a.ID, false); err != nil {
				return explainBlueZ("switch off "+a.ID, err)
			}
		}
		return r.switchOn(ctx, d, a)
	})
	if err != nil {
		return err
	}
	return r.reconnect(ctx)
}

// switchOn switches an adapter on, for which it may have to be asked again
// when it was switched off a moment before.
func (r *meterRecoverer) switchOn(ctx context.Context, d daemon, a bluez.Adapter) error {
	var last error
	err := await(ctx, adapterBack, "the adapter did not come on", func() (bool, error) {
		now, err := r.adapter(ctx, d)
		if err != nil || now.Powered {
			return err == nil, err
		}
		last = d.SetPowered(ctx, a.ID, true)
		return false, nil
	})
	if err != nil {
		if last != nil {
			err = fmt.Errorf("%w: %w", err, last)
		}
		return explainBlueZ("switch on "+a.ID, err)
	}
	r.switchedOff = false
	return nil
}

func (r *meterRecoverer) restartService(ctx context.Context) error {
	_ = r.close()
	if err := r.route.host.restart(ctx); err != nil {
		if errors.Is(err, os.ErrPermission) || errors.Is(err, bluez.ErrNoDaemon) {
			r.forbidden = true
			// Not the answer to the question why the meter does not measure.
			err = fmt.Errorf("this user may not restart it: %v", err)
		}
		return explain("restart the Bluetooth service", err)
	}
	err := r.withAdapter(ctx, func(d daemon, a bluez.Adapter) error {
		return await(ctx, adapterBack, "the adapter did not come on", func() (bool, error) {
			now, err := r.adapter(ctx, d)
			return err == nil && now.Powered, nil
		})
	})
	if err != nil {
		return err
	}
	return r.reconnect(ctx)
}

// powerCycle runs the user's command, and gives the meter time to start.
func (r *meterRecoverer) powerCycle(ctx context.Context) error {
	_ = r.close()
	r.cycled = time.Now()
	if err := r.limit.PowerCycle(ctx); err != nil {
		return &Error{Kind: ErrPowerCycle, Op: "run the power-cycle command", Err: err}
	}
	for {
		err := r.reconnect(ctx)
		if err == nil || IsFinal(err) || !sleep(ctx, bootPause) {
			return err
		}
	}
}

// withAdapter runs f with BlueZ and the meter's adapter.
func (r *meterRecoverer) withAdapter(ctx context.Context, f func(daemon, bluez.Adapter) error) error {
	d, err := r.route.host.bus(ctx)
	if err != nil {
		return explainBlueZ("reach the Bluetooth service", err)
	}
	defer d.Close() // nothing is lost when hanging up fails
	var a bluez.Adapter
	// A service that has just started finds its adapters one after the other.
	err = await(ctx, adapterBack, "the adapter is not there", func() (bool, error) {
		var err error
		a, err = r.adapter(ctx, d)
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	return f(d, a)
}

// await looks again and again whether something is so.
func await(ctx context.Context, limit time.Duration, otherwise string, so func() (bool, error)) error {
	begun := time.Now()
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		if time.Since(begun) >= limit {
			return errors.New(otherwise)
		}
		if !sleep(ctx, lookPause) {
			return ctx.Err()
		}
	}
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
