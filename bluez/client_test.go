package bluez

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

func TestDial(t *testing.T) {
	b := startBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", b.address)

	if _, err := Dial(testContext(t)); !errors.Is(err, ErrNoDaemon) || errors.Is(err, ErrNoBus) {
		t.Errorf("without a daemon: got %v, want ErrNoDaemon", err)
	}
	b.checkNotActivated(t)

	startFake(t, b)
	c, err := Dial(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := c.Adapters(testContext(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: got %v, want net.ErrClosed", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want context.Canceled", err)
	}
}

func TestDialNoBus(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "none"))
	_, err := Dial(testContext(t))
	if !errors.Is(err, ErrNoBus) || !errors.Is(err, ErrNoDaemon) {
		t.Errorf("got %v, want ErrNoBus", err)
	}
	if errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v passes for a device that does not exist", err)
	}
}

// A bus that accepts and says nothing must not hold Dial beyond its context.
func TestDialSilentBus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if conn, err := l.Accept(); err == nil {
			accepted <- conn
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		if conn, ok := <-accepted; ok {
			_ = conn.Close()
		}
	})
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

// operations are all that can be asked of BlueZ.
func operations(c *Client) map[string]func(context.Context) error {
	never := func(Device) bool { return false }
	noPIN := func(context.Context) (string, error) { return "", errors.New("not asked for") }
	return map[string]func(context.Context) error{
		"Adapters":        func(ctx context.Context) error { _, err := c.Adapters(ctx); return err },
		"Adapter":         func(ctx context.Context) error { _, err := c.Adapter(ctx, "hci0"); return err },
		"Devices":         func(ctx context.Context) error { _, err := c.Devices(ctx); return err },
		"Device":          func(ctx context.Context) error { _, err := c.Device(ctx, "hci0", meterAddress); return err },
		"SetPowered":      func(ctx context.Context) error { return c.SetPowered(ctx, "hci0", true) },
		"SetAlias":        func(ctx context.Context) error { return c.SetAlias(ctx, "hci0", "x") },
		"SetDiscoverable": func(ctx context.Context) error { return c.SetDiscoverable(ctx, "hci0", true, 0) },
		"SetPairable":     func(ctx context.Context) error { return c.SetPairable(ctx, "hci0", true) },
		"Discover":        func(ctx context.Context) error { return c.Discover(ctx, "hci0", never) },
		"Pair":            func(ctx context.Context) error { return c.Pair(ctx, "hci0", meterAddress, noPIN) },
		"SetTrusted":      func(ctx context.Context) error { return c.SetTrusted(ctx, "hci0", meterAddress, true) },
		"Disconnect":      func(ctx context.Context) error { return c.Disconnect(ctx, "hci0", meterAddress) },
		"Remove":          func(ctx context.Context) error { return c.Remove(ctx, "hci0", meterAddress) },
		"Watch":           func(ctx context.Context) error { _, err := c.Watch(ctx); return err },
		"RegisterSerialProfile": func(ctx context.Context) error {
			_, err := c.RegisterSerialProfile(ctx, 1, "x")
			return err
		},
		"RegisterDefaultAgent": func(ctx context.Context) error {
			_, err := c.RegisterDefaultAgent(ctx, nil)
			return err
		},
	}
}

// checkOperations wants every operation to fail with want, as an *Error.
func checkOperations(t *testing.T, c *Client, want error, except ...string) {
	t.Helper()
	for name, op := range operations(c) {
		if len(except) > 0 && except[0] == name {
			continue
		}
		err := op(testContext(t))
		var e *Error
		if !errors.Is(err, want) || !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *Error of %v", name, err, want)
		}
	}
}

func TestPolicyDenies(t *testing.T) {
	b := startBusPolicy(t, "deny")
	f := startFake(t, b)
	checkOperations(t, b.dial(t), os.ErrPermission)
	f.do(func() {
		if len(f.calls) != 0 {
			t.Errorf("the policy let through: %v", f.calls)
		}
	})
}

func TestDaemonLeft(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	f.leave()
	checkOperations(t, c, ErrNoDaemon, "Watch") // which tells it by an event
	b.checkNotActivated(t)
}

func TestDaemonVanishesInCall(t *testing.T) {
	for name := range operations(nil) {
		t.Run(name, func(t *testing.T) {
			b := startBus(t)
			f := startFake(t, b)
			c := b.dial(t)
			called := make(chan struct{}, 10)
			f.do(func() {
				for member := range f.handlers {
					f.handlers[member] = func(*fakeCall) { called <- struct{}{} }
				}
			})
			result := make(chan error, 1)
			go func() { result <- operations(c)[name](testContext(t)) }()
			<-called
			f.leave()
			err := <-result
			if name == "Watch" {
				if err != nil { // an event tells it
					t.Error(err)
				}
			} else if !errors.Is(err, ErrNoDaemon) {
				t.Errorf("got %v, want ErrNoDaemon", err)
			}
		})
	}
}

func TestDaemonHangs(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	f.do(func() {
		for member := range f.handlers {
			f.handlers[member] = func(*fakeCall) {}
		}
	})
	c := b.dial(t)
	c.timeout, c.pairTimeout = 20*time.Millisecond, 20*time.Millisecond
	checkOperations(t, c, ErrNoAnswer)
	if !errors.Is(ErrNoAnswer, os.ErrDeadlineExceeded) {
		t.Error("ErrNoAnswer is not an os.ErrDeadlineExceeded")
	}

	c.timeout, c.pairTimeout = callTimeout, pairTimeout
	for name, op := range operations(c) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		c.timeout = 100 * time.Millisecond // what is said in parting
		if err := op(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s: got %v, want context.DeadlineExceeded", name, err)
		}
		cancel()
	}
}

func TestBusLost(t *testing.T) {
	b := startBus(t)
	startFake(t, b)
	c := b.dial(t)
	w, err := c.Watch(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Next(testContext(t))
	}
	if !errors.Is(err, ErrNoBus) {
		t.Errorf("Next: got %v, want ErrNoBus", err)
	}
	checkOperations(t, c, ErrNoBus)
}

func TestAdapters(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c, ctx := b.dial(t), testContext(t)
	f.do(func() {
		f.appear("/org/bluez/hci10", fakeAdapter("00:00:00:00:00:10"))
		f.appear("/org/bluez/hci2", fakeAdapter("00:00:00:00:00:02"))
	})
	list, err := c.Adapters(ctx)
	if err != nil {
		t.Fatal(err)
	}
	adapter := func(id, address string) Adapter {
		return Adapter{ID: id, Address: mustParse(address), Name: "bench", Alias: "bench", Powered: true, Modalias: "usb:v1D6Bp0246d0542"}
	}
	want := []Adapter{adapter("hci0", "00:1A:7D:DA:71:13"), adapter("hci2", "00:00:00:00:00:02"), adapter("hci10", "00:00:00:00:00:10")}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("unexpected adapters (-want +got):\n%s", diff)
	}
	for id, want := range map[string]error{
		"hci0": nil, "hci7": os.ErrNotExist, "": os.ErrNotExist, "hci0/x": os.ErrNotExist, "hci 0": os.ErrNotExist, "é": os.ErrNotExist,
	} {
		a, err := c.Adapter(ctx, id)
		if !errors.Is(err, want) {
			t.Errorf("Adapter(%q): got %v, want %v", id, err, want)
		}
		if want == nil && a != list[0] {
			t.Errorf("Adapter(%q) = %+v, want %+v", id, a, list[0])
		}
	}
}

func TestAdapterSettings(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c, ctx := b.dial(t), testContext(t)
	for _, err := range []error{
		c.SetPowered(ctx, "hci0", false),
		c.SetAlias(ctx, "hci0", "PowerSpy 4567"),
		c.SetDiscoverable(ctx, "hci0", true, 90*time.Second),
		c.SetPairable(ctx, "hci0", true),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	f.do(func() {
		got := f.objects["/org/bluez/hci0"][adapter1]
		for name, want := range map[string]any{
			"Powered": false, "Alias": "PowerSpy 4567", "Discoverable": true, "DiscoverableTimeout": uint32(90), "Pairable": true,
		} {
			if got[name].Value() != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	})
	if err := c.SetPowered(ctx, "hci9", true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such adapter: got %v, want os.ErrNotExist", err)
	}
	// Cannot be sent over D-Bus at all, and must do no harm to the connection.
	if err := c.SetAlias(ctx, "hci0", "\xff"); err == nil {
		t.Error("an alias that is not UTF-8 was taken")
	}
	if _, err := c.Adapters(ctx); err != nil {
		t.Error(err)
	}
}

func TestDevices(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c, ctx := b.dial(t), testContext(t)
	f.do(func() {
		f.appear(meterPath, fakeDevice("hci0", meterString))
		f.appear(otherPath, fakeDevice("hci0", otherString))
		f.change(otherPath, device1, variants(map[string]any{
			"Name": "PowerSpy 0001", "Alias": "PowerSpy 0001", "Paired": true, "Bonded": true, "Trusted": true, "Connected": true,
			"UUIDs": []string{serialPortUUID},
		}), "RSSI")
		// What BlueZ has below a device is not a device.
		f.appear(meterPath+"/player0", map[string]map[string]dbus.Variant{"org.bluez.MediaPlayer1": {}})
	})
	want := []Device{
		{
			Adapter: "hci0", Address: otherAddress, Name: "PowerSpy 0001", Alias: "PowerSpy 0001", Class: 0x1f00,
			Paired: true, Bonded: true, Trusted: true, Connected: true, UUIDs: []string{serialPortUUID},
		},
		{Adapter: "hci0", Address: meterAddress, Alias: "00-0B-CE-07-1D-32", Class: 0x1f00, RSSI: -52, InRange: true, UUIDs: []string{}},
	}
	got, err := c.Devices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unexpected devices (-want +got):\n%s", diff)
	}
	one, err := c.Device(ctx, "hci0", otherAddress)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[0], one); diff != "" {
		t.Errorf("unexpected device (-want +got):\n%s", diff)
	}

	if err := c.SetTrusted(ctx, "hci0", meterAddress, true); err != nil {
		t.Error(err)
	}
	f.do(func() {
		if f.objects[meterPath][device1]["Trusted"].Value() != true {
			t.Error("not trusted")
		}
	})
	for range 2 { // the second time it is not connected any more
		if err := c.Disconnect(ctx, "hci0", otherAddress); err != nil {
			t.Error(err)
		}
	}
	if err := c.Remove(ctx, "hci0", otherAddress); err != nil {
		t.Error(err)
	}
	for name, op := range operations(c) {
		switch name {
		case "Device", "SetTrusted", "Disconnect", "Remove":
			if err := c.Remove(ctx, "hci0", meterAddress); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			if err := op(ctx); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s of an unknown device: got %v, want os.ErrNotExist", name, err)
			}
		}
	}
}

func TestUnexpectedTypes(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c, ctx := b.dial(t), testContext(t)
	f.do(func() {
		f.appear(meterPath, fakeDevice("hci0", meterString))
		f.objects[meterPath][device1]["RSSI"] = dbus.MakeVariant("strong")
	})
	for name, op := range map[string]func() error{
		"Devices": func() error { _, err := c.Devices(ctx); return err },
		"Device":  func() error { _, err := c.Device(ctx, "hci0", meterAddress); return err },
	} {
		if err := op(); err == nil || !strings.Contains(err.Error(), "org.bluez.Device1.RSSI") {
			t.Errorf("%s: got %v, want an error that names the property", name, err)
		}
	}
	f.on("GetManagedObjects", func(c *fakeCall) { c.reply("nothing") })
	if _, err := c.Adapters(ctx); err == nil {
		t.Error("a string was taken for objects")
	}
	f.on("GetManagedObjects", func(c *fakeCall) { c.reply() })
	if _, err := c.Adapters(ctx); err == nil {
		t.Error("nothing was taken for objects")
	}
}
