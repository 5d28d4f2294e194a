package meter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// serialPort is the short form of the Serial Port Profile's service class
// (Bluetooth assigned numbers, 0x1101).
const serialPort = 0x1101

// usualChannel is the RFCOMM channel of every PowerSpy seen so far.
const usualChannel = 1

// refusalPause is how long a device that refused its own channel is left alone.
const refusalPause = time.Second

// isKeyRefused reports whether the meter refuses this machine's key.
func isKeyRefused(err error) bool { return errors.Is(err, rfcomm.ErrKeyRefused) }

// rebond forgets the key of a Bluetooth meter that it refuses, and pairs again.
func (r *route) rebond(ctx context.Context) error {
	return r.withBlueZ(ctx, func(f *finder, a bluez.Adapter) error {
		if !a.Powered {
			return r.host.adapterOff(a)
		}
		if err := f.daemon.Remove(ctx, a.ID, r.target.Address); err != nil && !isUnknown(err) {
			return explainBlueZ("forget the refused key of "+r.target.String(), err)
		}
		s, err := f.appear(ctx, r.target, a)
		if err != nil {
			return err
		}
		if err := f.pair(ctx, s, r.target); err != nil {
			return err
		}
		r.ours, r.trusted, r.target.Unpaired = true, false, false
		return nil
	})
}

// dialChannel connects to the remembered channel, else to the usual one, else
// to the one in the meter's service record. The channel that answered is kept
// in t.
func (c *Config) dialChannel(ctx context.Context, r radio, t *Target) (net.Conn, error) {
	cfg := &rfcomm.Config{Local: t.Adapter, Forerunner: c.Forerunner}
	if t.Unpaired {
		cfg.Security = rfcomm.SecurityLow
	}
	try := func(channel uint8) (net.Conn, error) {
		c, err := r.Dial(ctx, rfcomm.Addr{Address: t.Address, Channel: channel}, cfg)
		if err == nil {
			t.Channel = channel
		}
		return c, err
	}
	first := t.Channel
	if first == 0 {
		first = usualChannel
	}
	l, err := try(first)
	if !errors.Is(err, rfcomm.ErrRefused) || errors.Is(err, rfcomm.ErrOccupied) {
		return l, err
	}
	channel, serr := r.FindChannel(ctx, t.Address, serialPort, cfg)
	switch {
	case errors.Is(serr, rfcomm.ErrNoService):
		return nil, serr
	case serr != nil:
		return nil, fmt.Errorf("%w (and asking for its channel: %v)", err, serr)
	case channel == first:
		// The channel is right, so the refusal may be of the moment: a device
		// that is still busy with the security of a link that has just come up
		// was seen to refuse once.
		if !sleep(ctx, refusalPause) {
			return nil, ctx.Err()
		}
	}
	return try(channel)
}
