//go:build integration

package rfcomm_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/internal/integration/air"
	"powerspy2/internal/integration/vmtest"
	"powerspy2/rfcomm"
)

// The test binary is the forerunner of its tests.
func TestMain(m *testing.M) {
	rfcomm.ForerunnerMain()
	os.Exit(m.Run())
}

// ownAir makes an adapter of the synthetic air for a test that leaves the kernel spoilt, and switches it on, without BlueZ.
func ownAir(t *testing.T) *air.Controller {
	t.Helper()
	if name, err := os.Hostname(); err != nil || name != "powerspy-vm" {
		t.Fatalf("this test spoils the kernel it runs on: run it with scripts/vm/test (host name %q, %v)", name, err)
	}
	controller := air.New(air.Config{})
	rw, err := air.OpenVHCI()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- controller.Run(ctx, rw) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const hciDevUp = 0x400448c9 // HCIDEVUP, include/net/bluetooth/hci_sock.h
	for deadline := time.Now().Add(patience); ; {
		err := unix.IoctlSetInt(fd, hciDevUp, 0)
		if err == nil || err == unix.EALREADY {
			return controller
		}
		// ENODEV until the kernel has taken the adapter.
		if err != unix.ENODEV || time.Now().After(deadline) {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
}

// foreignConnect connects as programs do that do not look first whether the device is there.
func foreignConnect(t *testing.T, addr rfcomm.Addr) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.BTPROTO_RFCOMM)
	if err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(fd, sockaddr(addr))
	if cerr := unix.Close(fd); cerr != nil {
		t.Error(cerr)
	}
	return err
}

// Another program's connect to a device that is not there kills RFCOMM on the kernels that have the bug. Dial must say so
// instead of hanging; on the others it must work.
func TestIntegrationAloneStuck(t *testing.T) {
	d := addDevice(t, ownAir(t), nil)
	d.SetAway(true)
	for range 5 { // the bug is a race
		if err := foreignConnect(t, d.addr); err != unix.EHOSTDOWN {
			t.Fatalf("got %v, want EHOSTDOWN", err)
		}
		if !vmtest.KernelRFCOMMAlive(t) {
			break
		}
	}
	stuck := !vmtest.KernelRFCOMMAlive(t)
	if dies := vmtest.DiesOfFailedConnect(t); stuck != dies {
		t.Fatalf("RFCOMM is stuck: %t, want %t of this kernel", stuck, dies)
	}
	d.SetAway(false)
	asNobody(t)

	began := time.Now()
	state, stateErr := rfcomm.KernelState()
	c, dialErr := rfcomm.Dial(testContext(t), d.addr, low)
	if dialErr == nil {
		c.Close()
	}
	if !stuck {
		if state != rfcomm.StateRunning || stateErr != nil || dialErr != nil {
			t.Errorf("got %v, %v and %v of a kernel that is well", state, stateErr, dialErr)
		}
		return
	}
	if state != rfcomm.StateStuck || !errors.Is(stateErr, rfcomm.ErrKernelStuck) || !errors.Is(dialErr, rfcomm.ErrKernelStuck) {
		t.Errorf("got %v, %v and %v of a kernel that is stuck", state, stateErr, dialErr)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v to say so", took)
	}
}

// A device that is connected to another host tells its name and then refuses the link. No presence test sees that coming,
// and on the kernels that have the bug only a forerunner's life may be lost to it: each time.
func TestIntegrationAloneBusyElsewhere(t *testing.T) {
	d := addDevice(t, ownAir(t), nil)
	asNobody(t)
	cfg := *low
	cfg.Forerunner = rfcomm.SpawnForerunner
	for range 4 { // the bug is a race
		d.SetBusy(true)
		began := time.Now()
		c, err := rfcomm.Dial(testContext(t), d.addr, &cfg)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, rfcomm.ErrOccupied) || !errors.Is(err, rfcomm.ErrRefused) || !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("got %v, want ErrOccupied", err)
		}
		took := time.Since(began)
		if !vmtest.KernelRFCOMMAlive(t) {
			t.Fatal("the kernel's RFCOMM is dead")
		}
		d.SetBusy(false)
		began = time.Now()
		c, err = rfcomm.Dial(testContext(t), d.addr, &cfg)
		if err != nil {
			t.Fatalf("got %v afterwards", err)
		}
		t.Logf("refused after %v, connected after %v", took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		// The next one has to raise a link.
		for deadline := time.Now().Add(patience); d.Status().Linked; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the link does not end")
			}
		}
	}
}
