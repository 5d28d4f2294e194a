package meter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"powerspy2/internal/patherr"
	"powerspy2/internal/serial"
	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// link opens a link to the meter.
func (r *route) link(ctx context.Context) (powerspy.Link, error) {
	if r.target.Kind == Bluetooth {
		r.cfg.report(Connecting, "connecting to %s", r.target)
		c, err := r.cfg.dialChannel(ctx, r.host.radio, &r.target)
		if err != nil {
			return nil, explainConnect("connect to "+r.target.String(), err, r.host.radio)
		}
		return c, nil
	}
	r.cfg.report(Connecting, "opening %s", r.target)
	return openLink(ctx, r.target)
}

// openLink opens a link to a target that needs no Bluetooth of ours.
func openLink(ctx context.Context, t Target) (powerspy.Link, error) {
	op := "open " + t.String()
	switch t.Kind {
	case Serial:
		l, err := serial.Open(t.Path)
		if err != nil {
			return nil, serialError(op, err)
		}
		return &line{Link: l}, nil
	case TCP:
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", t.Host)
		if err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%s: %w", op, ctx.Err())
			}
			return nil, &Error{Kind: ErrNotFound, Op: op, Err: err}
		}
		return &line{Link: c}, nil
	case Simulated:
		m, err := t.Simulator()
		if err != nil {
			return nil, &Error{Kind: ErrUsage, Op: op, Err: err}
		}
		l, err := openSimulated(ctx, m)
		return l, explain(op, err)
	case Served:
		return nil, errServed(t)
	}
	return nil, &Error{Kind: ErrDevice, Op: op, Err: fmt.Errorf("not a link without Bluetooth")}
}

// openSimulated connects to a meter in this process. Closing the link waits
// for it.
func openSimulated(ctx context.Context, m *sim.Meter) (powerspy.Link, error) {
	l, err := m.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// serialError says what it means that a serial line can't be opened.
func serialError(op string, err error) error {
	e := &Error{Op: op, Err: patherr.Bare(err)}
	switch {
	case errors.Is(err, ErrInUse):
		e.Kind = ErrNoAnswer
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Kind = ErrNotReady
	}
	return e
}
