package meter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

// serialPort is the short form of the Serial Port Profile's service class
// (Bluetooth assigned numbers, 0x1101).
const serialPort = 0x1101

// usualChannel is the RFCOMM channel of every PowerSpy seen so far.
const usualChannel = 1

// refusalPause is how long a device that refused its own channel is left alone.
const refusalPause = time.Second

// connect opens a link to a paired device and makes a meter of it.
func (f *finder) connect(ctx context.Context, p place, t Target) (*Meter, error) {
	link := func() (powerspy.Link, func() error, error) {
		f.cfg.report(Connecting, "connecting to %s", t)
		c, err := f.dialHealed(ctx, p, &t)
		if err != nil {
			return nil, nil, explain("connect to "+t.String(), err)
		}
		return c, func() error { return nil }, nil
	}
	m, err := initialised(ctx, f.cfg, t, link)
	if err != nil {
		return nil, err
	}
	m.target, m.info.Target = t, t // with the channel that was found
	return m, nil
}

// dialHealed dials, and when the meter refuses the key that this machine
// remembers (it was reset, or paired with too many others since) forgets the
// key, pairs anew and dials once more.
func (f *finder) dialHealed(ctx context.Context, p place, t *Target) (net.Conn, error) {
	c, err := f.dial(ctx, p.adapter.Address, t)
	if !errors.Is(err, rfcomm.ErrKeyRefused) {
		return c, err
	}
	f.cfg.report(Pairing, "%s forgot this machine, pairing anew", t)
	if err := f.daemon.Remove(ctx, p.adapter.ID, t.Address); err != nil && !isUnknown(err) {
		return nil, explainBlueZ("forget the refused key of "+t.String(), err)
	}
	if p, err = f.appear(ctx, *t, p.adapter); err != nil {
		return nil, err
	}
	if err := f.pair(ctx, p, *t); err != nil {
		return nil, err
	}
	return f.dial(ctx, p.adapter.Address, t)
}

// dial connects to the remembered channel, else to the usual one, else to the
// one in the meter's service record. The channel that answered is kept in t.
func (f *finder) dial(ctx context.Context, local bdaddr.Address, t *Target) (net.Conn, error) {
	try := func(channel uint8) (net.Conn, error) {
		c, err := f.radio.Dial(ctx, rfcomm.Addr{Address: t.Address, Channel: channel}, &rfcomm.Config{Local: local, Steady: true})
		if err == nil {
			t.Channel = channel
		}
		return c, err
	}
	first := t.Channel
	if first == 0 {
		first = usualChannel
	}
	c, err := try(first)
	if !errors.Is(err, rfcomm.ErrRefused) || errors.Is(err, rfcomm.ErrOccupied) {
		return c, err
	}
	channel, serr := f.radio.FindChannel(ctx, local, t.Address, serialPort)
	switch {
	case errors.Is(serr, rfcomm.ErrNoService):
		return nil, serr
	case serr != nil:
		return nil, fmt.Errorf("%w (and asking for its channel: %v)", err, serr)
	case channel == first:
		// The channel is right, so the refusal may be of the moment: a device
		// that is still busy with the security of a link that has just come up
		// was seen to refuse once.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(refusalPause):
		}
	}
	return try(channel)
}
