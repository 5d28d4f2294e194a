package bluez

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/godbus/dbus/v5"
)

const opDiscover = "discover with"

// Discover looks for Bluetooth Classic devices with an adapter until found
// returns true (then Discover returns nil) or ctx ends (then it returns the
// context's error; org.bluez.Adapter1, SetDiscoveryFilter and StartDiscovery).
//
// It calls found, from the goroutine of the caller, for each device in range:
// when it appears, when its name becomes known and when its signal strength
// changes. Devices that BlueZ already hears, because another program discovers,
// come first. Old devices appear without a name and get it some ten seconds
// later, when an inquiry has ended, unless BlueZ remembers it.
//
// Discover fails with ErrNotReady when the adapter is off or is switched off
// meanwhile, os.ErrNotExist when there is none of that ID or it is unplugged,
// ErrNoDaemon when the daemon leaves, and ErrInProgress when this client
// already discovers with this adapter. Other clients may.
func (c *Client) Discover(ctx context.Context, adapter string, found func(Device) (stop bool)) error {
	object, err := adapterPath(adapter)
	if err != nil {
		return err
	}
	c.mu.Lock()
	busy := c.discovering[adapter]
	c.discovering[adapter] = true
	c.mu.Unlock()
	if busy {
		return &Error{Op: opDiscover, Subject: adapter, Err: ErrInProgress}
	}
	defer func() {
		c.mu.Lock()
		delete(c.discovering, adapter)
		c.mu.Unlock()
	}()
	return wrap(opDiscover, adapter, c.discover(ctx, adapter, object, found))
}

func (c *Client) discover(ctx context.Context, adapter string, object dbus.ObjectPath, found func(Device) bool) error {
	w, err := c.watch(ctx)
	if err != nil {
		return err
	}
	defer w.sub.end(ctx)

	// Stopped also when the start was not waited for to its end: the daemon may
	// have taken it.
	defer c.stopDiscovery(ctx, object)
	if err := c.startDiscovery(ctx, object); err != nil {
		return err
	}
	for {
		e, err := w.next(ctx)
		if err != nil {
			return err
		}
		switch e.Kind {
		case DaemonDown:
			return ErrNoDaemon
		case AdapterRemoved:
			if e.Adapter.ID == adapter {
				return fmt.Errorf("the adapter was removed: %w", os.ErrNotExist)
			}
		case AdapterChanged:
			// BlueZ does not resume a discovery when the adapter is on again.
			if e.Adapter.ID == adapter && !e.Adapter.Powered && slices.Contains(e.Changed, "Powered") {
				return ErrNotReady
			}
		case DeviceChanged:
			if !slices.Contains(e.Changed, "Name") && !slices.Contains(e.Changed, "RSSI") {
				continue
			}
			fallthrough
		case DeviceAdded:
			if e.Device.Adapter == adapter && e.Device.InRange && found(e.Device) {
				return nil
			}
		}
	}
}

// startDiscovery starts a discovery of Bluetooth Classic devices, whatever
// their names: BlueZ's own filter by name (Pattern) hides devices that do not
// tell theirs in the inquiry.
func (c *Client) startDiscovery(ctx context.Context, object dbus.ObjectPath) error {
	filter := map[string]dbus.Variant{"Transport": dbus.MakeVariant("bredr")}
	if _, err := c.call(ctx, object, adapterInterface+".SetDiscoveryFilter", filter); err != nil {
		return err
	}
	const method = adapterInterface + ".StartDiscovery"
	_, err := c.call(ctx, object, method)
	if de := (dbus.Error{}); errors.As(err, &de) && de.Name == "org.bluez.Error.InProgress" {
		// One that an earlier call of ours left, because its end got lost.
		c.stopDiscovery(ctx, object)
		_, err = c.call(ctx, object, method)
	}
	return err
}

// stopDiscovery ends the discovery of this client, also when ctx has ended.
func (c *Client) stopDiscovery(ctx context.Context, object dbus.ObjectPath) {
	ctx, cancel := c.cleanup(ctx)
	defer cancel()
	// Fails when there is none to stop: it did not start, the adapter was
	// switched off or unplugged, or the daemon left. A daemon that does not
	// answer ends it when this client closes, or at the next start.
	_, _ = c.call(ctx, object, adapterInterface+".StopDiscovery")
}
