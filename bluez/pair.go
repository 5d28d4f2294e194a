package bluez

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

const (
	opPair = "pair with"

	// pairTimeout bounds a pairing. BlueZ waits 60 s for the PIN, before that
	// the device may have to be called for 5 s.
	pairTimeout = 75 * time.Second
)

// Pair pairs with a device (org.bluez.Device1, Pair). One that asks for a PIN,
// as those before Bluetooth 2.1 do, gets it (org.bluez.Agent1, RequestPinCode);
// one that pairs by Secure Simple Pairing needs none, and what it asks is
// confirmed (RequestConfirmation, RequestAuthorization). All this is for the
// device that is being paired: no other gets a PIN or a confirmation meanwhile.
// BlueZ has 75 s for it (ErrNoAnswer), 60 s of them for the PIN. The device must
// be known: found by Discover not long ago, or paired before.
//
// pin is called, from another goroutine, when the device asks; it may be asked
// never, or more than once. Its context ends when the answer is no longer
// wanted; it must return soon then, as Pair waits for it. Its error ends the
// pairing and is what Pair returns. So does a PIN that is not 1 to 16 bytes of
// UTF-8. The PIN goes to BlueZ and nowhere else.
//
// When ctx ends, the pairing is cancelled before Pair returns the context's
// error. Other errors: ErrAuthFailed (a wrong PIN, mostly), ErrAuthRejected,
// ErrAuthTimeout, ErrAuthCanceled, ErrAlreadyPaired, ErrPageTimeout,
// ErrInProgress (this or another program pairs with the device, or this client
// has another agent), ErrNotReady, ErrNoDaemon, os.ErrNotExist.
func (c *Client) Pair(ctx context.Context, adapter string, addr bdaddr.Address, pin func(context.Context) (string, error)) error {
	device, err := devicePath(adapter, addr)
	if err != nil {
		return err
	}
	// Written before the answer to the daemon, read after the daemon's.
	pinErr := make(chan error, 1)
	a, err := c.registerAgent(ctx, answerer{
		pin: func(ctx context.Context, asked dbus.ObjectPath) (string, error) {
			if asked != device {
				return "", errors.New("not the device being paired")
			}
			p, err := pin(ctx)
			if err == nil && !validPIN(p) {
				err = errPIN
			}
			if err != nil && ctx.Err() == nil {
				select {
				case pinErr <- err:
				default: // the first one is what matters
				}
			}
			return p, err
		},
		confirms: func(asked dbus.ObjectPath) bool { return asked == device },
	})
	if err != nil {
		return wrap(opPair, addr.String(), err)
	}
	err = c.pair(ctx, device)
	a.end(ctx)
	select {
	case e := <-pinErr:
		if err != nil && ctx.Err() == nil {
			err = e
		}
	default:
	}
	return wrap(opPair, addr.String(), err)
}

// pair calls Pair and cancels it when ctx ends. On return no pairing is under
// way, unless the daemon does not answer.
func (c *Client) pair(ctx context.Context, device dbus.ObjectPath) error {
	// The call outlives ctx, to see the pairing end.
	outer := context.WithoutCancel(ctx)
	callCtx, cancel := context.WithTimeout(outer, c.pairTimeout)
	defer cancel()
	call := c.start(callCtx, bluezName, device, deviceInterface+".Pair")
	select {
	case <-call.Done:
		err := c.callError(outer, call.Err)
		if errors.Is(err, ErrNoAnswer) {
			c.cancelPairing(ctx, device)
		}
		return err
	case <-ctx.Done():
	}
	c.cancelPairing(ctx, device)
	// The answer follows at once, save from a daemon that hangs.
	cleanCtx, cleanCancel := c.cleanup(ctx)
	defer cleanCancel()
	select {
	case <-call.Done:
		if call.Err == nil {
			return nil // paired before it could be cancelled
		}
	case <-cleanCtx.Done():
	}
	return ctx.Err()
}

// cancelPairing cancels a pairing, also when ctx has ended.
func (c *Client) cancelPairing(ctx context.Context, device dbus.ObjectPath) {
	ctx, cancel := c.cleanup(ctx)
	defer cancel()
	// Fails when the pairing has just ended, or the daemon left.
	_, _ = c.call(ctx, device, deviceInterface+".CancelPairing")
}
