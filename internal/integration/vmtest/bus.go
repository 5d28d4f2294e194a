//go:build integration && linux

package vmtest

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	bluezName     = "org.bluez"
	adapterIface  = "org.bluez.Adapter1"
	deviceIface   = "org.bluez.Device1"
	objectManager = "org.freedesktop.DBus.ObjectManager"
)

// objects are BlueZ's objects with their interfaces and properties.
type objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// property returns a property of an interface of an object, nil without one.
func (o objects) property(path dbus.ObjectPath, iface, name string) any {
	return o[path][iface][name].Value()
}

// startBus starts the system bus and connects to it. Signals from BlueZ and
// of names that change hands wake m.wait.
func (m *Machine) startBus(t testing.TB) {
	t.Helper()
	// It returns when the socket is there.
	if out, err := exec.Command("dbus-daemon", "--system", "--fork", "--nopidfile").CombinedOutput(); err != nil {
		t.Fatalf("start dbus-daemon: %v\n%s", err, out)
	}
	conn, err := dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		t.Fatalf("connect to the bus: %v", err)
	}
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(bluezName)},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName)},
	} {
		if err := conn.AddMatchSignal(match...); err != nil {
			t.Fatalf("watch the bus: %v", err)
		}
	}
	m.conn = conn
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	go func() {
		for s := range signals {
			m.mu.Lock()
			for w := range m.watchers {
				(*w)(s)
			}
			m.mu.Unlock()
		}
	}()
}

// watch calls f with every signal until the returned function is called.
func (m *Machine) watch(f func(*dbus.Signal)) (stop func()) {
	w := &f
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = struct{}{}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, w)
	}
}

// wait waits until cond is met, looking again after each signal.
func (m *Machine) wait(t testing.TB, what string, cond func(ctx context.Context) (bool, error)) {
	t.Helper()
	if ok, last := m.within(waitTime, cond); !ok {
		t.Fatalf("waited %v for %s in vain (last error: %v)", waitTime, what, last)
	}
}

// within reports whether a condition is met in time, and if not its last error.
func (m *Machine) within(limit time.Duration, cond func(ctx context.Context) (bool, error)) (met bool, last error) {
	changed := make(chan struct{}, 1)
	defer m.watch(func(*dbus.Signal) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		ok, err := cond(ctx)
		if ok && err == nil {
			return true, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, err
		}
	}
}

// hasDaemon reports whether BlueZ is on the bus, without having it activated.
func (m *Machine) hasDaemon(ctx context.Context) (has bool, err error) {
	err = m.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, bluezName).Store(&has)
	return has, err
}

// objects asks BlueZ for everything it has. It must be on the bus.
func (m *Machine) objects(ctx context.Context) (o objects, err error) {
	call := m.conn.Object(bluezName, "/").CallWithContext(ctx, objectManager+".GetManagedObjects", dbus.FlagNoAutoStart)
	if err := call.Store(&o); err != nil {
		return nil, fmt.Errorf("list BlueZ's objects: %w", err)
	}
	return o, nil
}

// waitAdapter waits until an adapter is there, or gone, and switched on or off.
func (m *Machine) waitAdapter(t testing.TB, id string, present, powered bool) {
	t.Helper()
	m.wait(t, fmt.Sprintf("adapter %s (present %t, powered %t)", id, present, powered), func(ctx context.Context) (bool, error) {
		if has, err := m.hasDaemon(ctx); err != nil || !has {
			return false, err
		}
		o, err := m.objects(ctx)
		if err != nil {
			return false, err
		}
		p, ok := o.property(adapterPath(id), adapterIface, "Powered").(bool)
		return ok == present && p == powered, nil
	})
}

func adapterPath(id string) dbus.ObjectPath { return dbus.ObjectPath("/org/bluez/" + id) }

// set sets a property of one of BlueZ's objects.
func (m *Machine) set(ctx context.Context, path dbus.ObjectPath, iface, property string, value any) error {
	return m.conn.Object(bluezName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Set", dbus.FlagNoAutoStart,
		iface, property, dbus.MakeVariant(value)).Err
}
