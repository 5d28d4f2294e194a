//go:build integration && linux

package bluez_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/internal/integration/vmtest"
)

// These tests run with the real bluetoothd in a guest of scripts/vm, see
// package vmtest.

const hci0 = "hci0"

// within bounds one step. A guest may be slow; an inquiry alone takes 10.24 s.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func dialBlueZ(t *testing.T) *bluez.Client {
	t.Helper()
	c, err := bluez.Dial(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// appear discovers until a device is there.
func appear(t *testing.T, c *bluez.Client, addr bdaddr.Address) {
	t.Helper()
	if err := c.Discover(within(t), hci0, func(d bluez.Device) bool { return d.Address == addr }); err != nil {
		t.Fatal(err)
	}
}

func answer(pin string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return pin, nil }
}

func TestIntegrationAdapter(t *testing.T) {
	m := vmtest.Shared(t)
	c := dialBlueZ(t)
	list, err := c.Adapters(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].ID != hci0 || list[0].Address != m.Air.Address() || !list[0].Powered {
		t.Errorf("unexpected adapters %+v", list)
	}
	for _, err := range []error{
		c.SetAlias(within(t), hci0, "PowerSpy 4567"),
		c.SetPairable(within(t), hci0, true),
		c.SetDiscoverable(within(t), hci0, true, 0),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	a, err := c.Adapter(within(t), hci0)
	if err != nil {
		t.Fatal(err)
	}
	if a.Alias != "PowerSpy 4567" || !a.Pairable || !a.Discoverable {
		t.Errorf("unexpected adapter %+v", a)
	}
	for _, err := range []error{
		c.SetAlias(within(t), hci0, ""),
		c.SetDiscoverable(within(t), hci0, false, 0),
		c.SetPairable(within(t), hci0, false),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	nobody := bdaddr.Address{1, 2, 3, 4, 5, 6}
	for name, op := range map[string]func() error{
		"Adapter":    func() error { _, err := c.Adapter(within(t), "hci7"); return err },
		"SetPowered": func() error { return c.SetPowered(within(t), "hci7", true) },
		"Discover":   func() error { return c.Discover(within(t), "hci7", func(bluez.Device) bool { return true }) },
		"Device":     func() error { _, err := c.Device(within(t), hci0, nobody); return err },
		"SetTrusted": func() error { return c.SetTrusted(within(t), hci0, nobody, true) },
		"Disconnect": func() error { return c.Disconnect(within(t), hci0, nobody) },
		"Pair":       func() error { return c.Pair(within(t), hci0, nobody, answer("1234")) },
		"Remove":     func() error { return c.Remove(within(t), hci0, nobody) },
	} {
		if err := op(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want os.ErrNotExist", name, err)
		}
	}
}

func TestIntegrationDiscoverPairRemove(t *testing.T) {
	m := vmtest.Shared(t)
	meter := m.AddMeter(t, nil)
	addr := meter.Address()
	c := dialBlueZ(t)

	var names []string
	err := c.Discover(within(t), hci0, func(d bluez.Device) bool {
		if d.Address != addr {
			return false
		}
		if !d.InRange || d.RSSI == 0 || d.Class != 0x1f00 {
			t.Errorf("unexpected device %+v", d)
		}
		names = append(names, d.Name)
		return d.Name != ""
	})
	if err != nil {
		t.Fatal(err)
	}
	if names[0] != "" || names[len(names)-1] != "PowerSpy 4567" {
		t.Errorf("got the names %q, want none first, PowerSpy 4567 last", names)
	}

	if err := c.Pair(within(t), hci0, addr, answer("4321")); !errors.Is(err, bluez.ErrAuthFailed) {
		t.Errorf("wrong PIN: got %v, want ErrAuthFailed", err)
	}
	if err := c.Pair(within(t), hci0, addr, answer("1234")); err != nil {
		t.Fatal(err)
	}
	d, err := c.Device(within(t), hci0, addr)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Paired || d.Trusted {
		t.Errorf("unexpected device %+v", d)
	}
	if err := c.Pair(within(t), hci0, addr, answer("1234")); !errors.Is(err, bluez.ErrAlreadyPaired) {
		t.Errorf("again: got %v, want ErrAlreadyPaired", err)
	}
	if err := c.SetTrusted(within(t), hci0, addr, true); err != nil {
		t.Error(err)
	}
	if d, err = c.Device(within(t), hci0, addr); err != nil || !d.Trusted {
		t.Errorf("got %+v, %v, want it trusted", d, err)
	}
	for range 2 { // connected still from the pairing, then not any more
		if err := c.Disconnect(within(t), hci0, addr); err != nil {
			t.Error(err)
		}
	}
	if err := c.Remove(within(t), hci0, addr); err != nil {
		t.Error(err)
	}
	if _, err := c.Device(within(t), hci0, addr); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: got %v, want os.ErrNotExist", err)
	}
}

func TestIntegrationPairCancel(t *testing.T) {
	m := vmtest.Shared(t)
	addr := m.AddMeter(t, nil).Address()
	c := dialBlueZ(t)
	appear(t, c, addr)
	ctx, cancel := context.WithCancel(within(t))
	err := c.Pair(ctx, hci0, addr, func(ctx context.Context) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	// Nothing of it is left: it can be tried again at once.
	appear(t, c, addr)
	if err := c.Pair(within(t), hci0, addr, answer("1234")); err != nil {
		t.Error(err)
	}
}

func TestIntegrationPairAbsent(t *testing.T) {
	m := vmtest.Shared(t)
	meter := m.AddMeter(t, nil)
	c := dialBlueZ(t)
	appear(t, c, meter.Address())
	meter.SetAway(true)
	if err := c.Pair(within(t), hci0, meter.Address(), answer("1234")); !errors.Is(err, bluez.ErrPageTimeout) {
		t.Errorf("got %v, want ErrPageTimeout", err)
	}
}

func TestIntegrationDiscoverPowerOff(t *testing.T) {
	m := vmtest.Shared(t)
	addr := m.AddMeter(t, nil).Address()
	c := dialBlueZ(t)
	t.Cleanup(func() { m.SetPowered(t, true) })
	err := c.Discover(within(t), hci0, func(d bluez.Device) bool {
		if d.Address == addr {
			if err := c.SetPowered(within(t), hci0, false); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	if !errors.Is(err, bluez.ErrNotReady) {
		t.Errorf("switched off: got %v, want ErrNotReady", err)
	}
	if err := c.Discover(within(t), hci0, func(bluez.Device) bool { return true }); !errors.Is(err, bluez.ErrNotReady) {
		t.Errorf("off: got %v, want ErrNotReady", err)
	}
	if err := c.SetPowered(within(t), hci0, true); err != nil {
		t.Fatal(err)
	}
	appear(t, c, addr)
}

func TestIntegrationWatch(t *testing.T) {
	m := vmtest.Shared(t)
	addr := m.AddMeter(t, nil).Address()
	c := dialBlueZ(t)
	w, err := c.Watch(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	// expect reads on until each of the events has come, in this order.
	expect := func(what string, want ...func(bluez.Event) bool) {
		t.Helper()
		var seen []string
		for len(want) > 0 {
			e, err := w.Next(within(t))
			if err != nil {
				t.Fatalf("%s: %v; seen %v", what, err, seen)
			}
			seen = append(seen, fmt.Sprint(e.Kind, e.Changed))
			if want[0](e) {
				want = want[1:]
			}
		}
	}
	kind := func(k bluez.EventKind) func(bluez.Event) bool {
		return func(e bluez.Event) bool { return e.Kind == k }
	}
	device := func(k bluez.EventKind) func(bluez.Event) bool {
		return func(e bluez.Event) bool { return e.Kind == k && e.Device.Address == addr }
	}
	changed := func(property string) func(bluez.Event) bool {
		return func(e bluez.Event) bool {
			return e.Kind == bluez.DeviceChanged && e.Device.Address == addr && slices.Contains(e.Changed, property)
		}
	}
	powered := func(on bool) func(bluez.Event) bool {
		return func(e bluez.Event) bool { return e.Kind == bluez.AdapterChanged && e.Adapter.Powered == on }
	}

	expect("begin", kind(bluez.DaemonUp), kind(bluez.AdapterAdded))
	appear(t, c, addr)
	expect("discovery", device(bluez.DeviceAdded), changed("RSSI")) // which ends with it
	if err := c.Pair(within(t), hci0, addr, answer("1234")); err != nil {
		t.Fatal(err)
	}
	expect("pairing", changed("Connected"), changed("Paired"))
	if err := c.Remove(within(t), hci0, addr); err != nil {
		t.Fatal(err)
	}
	expect("removal", device(bluez.DeviceRemoved))
	for _, on := range []bool{false, true} {
		if err := c.SetPowered(within(t), hci0, on); err != nil {
			t.Fatal(err)
		}
	}
	expect("power", powered(false), powered(true))

	m.StopDaemon(t)
	expect("daemon killed", kind(bluez.DaemonDown))
	if _, err := c.Adapters(within(t)); !errors.Is(err, bluez.ErrNoDaemon) {
		t.Errorf("without a daemon: got %v, want ErrNoDaemon", err)
	}
	if _, err := bluez.Dial(within(t)); !errors.Is(err, bluez.ErrNoDaemon) {
		t.Errorf("Dial without a daemon: got %v, want ErrNoDaemon", err)
	}
	m.StartDaemon(t)
	expect("daemon back", kind(bluez.DaemonUp), kind(bluez.AdapterAdded))
	appear(t, c, addr)
	expect("discovery after that", device(bluez.DeviceAdded))

	m.Unplug(t)
	expect("unplugged", kind(bluez.AdapterRemoved))
}

func TestIntegrationSerialProfile(t *testing.T) {
	vmtest.Shared(t)
	c, other := dialBlueZ(t), dialBlueZ(t)
	for range 2 { // the second time after it was withdrawn
		p, err := c.RegisterSerialProfile(within(t), 1, "PowerSpy")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.RegisterSerialProfile(within(t), 1, "PowerSpy"); !errors.Is(err, os.ErrExist) {
			t.Errorf("twice: got %v, want os.ErrExist", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		a, err := c.RegisterDefaultAgent(within(t), func(bdaddr.Address) string { return "1234" })
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
