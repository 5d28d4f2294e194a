//go:build integration && linux

package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
	"powerspy2/internal/integration/air"
	"powerspy2/powerspy/sim"
)

const (
	hostDir = "/host" // what scripts/vm/run shares with the guest
	saveDir = hostDir + "/save"

	// waitTime bounds every wait for the machine itself.
	waitTime = 60 * time.Second

	hci0 = "hci0"
)

// A Machine is the guest with a bus, an air and bluetoothd.
type Machine struct {
	Air *air.Controller // nil with btvirt

	conn *dbus.Conn

	mu       sync.Mutex // guards watchers
	watchers map[*func(*dbus.Signal)]struct{}

	daemon *exec.Cmd // bluetoothd, nil while there is none
	log    string    // bluetoothd's

	meters int  // so many have been in range
	dooms  bool // the test may kill the kernel's RFCOMM
}

var (
	shared     *Machine
	sharedOnce sync.Once
)

// quickInquiry makes an inquiry last five seconds instead of ten, which nearly
// every test has to wait for. In a shorter one a bluetoothd that is slow says
// too late which names it wants, and gets none.
const quickInquiry = 640 * time.Millisecond

// Shared returns the machine of this guest, with a synthetic air, BlueZ running
// and hci0 switched on; the test gets a user and an air of its own: see
// [Machine.Reset]. Inquiries are quicker than real ones.
func Shared(t testing.TB) *Machine {
	t.Helper()
	inGuest(t)
	sharedOnce.Do(func() {
		m := newMachine(t)
		m.Air = air.New(air.Config{})
		m.plug(t)
		m.StartDaemon(t)
		shared = m
	})
	if shared == nil {
		t.Fatal("the machine did not start; see the first test")
	}
	shared.Reset(t)
	return shared
}

// inGuest fails a test that does not run in a guest of scripts/vm.
func inGuest(t testing.TB) {
	t.Helper()
	if name, err := os.Hostname(); err != nil || name != "powerspy-vm" || os.Getuid() != 0 {
		t.Fatalf("this test changes the machine it runs on: run it with scripts/vm/test (host name %q, %v)", name, err)
	}
}

func newMachine(t testing.TB) *Machine {
	t.Helper()
	m := &Machine{watchers: make(map[*func(*dbus.Signal)]struct{}), log: filepath.Join(saveDir, "bluetoothd.log")}
	m.startBus(t)
	return m
}

// plug puts the synthetic adapter into the machine for as long as it runs.
func (m *Machine) plug(t testing.TB) {
	t.Helper()
	opened := make(chan error, 1)
	go func() {
		err := m.Air.Serve(context.Background(), func() (io.ReadWriteCloser, error) {
			rw, err := air.OpenVHCI()
			select {
			case opened <- err:
			default:
			}
			return rw, err
		})
		fmt.Fprintln(os.Stderr, "vmtest: the air ended:", err)
	}()
	if err := <-opened; err != nil {
		t.Fatalf("plug the adapter in: %v", err)
	}
}

// StartDaemon starts bluetoothd and waits until hci0 is switched on.
func (m *Machine) StartDaemon(t testing.TB) {
	t.Helper()
	m.startDaemon(t)
	m.waitAdapter(t, hci0, true, true)
}

func (m *Machine) startDaemon(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	path := "/usr/libexec/bluetooth/bluetoothd"
	cmd := exec.Command(path, "-n", "-d")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start bluetoothd: %v", err)
	}
	m.daemon = cmd
	m.wait(t, "bluetoothd on the bus", m.hasDaemon)
}

// StopDaemon kills bluetoothd.
func (m *Machine) StopDaemon(t testing.TB) {
	t.Helper()
	m.endDaemon(t, syscall.SIGKILL)
}

// TerminateDaemon ends bluetoothd as `systemctl stop` does: it switches its
// adapters off.
func (m *Machine) TerminateDaemon(t testing.TB) {
	t.Helper()
	m.endDaemon(t, syscall.SIGTERM)
}

func (m *Machine) endDaemon(t testing.TB, how syscall.Signal) {
	t.Helper()
	if err := m.daemon.Process.Signal(how); err != nil {
		t.Fatalf("end bluetoothd: %v", err)
	}
	var exit *exec.ExitError
	if err := m.daemon.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("end bluetoothd: %v", err)
	}
	m.daemon = nil
	m.wait(t, "bluetoothd off the bus", func(ctx context.Context) (bool, error) {
		has, err := m.hasDaemon(ctx)
		return !has, err
	})
}

// Reset gives the test a user who has never measured, BlueZ without devices,
// and an air without meters. At the end of the test it looks whether the
// kernel's RFCOMM has survived, and shows bluetoothd's log when the test
// failed.
func (m *Machine) Reset(t testing.TB) {
	t.Helper()
	alive := KernelRFCOMMAlive(t)
	if !alive {
		t.Fatal("an earlier test killed the kernel's RFCOMM")
	}
	for _, d := range m.Air.Devices() {
		m.Air.Remove(d)
	}
	m.Air.SetInquiryUnit(quickInquiry)
	m.dooms = false
	m.forgetDevices(t)
	makeHomes(t)
	begin := fileSize(m.log)
	t.Cleanup(func() {
		if !m.dooms && !KernelRFCOMMAlive(t) {
			t.Error("the kernel's RFCOMM is dead: a connect to an absent meter killed krfcommd")
		}
		if t.Failed() {
			t.Logf("bluetoothd:\n%s", tail(m.log, begin, 30))
		}
	})
}

// Doom allows the test to kill the kernel's RFCOMM, where the kernel has the bug.
func (m *Machine) Doom(t testing.TB) {
	t.Helper()
	m.dooms = DiesOfFailedConnect(t)
}

// forgetDevices makes BlueZ forget every device.
func (m *Machine) forgetDevices(t testing.TB) {
	t.Helper()
	m.wait(t, "no devices", func(ctx context.Context) (bool, error) {
		o, err := m.objects(ctx)
		if err != nil {
			return false, err
		}
		none := true
		for path, ifaces := range o {
			if _, ok := ifaces[deviceIface]; !ok {
				continue
			}
			none = false
			adapter := dbus.ObjectPath(filepath.Dir(string(path)))
			err = errors.Join(err, m.conn.Object(bluezName, adapter).CallWithContext(ctx, adapterIface+".RemoveDevice", dbus.FlagNoAutoStart, path).Err)
		}
		if !none {
			o, rerr := m.objects(ctx)
			if rerr != nil {
				return false, errors.Join(err, rerr)
			}
			none = !o.hasDevices()
		}
		return none, err
	})
}

func (o objects) hasDevices() bool {
	for _, ifaces := range o {
		if _, ok := ifaces[deviceIface]; ok {
			return true
		}
	}
	return false
}

// A Meter is a simulated meter in the synthetic air.
type Meter struct {
	*air.Device
	Sim *sim.Meter
}

// AddMeter puts a meter named "PowerSpy 4567" with PIN 1234 and an address of
// its own into the air; change what has to be different.
func (m *Machine) AddMeter(t testing.TB, change func(*air.DeviceConfig, *sim.Config)) *Meter {
	t.Helper()
	m.meters++
	cfg := air.DeviceConfig{
		// A new address each time: BlueZ remembers names by address for ever.
		Address: bdaddr.Address{0x00, 0x0b, 0xce, 0x07, byte(m.meters >> 8), byte(m.meters)},
		Name:    "PowerSpy 4567",
	}
	simCfg := sim.DefaultConfig()
	simCfg.Link, simCfg.Radio, simCfg.First = sim.LinkExponential, sim.Radio{}, sim.First{} // The link is the one under test.
	if change != nil {
		change(&cfg, &simCfg)
	}
	s := sim.New(simCfg)
	cfg.Dial = func(ctx context.Context) (io.ReadWriteCloser, error) { return s.Dial(ctx) }
	d, err := m.Air.Add(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &Meter{Device: d, Sim: s}
}

// DeviceFlag returns the value of a flag of BlueZ's device for an address:
// "Paired", "Trusted"... It is false when BlueZ does not know the device.
func (m *Machine) DeviceFlag(t testing.TB, address bdaddr.Address, flag string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	o, err := m.objects(ctx)
	if err != nil {
		t.Fatal(err)
	}
	on, _ := o.property(devicePath(hci0, address), deviceIface, flag).(bool)
	return on
}

func devicePath(adapter string, a bdaddr.Address) dbus.ObjectPath {
	return dbus.ObjectPath("/org/bluez/" + adapter + "/dev_" + strings.ReplaceAll(a.String(), ":", "_"))
}

// WatchDiscovery returns a function that says how often a discovery was begun
// since.
func (m *Machine) WatchDiscovery(t testing.TB) (count func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	t.Cleanup(m.watch(func(s *dbus.Signal) {
		if s.Name != "org.freedesktop.DBus.Properties.PropertiesChanged" || len(s.Body) < 2 || s.Body[0] != adapterIface {
			return
		}
		changes, _ := s.Body[1].(map[string]dbus.Variant)
		if on, _ := changes["Discovering"].Value().(bool); on {
			mu.Lock()
			n++
			mu.Unlock()
		}
	}))
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// SetPowered switches hci0 on or off, as bluetoothctl does, for the test.
func (m *Machine) SetPowered(t testing.TB, on bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	if err := m.set(ctx, adapterPath(hci0), adapterIface, "Powered", on); err != nil {
		t.Fatalf("set Powered to %t: %v", on, err)
	}
	m.waitAdapter(t, hci0, true, on)
}

// Block switches all Bluetooth off or on with rfkill.
func (m *Machine) Block(t testing.TB, blocked bool) {
	t.Helper()
	verb := map[bool]string{true: "block", false: "unblock"}[blocked]
	if out, err := exec.Command("rfkill", verb, "bluetooth").CombinedOutput(); err != nil {
		t.Fatalf("rfkill %s: %v\n%s", verb, err, out)
	}
	m.waitAdapter(t, hci0, true, !blocked)
}

// Unplug pulls the adapter out for the rest of the test.
func (m *Machine) Unplug(t testing.TB) {
	t.Helper()
	m.Air.Unplug()
	m.waitAdapter(t, hci0, false, false)
	t.Cleanup(func() {
		m.Air.Plug()
		m.waitAdapter(t, hci0, true, true)
	})
}

// Replug pulls the adapter out and puts it back, which resets what the kernel
// and the adapter think of each other.
func (m *Machine) Replug(t testing.TB) {
	t.Helper()
	m.Air.Unplug()
	m.waitAdapter(t, hci0, false, false)
	m.Air.Plug()
	m.waitAdapter(t, hci0, true, true)
}

// policy is where Debian's bluez says who may talk to bluetoothd.
const policy = "/usr/share/dbus-1/system.d/bluetooth.conf"

// RestrictPolicy lets only root and the group bluetooth talk to BlueZ for the
// rest of the test, as some systems do.
func (m *Machine) RestrictPolicy(t testing.TB) {
	t.Helper()
	path := policy
	if _, err := os.Stat(path); err != nil {
		path = "/etc/dbus-1/system.d/bluetooth.conf"
	}
	debian, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	restricted := strings.Replace(string(debian), "</busconfig>",
		`<policy context="default"><deny send_destination="org.bluez"/></policy>
<policy user="root"><allow send_destination="org.bluez"/></policy>
<policy group="bluetooth"><allow send_destination="org.bluez"/></policy>
</busconfig>`, 1)
	m.setPolicy(t, path, restricted)
	t.Cleanup(func() { m.setPolicy(t, path, string(debian)) })
}

func (m *Machine) setPolicy(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	if err := m.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ReloadConfig", 0).Err; err != nil {
		t.Fatalf("reload the bus's policy: %v", err)
	}
}
