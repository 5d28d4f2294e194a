//go:build integration && linux

package vmtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

const hci1 = "hci1"

// Management commands (BlueZ, doc/mgmt-api.txt) that each switch a setting of
// an adapter.
const (
	mgmtSetPowered           = 0x0005
	mgmtSetSSP               = 0x000b
	mgmtSetLE                = 0x000d
	mgmtSetSecureConnections = 0x002d
)

// Btvirt returns a machine whose air is BlueZ's own emulator: hci0 is this
// machine's adapter, and hci1 a meter named "PowerSpy 4567" with PIN 1234 and a
// constant load, simulated by `powerspy sim --rfcomm`. There can be no other
// machine in this guest.
func Btvirt(t testing.TB) (m *Machine, meter bdaddr.Address) {
	t.Helper()
	inGuest(t)
	m = newMachine(t)
	stop := startVirt(t)
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("bluetoothd:\n%s", tail(m.log, 0, 60))
		}
	})
	m.startDaemon(t)
	// Where the emulator is slow to answer, the kernel gives a controller up
	// that has just been plugged in.
	for try := 1; !m.adaptersUp(hci0, hci1); try++ {
		if try == 3 {
			t.Fatal("the emulator's controllers do not come up")
		}
		fmt.Fprintln(os.Stderr, "vmtest: btvirt is started again: its controllers do not come up")
		stop()
		stop = startVirt(t)
	}

	// A Bluetooth 2.0 device pairs with a PIN. The settings can be changed only
	// in this order.
	mgmt(t, 1, mgmtSetPowered, false)
	mgmt(t, 1, mgmtSetSecureConnections, false)
	mgmt(t, 1, mgmtSetSSP, false)
	mgmt(t, 1, mgmtSetLE, false)
	mgmt(t, 1, mgmtSetPowered, true)
	m.waitAdapter(t, hci1, true, true)
	// The kernel leaves the controller's own mode as it was, and pairing would
	// hang: Write Simple Pairing Mode, off (Core volume 4, part E, 7.3.59).
	if out, err := exec.Command("hcitool", "-i", hci1, "cmd", "0x03", "0x0056", "0x00").CombinedOutput(); err != nil {
		t.Fatalf("switch off simple pairing: %v\n%s", err, out)
	}
	makeHomes(t)
	p := Start(t, Cmd{
		User:    User{Name: "root"},
		Args:    []string{"sim", "--rfcomm", "--adapter", hci1, "--pin", "1234", "--name", "PowerSpy 4567", "load=constant,watts=200"},
		Timeout: 10 * time.Minute,
	})
	p.WaitLines(t, 2)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("powerspy sim: %v", &p.result)
		}
	})

	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	o, err := m.objects(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := o.property(adapterPath(hci1), adapterIface, "Address").(string)
	meter, err = bdaddr.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m, meter
}

// startVirt starts the emulator with two controllers.
func startVirt(t testing.TB) (stop func()) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(saveDir, "btvirt.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	virt := exec.Command("btvirt", "-l2")
	virt.Stdout, virt.Stderr = log, log
	if err := virt.Start(); err != nil {
		t.Fatalf("start btvirt: %v", err)
	}
	// The emulator now and then crashes, and its controllers are gone. Then
	// nothing was tested, and scripts/vm/test looks for these words, as it does
	// for those of a new start.
	stopping, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err := virt.Wait()
		select {
		case <-stopping:
		default:
			fmt.Fprintln(os.Stderr, "vmtest: btvirt died by itself:", err)
		}
	}()
	return func() {
		close(stopping)
		// It may have ended by itself.
		_ = virt.Process.Kill()
		<-ended
	}
}

// upTime is what the controllers of the emulator get to come up.
const upTime = 20 * time.Second

// adaptersUp reports whether the adapters are switched on within upTime.
func (m *Machine) adaptersUp(ids ...string) bool {
	up, _ := m.within(upTime, func(ctx context.Context) (bool, error) {
		o, err := m.objects(ctx)
		if err != nil {
			return false, err
		}
		for _, id := range ids {
			if on, _ := o.property(adapterPath(id), adapterIface, "Powered").(bool); !on {
				return false, nil
			}
		}
		return true, nil
	})
	return up
}

// mgmt switches a setting of an adapter and waits until the kernel has done so.
// The program for it, btmgmt, hangs or not by what its input is, and does so
// differently from release to release.
func mgmt(t testing.TB, index, opcode uint16, on bool) {
	t.Helper()
	const (
		commandComplete = 0x0001
		commandStatus   = 0x0002
		header          = 6 // opcode or event, index, length of what follows
	)
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	if err != nil {
		t.Fatalf("management socket: %v", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}); err != nil {
		t.Fatalf("management socket: %v", err)
	}
	const noDevice = 0xffff
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: noDevice, Channel: unix.HCI_CHANNEL_CONTROL}); err != nil {
		t.Fatalf("management socket: %v", err)
	}
	var value byte
	if on {
		value = 1
	}
	var p []byte
	for _, v := range []uint16{opcode, index, 1} {
		p = binary.LittleEndian.AppendUint16(p, v)
	}
	if _, err := unix.Write(fd, append(p, value)); err != nil {
		t.Fatalf("management command 0x%04x: %v", opcode, err)
	}
	for {
		b := make([]byte, 512)
		n, err := unix.Read(fd, b)
		if err != nil {
			t.Fatalf("management command 0x%04x: %v", opcode, err)
		}
		b = b[:n]
		if n < header+3 || binary.LittleEndian.Uint16(b[header:]) != opcode {
			continue
		}
		switch event := binary.LittleEndian.Uint16(b); {
		case event != commandComplete && event != commandStatus:
		case b[header+2] != 0:
			t.Fatalf("management command 0x%04x: status 0x%02x", opcode, b[header+2])
		case event == commandComplete:
			return
		}
	}
}
