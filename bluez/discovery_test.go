package bluez

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// A sighting is what a test remembers of a device that was found.
type sighting struct {
	Address, Name string
	RSSI          int16
}

func see(d Device) sighting { return sighting{d.Address.String(), d.Name, d.RSSI} }

// startedThen makes the fake run what follows in the background right after the
// answer to StartDiscovery.
func (f *fakeBluez) startedThen(follows func()) {
	f.t.Helper()
	f.do(func() {
		start := f.handlers["StartDiscovery"]
		f.handlers["StartDiscovery"] = func(c *fakeCall) {
			start(c)
			if f.finders[c.sender] {
				follows()
			}
		}
	})
}

func TestDiscover(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	const (
		unseen  = dbus.ObjectPath("/org/bluez/hci0/dev_00_0B_CE_00_00_02")
		another = dbus.ObjectPath("/org/bluez/hci1/dev_00_0B_CE_00_00_03")
		ended   = dbus.ObjectPath("/org/bluez/hci0/dev_00_0B_CE_00_00_04")
	)
	f.do(func() {
		// What BlueZ knew before: one that another program's discovery hears,
		// and one that is not in range.
		f.appear(otherPath, fakeDevice("hci0", otherString))
		f.appear(unseen, fakeDevice("hci0", "00:0B:CE:00:00:02"))
		f.change(unseen, device1, nil, "RSSI")
	})
	f.startedThen(func() {
		f.appear(another, fakeDevice("hci1", "00:0B:CE:00:00:03"))
		f.appear(meterPath, fakeDevice("hci0", meterString))
		f.change(meterPath, device1, variants(map[string]any{"LegacyPairing": false}))
		f.change(unseen, device1, variants(map[string]any{"Name": "not in range"}))
		f.change(meterPath, device1, variants(map[string]any{"RSSI": int16(-60)}))
		f.change(meterPath, device1, variants(map[string]any{"Name": "PowerSpy 4567", "Alias": "PowerSpy 4567"}))
		f.change(unseen, device1, variants(map[string]any{"RSSI": int16(-80)}))
		f.appear(ended, fakeDevice("hci0", "00:0B:CE:00:00:04"))
		f.appear("/org/bluez/hci0/dev_00_0B_CE_00_00_05", fakeDevice("hci0", "00:0B:CE:00:00:05"))
	})

	var got []sighting
	err := c.Discover(testContext(t), "hci0", func(d Device) bool {
		got = append(got, see(d))
		return d.Address == mustParse("00:0B:CE:00:00:04")
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []sighting{
		{otherString, "", -52},
		{meterString, "", -52},
		{meterString, "", -60},
		{meterString, "PowerSpy 4567", -60},
		{"00:0B:CE:00:00:02", "not in range", -80},
		{"00:0B:CE:00:00:04", "", -52},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unexpected sightings (-want +got):\n%s", diff)
	}
	f.do(func() {
		if len(f.finders) != 0 {
			t.Error("the discovery goes on")
		}
		if len(f.filter) != 1 || f.filter["Transport"].Value() != "bredr" {
			t.Errorf("unexpected filter %v", f.filter)
		}
	})
}

func TestDiscoverCancel(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	f.startedThen(func() { f.appear(meterPath, fakeDevice("hci0", meterString)) })
	ctx, cancel := context.WithCancel(testContext(t))
	err := c.Discover(ctx, "hci0", func(Device) bool {
		// While it goes on, this client can have no other.
		if err := c.Discover(ctx, "hci0", func(Device) bool { return true }); !errors.Is(err, ErrInProgress) {
			t.Errorf("second Discover: got %v, want ErrInProgress", err)
		}
		cancel()
		return false
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if n := f.called("StopDiscovery"); n != 1 {
		t.Errorf("StopDiscovery called %d times", n)
	}
	// The client can discover again.
	if err := c.Discover(testContext(t), "hci0", func(Device) bool { return true }); err != nil {
		t.Error(err)
	}
}

// A start that is given up may have reached the daemon all the same.
func TestDiscoverCancelStart(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	ctx, cancel := context.WithCancel(testContext(t))
	f.on("StartDiscovery", func(c *fakeCall) {
		f.finders[c.sender] = true
		cancel()
	})
	if err := c.Discover(ctx, "hci0", func(Device) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	f.do(func() {
		if len(f.finders) != 0 {
			t.Error("the discovery goes on")
		}
	})
}

func TestDiscoverRestart(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	// A discovery of this client's that its end did not reach.
	f.do(func() { f.finders[c.conn.Names()[0]] = true })
	f.startedThen(func() { f.change(meterPath, device1, variants(map[string]any{"RSSI": int16(-40)})) })
	f.do(func() { f.appear(meterPath, fakeDevice("hci0", meterString)) })
	n := 0
	err := c.Discover(testContext(t), "hci0", func(d Device) bool { n++; return d.RSSI == -40 })
	if err != nil {
		t.Error(err)
	}
	if n := f.called("StartDiscovery"); n != 2 {
		t.Errorf("StartDiscovery called %d times, want 2", n)
	}

	f.on("StartDiscovery", func(c *fakeCall) { c.fail("org.bluez.Error.InProgress", "Operation already in progress") })
	if err := c.Discover(testContext(t), "hci0", func(Device) bool { return true }); !errors.Is(err, ErrInProgress) {
		t.Errorf("got %v, want ErrInProgress", err)
	}
}

func TestDiscoverEnds(t *testing.T) {
	off := func(f *fakeBluez) {
		f.change("/org/bluez/hci0", adapter1, variants(map[string]any{"Powered": false}))
	}
	for name, tt := range map[string]struct {
		before, during func(f *fakeBluez)
		want           error
	}{
		"already off":  {before: off, want: ErrNotReady},
		"switched off": {during: off, want: ErrNotReady},
		"no adapter":   {before: func(f *fakeBluez) { f.vanish("/org/bluez/hci0") }, want: os.ErrNotExist},
		"unplugged":    {during: func(f *fakeBluez) { f.vanish("/org/bluez/hci0") }, want: os.ErrNotExist},
		// In a goroutine of its own, as the fake is busy with the call.
		"daemon leaves": {during: func(f *fakeBluez) { go f.leave() }, want: ErrNoDaemon},
		"bad property": {during: func(f *fakeBluez) {
			f.change("/org/bluez/hci0", adapter1, variants(map[string]any{"Powered": "off"}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBus(t)
			f := startFake(t, b)
			if tt.before != nil {
				f.do(func() { tt.before(f) })
			}
			if tt.during != nil {
				f.startedThen(func() { tt.during(f) })
			}
			err := b.dial(t).Discover(testContext(t), "hci0", func(Device) bool { return true })
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
