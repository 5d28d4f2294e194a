package bluez

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// brief is an event in one line.
func brief(e Event) string {
	s := e.Kind.String()
	switch e.Kind {
	case AdapterAdded, AdapterRemoved:
		s += " " + e.Adapter.ID
	case AdapterChanged:
		s += fmt.Sprintf(" %s %v powered=%v", e.Adapter.ID, e.Changed, e.Adapter.Powered)
	case DeviceAdded, DeviceRemoved:
		s += " " + e.Device.Address.String()
	case DeviceChanged:
		s += fmt.Sprintf(" %s %v name=%q rssi=%d paired=%v", e.Device.Address, e.Changed, e.Device.Name, e.Device.RSSI, e.Device.Paired)
	}
	return s
}

// checkEvents wants exactly these events next.
func checkEvents(t *testing.T, w *Watcher, want ...string) {
	t.Helper()
	var got []string
	for range want {
		e, err := w.Next(testContext(t))
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, brief(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("unexpected events (-want +got):\n%s", diff)
	}
}

func watch(t *testing.T, c *Client) *Watcher {
	t.Helper()
	w, err := c.Watch(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestWatch(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	f.do(func() { f.appear(meterPath, fakeDevice("hci0", meterString)) })
	c := b.dial(t)
	w := watch(t, c)
	f.do(func() {
		f.appear("/org/bluez/hci1", fakeAdapter("00:00:00:00:00:01"))
		f.appear(otherPath, fakeDevice("hci0", otherString))
		f.change(meterPath, device1, variants(map[string]any{"Name": "PowerSpy 4567", "Alias": "PowerSpy 4567"}))
		f.change(meterPath, device1, variants(map[string]any{"Paired": true}), "RSSI")
		f.change("/org/bluez/hci0", adapter1, variants(map[string]any{"Powered": false}))
		f.change("/org/bluez/hci0", "org.bluez.Media1", variants(map[string]any{"Powered": 7}))
		f.vanish(otherPath)
		f.vanish("/org/bluez/hci1")
	})
	checkEvents(t, w,
		"DaemonUp", "AdapterAdded hci0", "DeviceAdded "+meterString,
		"AdapterAdded hci1",
		"DeviceAdded "+otherString,
		"DeviceChanged "+meterString+` [Alias Name] name="PowerSpy 4567" rssi=-52 paired=false`,
		"DeviceChanged "+meterString+` [Paired RSSI] name="PowerSpy 4567" rssi=0 paired=true`,
		"AdapterChanged hci0 [Powered] powered=false",
		"DeviceRemoved "+otherString,
		"AdapterRemoved hci1",
	)

	// A property of a wrong type is told, and does not end the watch.
	f.do(func() {
		f.change(meterPath, device1, variants(map[string]any{"Connected": "yes"}))
		f.change(meterPath, device1, variants(map[string]any{"RSSI": int16(-1)}))
	})
	if _, err := w.Next(testContext(t)); err == nil || !strings.Contains(err.Error(), "org.bluez.Device1.Connected") {
		t.Errorf("got %v, want an error that names the property", err)
	}
	checkEvents(t, w, "DeviceChanged "+meterString+` [RSSI] name="PowerSpy 4567" rssi=-1 paired=true`)

	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// Property changes stay in order, however late they are fetched, and for
// several watchers at a time.
func TestWatchFlood(t *testing.T) {
	const n = 5000
	b := startBus(t)
	f := startFake(t, b)
	f.do(func() { f.appear(meterPath, fakeDevice("hci0", meterString)) })
	c := b.dial(t)
	flooded := make(chan struct{})
	watchers := []*Watcher{watch(t, c), watch(t, c)}
	go func() {
		defer close(flooded)
		for i := range n {
			f.do(func() {
				f.change(meterPath, device1, variants(map[string]any{"RSSI": int16(i), "Name": fmt.Sprint(i)}))
			})
		}
	}()
	for _, w := range watchers {
		checkEvents(t, w, "DaemonUp", "AdapterAdded hci0", "DeviceAdded "+meterString)
		for i := range n {
			e, err := w.Next(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != DeviceChanged || e.Device.RSSI != int16(i) || e.Device.Name != fmt.Sprint(i) {
				t.Fatalf("event %d: got %s", i, brief(e))
			}
		}
	}
	<-flooded
}

// A watch that begins in the middle of changes misses none and repeats none.
func TestWatchBeginsInFlood(t *testing.T) {
	const n = 2000
	b := startBus(t)
	f := startFake(t, b)
	f.do(func() {
		f.appear(meterPath, fakeDevice("hci0", meterString))
		f.change(meterPath, device1, variants(map[string]any{"RSSI": int16(0)}))
	})
	c := b.dial(t)
	begun := make(chan struct{})
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for i := range n {
			if i == 100 {
				close(begun)
			}
			f.do(func() { f.change(meterPath, device1, variants(map[string]any{"RSSI": int16(i + 1)})) })
		}
	}()
	<-begun
	w := watch(t, c)
	checkEvents(t, w, "DaemonUp", "AdapterAdded hci0")
	last := int16(-1)
	for last != n {
		e, err := w.Next(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if last != -1 && e.Device.RSSI != last+1 {
			t.Fatalf("got %d after %d", e.Device.RSSI, last)
		}
		last = e.Device.RSSI
	}
	<-flooded
}

func TestWatchDaemon(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	w := watch(t, c)
	checkEvents(t, w, "DaemonUp", "AdapterAdded hci0")
	f.leave()
	checkEvents(t, w, "DaemonDown")

	// Begun without a daemon.
	late := watch(t, c)
	checkEvents(t, late, "DaemonDown")

	f = startFake(t, b)
	f.do(func() { f.appear(meterPath, fakeDevice("hci0", meterString)) })
	for _, w := range []*Watcher{w, late} {
		checkEvents(t, w, "DaemonUp", "AdapterAdded hci0", "DeviceAdded "+meterString)
	}
	f.do(func() { f.vanish(meterPath) })
	for _, w := range []*Watcher{w, late} {
		checkEvents(t, w, "DeviceRemoved "+meterString)
	}
	b.checkNotActivated(t)
}

// A daemon that left before it could be asked is not reported as there.
// A watcher of its own needs no daemon to begin, tells at once what is there,
// and hangs up when it is closed.
func TestWatchOwn(t *testing.T) {
	b := startBus(t)
	connect := func(opts ...dbus.ConnOption) (*dbus.Conn, error) { return dbus.Connect(b.address, opts...) }
	w, err := watchOn(testContext(t), connect)
	if err != nil {
		t.Fatal(err)
	}
	if n := w.Buffered(); n != 1 {
		t.Errorf("%d events without a daemon", n)
	}
	checkEvents(t, w, "DaemonDown")
	if n := w.Buffered(); n != 0 {
		t.Errorf("%d events that nobody waited for", n)
	}
	startFake(t, b)
	checkEvents(t, w, "DaemonUp", "AdapterAdded hci0")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if w.c.conn.Connected() {
		t.Error("the connection is left open")
	}
	b.checkNotActivated(t)

	if w, err = watchOn(testContext(t), connect); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if n := w.Buffered(); n != 2 {
		t.Errorf("%d events, want the daemon and its adapter", n)
	}
	if _, err := watchOn(testContext(t), func(...dbus.ConnOption) (*dbus.Conn, error) { return nil, errors.New("no bus") }); !errors.Is(err, ErrNoBus) {
		t.Errorf("without a bus: %v", err)
	}
}

func TestWatchDaemonShort(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	w := watch(t, c)
	checkEvents(t, w, "DaemonUp", "AdapterAdded hci0")
	f.leave()
	startFake(t, b).leave()
	startFake(t, b)
	checkEvents(t, w, "DaemonDown", "DaemonUp", "AdapterAdded hci0")
}

// Anybody may send a signal straight to a connection.
func TestWatchForged(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	w := watch(t, c)
	forger := b.connect(t)
	send := func(object dbus.ObjectPath, iface, member string, body ...any) {
		t.Helper()
		call := forger.Send(&dbus.Message{
			Type: dbus.TypeSignal,
			Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldDestination: dbus.MakeVariant(c.conn.Names()[0]),
				dbus.FieldPath:        dbus.MakeVariant(object),
				dbus.FieldInterface:   dbus.MakeVariant(iface),
				dbus.FieldMember:      dbus.MakeVariant(member),
				dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(body...)),
			},
			Body: body,
		}, nil)
		if call.Err != nil {
			t.Fatal(call.Err)
		}
	}
	received := make(chan *dbus.Signal, 10)
	c.conn.Signal(received)
	send("/", objectManagerInterface, "InterfacesAdded", meterPath, fakeDevice("hci0", meterString))
	send("/org/freedesktop/DBus", busName, "NameOwnerChanged", bluezName, w.owner, "")
	for range 2 {
		<-received // so that what follows comes after
	}
	c.conn.RemoveSignal(received)
	f.do(func() { f.appear(otherPath, fakeDevice("hci0", otherString)) })
	checkEvents(t, w, "DaemonUp", "AdapterAdded hci0", "DeviceAdded "+otherString)
}

func TestWatchClose(t *testing.T) {
	b := startBus(t)
	startFake(t, b)
	for name, closeIt := range map[string]func(w *Watcher) error{
		"watcher": (*Watcher).Close,
		"client":  func(w *Watcher) error { return w.c.Close() },
	} {
		w := watch(t, b.dial(t))
		checkEvents(t, w, "DaemonUp", "AdapterAdded hci0")
		result := make(chan error, 1)
		go func() {
			_, err := w.Next(testContext(t))
			result <- err
		}()
		if err := closeIt(w); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s closed: got %v, want net.ErrClosed", name, err)
		}
	}
}

// Match rules name what is wanted: nothing else wakes this process, and none
// is left behind.
func TestWatchRules(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	w := watch(t, c)
	received := make(chan *dbus.Signal, 100)
	c.conn.Signal(received)
	f.do(func() {
		f.emit(meterPath, "org.bluez.Device1.Disconnected", "x", "y")
		f.emit("/elsewhere", "org.freedesktop.DBus.Properties.PropertiesChanged", device1, variants(nil), []string{})
		f.emit("/org/bluez/hci0", "org.freedesktop.DBus.Properties.PropertiesChanged", adapter1, variants(nil), []string{})
	})
	if s := <-received; s.Path != "/org/bluez/hci0" {
		t.Errorf("woken by %s of %s", s.Name, s.Path)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	f.do(func() {
		f.emit("/org/bluez/hci0", "org.freedesktop.DBus.Properties.PropertiesChanged", adapter1, variants(nil), []string{})
	})
	if _, err := c.Adapters(testContext(t)); err != nil { // comes after the signal, had it come
		t.Fatal(err)
	}
	c.conn.RemoveSignal(received)
	select {
	case s := <-received:
		t.Errorf("after Close: woken by %s", s.Name)
	default:
	}
}

func TestEventKindString(t *testing.T) {
	for k, want := range map[EventKind]string{DaemonUp: "DaemonUp", DeviceRemoved: "DeviceRemoved", 0: "EventKind(0)", 99: "EventKind(99)", -1: "EventKind(-1)"} {
		if k.String() != want {
			t.Errorf("got %q, want %q", k, want)
		}
	}
}
