package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/internal/cli"
	"powerspy2/meter"
	"powerspy2/powerspy/sim"
	"powerspy2/rfcomm"
)

// undoTime bounds putting back what was changed on the adapter.
const undoTime = 3 * time.Second

// simRFCOMM offers the meter over Bluetooth: BlueZ keeps the RFCOMM channel, its
// service record and the PIN, and hands over the socket of each client.
func (a *app) simRFCOMM(c *cli.Context, m *sim.Meter) (err error) {
	channel := cmp.Or(c.Int("channel"), 1)
	pin := cmp.Or(c.String(pinFlag), "1234")
	if len(pin) > 16 {
		return c.Usagef("a PIN has 1 to 16 characters")
	}
	name := cmp.Or(c.String("name"), "PowerSpy 4567")
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	client, err := bluez.Dial(ctx)
	if err != nil {
		return notReady("reach the Bluetooth service", err)
	}
	// Closing takes the profile and the agent along.
	defer func() {
		if cerr := client.Close(); err == nil {
			err = cerr
		}
	}()
	adapter, undo, err := showAdapter(ctx, client, cmp.Or(c.String(adapterFlag), defaultAdapter), name)
	// What was changed on the adapter is put back, also half of it.
	defer func() {
		uctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		if uerr := undo(uctx); err == nil {
			err = uerr
		}
	}()
	if err != nil {
		return err
	}
	if _, err := client.RegisterDefaultAgent(ctx, func(bdaddr.Address) string { return pin }); err != nil {
		return notReady("answer for the PIN", err)
	}
	profile, err := client.RegisterSerialProfile(ctx, uint8(channel), name)
	if err != nil {
		return notReady("offer the serial port", err)
	}
	where := fmt.Sprintf("RFCOMM channel %d of %s (%s) as %q, PIN %s", channel, adapter.ID, adapter.Address, name, pin)
	if err := a.announce(where, adapter.Address.String()+" (on another machine)"); err != nil {
		return err
	}
	return serveProfile(ctx, m, profile.Accept, func(err error) {
		a.env.warn("%v", err)
	})
}

// serveProfile serves the clients that accept returns, until it fails.
func serveProfile(ctx context.Context, m *sim.Meter, accept func(context.Context) (*os.File, bdaddr.Address, error), warn func(error)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // comes before wg.Wait
	for {
		f, from, err := accept(ctx)
		if err != nil {
			return err
		}
		conn, err := profileConn(f)
		if err != nil {
			warn(fmt.Errorf("connection from %s: %w", from, err))
			continue
		}
		wg.Go(func() {
			// How one client leaves concerns the next one little.
			if err := m.ServeConn(ctx, conn); err != nil && ctx.Err() == nil {
				warn(fmt.Errorf("connection from %s: %w", from, err))
			}
		})
	}
}

// profileConn makes a connection of the socket that BlueZ handed over.
func profileConn(f *os.File) (net.Conn, error) {
	conn, err := rfcomm.FileConn(f)
	// The connection has a descriptor of its own.
	if cerr := f.Close(); err == nil && cerr != nil {
		return nil, errors.Join(cerr, conn.Close())
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// showAdapter makes an adapter look like a meter: its name, visible, open to
// pairing. undo puts the name and the visibility back, as far as they were
// changed.
func showAdapter(ctx context.Context, client *bluez.Client, id, name string) (adapter bluez.Adapter, undo func(context.Context) error, err error) {
	var undos []func(context.Context) error
	undo = func(ctx context.Context) error {
		var errs []error
		for _, undo := range slices.Backward(undos) {
			errs = append(errs, undo(ctx))
		}
		return errors.Join(errs...)
	}
	adapter, err = client.Adapter(ctx, id)
	if errors.Is(err, os.ErrNotExist) {
		return adapter, undo, notReady("adapter "+id, errors.New("there is no such adapter"))
	}
	if err != nil {
		return adapter, undo, notReady("adapter "+id, err)
	}
	steps := []struct {
		was, want bool
		set       func(ctx context.Context, on bool) error
	}{
		{adapter.Powered, true, func(ctx context.Context, on bool) error { return client.SetPowered(ctx, id, on) }},
		{adapter.Pairable, true, func(ctx context.Context, on bool) error { return client.SetPairable(ctx, id, on) }},
		{adapter.Discoverable, true, func(ctx context.Context, on bool) error { return client.SetDiscoverable(ctx, id, on, 0) }},
	}
	for _, s := range steps {
		if err := s.set(ctx, s.want); err != nil {
			return adapter, undo, notReady("make "+id+" visible", err)
		}
		if s.was != s.want {
			undos = append(undos, func(ctx context.Context) error { return s.set(ctx, s.was) })
		}
	}
	if err := client.SetAlias(ctx, id, name); err != nil {
		return adapter, undo, notReady("name "+id, err)
	}
	undos = append(undos, func(ctx context.Context) error { return client.SetAlias(ctx, id, adapter.Alias) })
	return adapter, undo, nil
}

// notReady is the error of a machine on which a meter can't be simulated
// over Bluetooth. An interruption passes.
func notReady(op string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return advise(&meter.Error{Kind: meter.ErrNotReady, Op: op, Err: err}, "type `powerspy doctor`")
}
