//go:build integration

package rfcomm_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
	"powerspy2/internal/integration/air"
	"powerspy2/internal/integration/vmtest"
	"powerspy2/rfcomm"
)

const (
	// patience bounds what should take no time, in a guest that is slow.
	patience = 30 * time.Second
	// nobody is a user in no special group.
	nobody = 65534
)

// asNobody makes the process an ordinary user for the rest of the test: all of package rfcomm must work without rights.
func asNobody(t *testing.T) {
	t.Helper()
	if err := syscall.Setresuid(-1, nobody, -1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setresuid(-1, 0, -1); err != nil {
			t.Error(err)
		}
	})
}

// A device is a device in the synthetic air whose serial port ends in the test.
type device struct {
	*air.Device
	ports chan net.Conn // the device's ends of the streams that were opened
	addr  rfcomm.Addr
}

var devices byte

// addDevice puts a device in range that asks for no pairing unless change says otherwise.
func addDevice(t *testing.T, controller *air.Controller, change func(*air.DeviceConfig)) *device {
	t.Helper()
	devices++
	d := &device{ports: make(chan net.Conn, 8)}
	cfg := air.DeviceConfig{
		Address:      bdaddr.Address{0x00, 0x0B, 0xCE, 0x08, 0x00, devices},
		Name:         "PowerSpy 4567",
		SecurityMode: 1,
		Dial: func(context.Context) (io.ReadWriteCloser, error) {
			a, b := net.Pipe()
			d.ports <- b
			return a, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	added, err := controller.Add(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Device, d.addr = added, rfcomm.Addr{Address: cfg.Address, Channel: max(cfg.Channel, 1)}
	return d
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	return ctx
}

// low asks for no authentication: these devices are not paired.
var low = &rfcomm.Config{Security: rfcomm.SecurityLow}

// dial opens a stream to a device, closed at the end of the test.
func dial(t *testing.T, d *device) (c *rfcomm.Conn, port net.Conn) {
	t.Helper()
	c, err := rfcomm.Dial(testContext(t), d.addr, low)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c, <-d.ports
}

func TestIntegrationStream(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	asNobody(t)

	if name, err := rfcomm.Present(testContext(t), bdaddr.Address{}, d.addr.Address); name != "PowerSpy 4567" || err != nil {
		t.Errorf("Present: got %q, %v", name, err)
	}
	c, port := dial(t, d)
	if state, err := rfcomm.KernelState(); state != rfcomm.StateRunning || err != nil {
		t.Errorf("KernelState: got %v, %v", state, err)
	}
	if got := c.LocalAddr().(rfcomm.Addr).Address; got != m.Air.Address() {
		t.Errorf("local address %v, want the adapter's, %v", got, m.Air.Address())
	}
	if c.RemoteAddr() != net.Addr(d.addr) {
		t.Errorf("remote address %v, want %v", c.RemoteAddr(), d.addr)
	}

	echoed := make(chan error, 1)
	go func() {
		_, err := io.CopyN(port, port, 4)
		echoed <- err
	}()
	if _, err := c.Write([]byte("<?>\r")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "<?>\r" {
		t.Fatalf("got %q, %v", buf, err)
	}
	if err := <-echoed; err != nil {
		t.Fatal(err)
	}

	// A deadline that passes leaves the stream usable.
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := port.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "late" {
		t.Errorf("got %q, %v", buf, err)
	}

	// Close wakes a blocked Read.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := c.Read(buf)
		result <- err
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	case <-time.After(patience):
		t.Fatal("Close did not wake Read")
	}
}

// However the device ends a stream, Read says how, and goes on saying it although the kernel does not.
func TestIntegrationStreamEnds(t *testing.T) {
	m := vmtest.Shared(t)
	asNobody(t)
	tests := []struct {
		name string
		end  func(d *device) bool
		want []error
	}{
		{"channel closed", func(d *device) bool { return d.DropChannel() }, []error{unix.ECONNRESET}},
		{"L2CAP closed", func(d *device) bool { return d.DropL2CAP() }, []error{unix.ECONNRESET}},
		{"link timed out", func(d *device) bool { return d.DropLink(air.ConnectionTimeout) }, []error{unix.ETIMEDOUT, rfcomm.ErrLinkLost}},
		{"powered off", func(d *device) bool { return d.DropLink(air.RemotePowerOff) }, []error{unix.ECONNRESET}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := addDevice(t, m.Air, nil)
			c, port := dial(t, d)
			// In use: on Linux 6.12 one whose link was lost while it was still
			// being set up was once told nothing.
			if _, err := port.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if !tt.end(d) {
				t.Fatal("there was nothing to end")
			}
			for range 3 {
				_, err := c.Read(make([]byte, 8))
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
			}
			if _, err := c.Write([]byte("x")); err == nil {
				t.Error("a write on the dead stream succeeded")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			// And the next one works.
			dial(t, d)
		})
	}
}

// Just after a close the kernel answers EBUSY and ECONNRESET for a while; Dial sees it through.
func TestIntegrationReconnect(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	d.SetLatency(20 * time.Millisecond)
	asNobody(t)
	for range 5 {
		// A connect that lands in the last moments of the session before may be
		// refused, which no Dial can tell from any other refusal: its caller
		// dials again, as package meter does.
		var c *rfcomm.Conn
		var err error
		for range 3 {
			if c, err = rfcomm.Dial(testContext(t), d.addr, low); !errors.Is(err, rfcomm.ErrRefused) {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIntegrationBusyHere(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	asNobody(t)
	dial(t, d)
	began := time.Now()
	c, err := rfcomm.Dial(testContext(t), d.addr, low)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, rfcomm.ErrBusy) || !errors.Is(err, unix.EBUSY) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("gave up after %v", took)
	}
}

// A connect to a device that is not there would kill krfcommd on the kernels that have the bug: vmtest.Shared checks
// that it is alive when the test is over.
func TestIntegrationAbsent(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	d.SetAway(true)
	asNobody(t)
	_, dialErr := rfcomm.Dial(testContext(t), d.addr, low)
	_, presentErr := rfcomm.Present(testContext(t), m.Air.Address(), d.addr.Address)
	_, findErr := rfcomm.FindChannel(testContext(t), d.addr.Address, 0x1101, nil)
	for _, err := range []error{dialErr, presentErr, findErr} {
		if !errors.Is(err, rfcomm.ErrAbsent) || !errors.Is(err, unix.EHOSTDOWN) {
			t.Errorf("got %v, want ErrAbsent", err)
		}
	}
	// A caller who does not wait for the page timeout does no harm either.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := rfcomm.Dial(ctx, d.addr, low); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	d.SetAway(false)
	dial(t, d)
}

func TestIntegrationRefused(t *testing.T) {
	m := vmtest.Shared(t)
	tests := []struct {
		name    string
		prepare func(d *device)
	}{
		{"nobody listens on the channel", func(d *device) { d.addr.Channel = 9 }},
		{"no RFCOMM", func(d *device) { d.SetRefuse(true) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := addDevice(t, m.Air, nil)
			tt.prepare(d)
			checkRefused(t, d, low, rfcomm.ErrRefused)
		})
	}
}

// Not paired, and no agent: the kernels that have the bug may die of it.
func TestIntegrationAloneUnpaired(t *testing.T) {
	m := vmtest.Shared(t)
	m.Doom(t)
	checkRefused(t, addDevice(t, m.Air, nil), nil, rfcomm.ErrKeyRefused)
}

// checkRefused dials a device that does not want it.
func checkRefused(t *testing.T, d *device, cfg *rfcomm.Config, want error) {
	t.Helper()
	asNobody(t)
	c, err := rfcomm.Dial(testContext(t), d.addr, cfg)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestIntegrationFindChannel(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, func(cfg *air.DeviceConfig) { cfg.Channel = 7 })
	asNobody(t)
	channel, err := rfcomm.FindChannel(testContext(t), d.addr.Address, 0x1101, nil)
	if channel != 7 || err != nil {
		t.Errorf("got %d, %v, want 7", channel, err)
	}
	if channel, err := rfcomm.FindChannel(testContext(t), d.addr.Address, 0x1124, &rfcomm.Config{Local: m.Air.Address()}); !errors.Is(err, rfcomm.ErrNoService) {
		t.Errorf("got %d, %v, want ErrNoService", channel, err)
	}
	dial(t, d)
}

func TestIntegrationAdapterDown(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	check := func(t *testing.T, ctx context.Context, local bdaddr.Address) {
		t.Helper()
		_, dialErr := rfcomm.Dial(ctx, d.addr, &rfcomm.Config{Local: local})
		_, presentErr := rfcomm.Present(ctx, local, d.addr.Address)
		_, findErr := rfcomm.FindChannel(ctx, d.addr.Address, 0x1101, &rfcomm.Config{Local: local})
		for _, err := range []error{dialErr, presentErr, findErr} {
			if !errors.Is(err, rfcomm.ErrAdapterDown) || !errors.Is(err, unix.EHOSTUNREACH) {
				t.Errorf("got %v, want ErrAdapterDown", err)
			}
		}
	}
	t.Run("another", func(t *testing.T) {
		asNobody(t)
		check(t, testContext(t), bdaddr.Address{1, 2, 3, 4, 5, 6})
	})
	t.Run("off", func(t *testing.T) {
		m.SetPowered(t, false)
		t.Cleanup(func() { m.SetPowered(t, true) })
		asNobody(t)
		check(t, testContext(t), m.Air.Address())
	})
	t.Run("unplugged", func(t *testing.T) {
		m.Unplug(t)
		asNobody(t)
		check(t, testContext(t), bdaddr.Address{})
	})
	t.Run("unplugged during a stream", func(t *testing.T) {
		c, _ := dial(t, d)
		m.Unplug(t)
		if _, err := c.Read(make([]byte, 8)); !errors.Is(err, unix.ECONNABORTED) {
			t.Errorf("got %v, want ECONNABORTED", err)
		}
	})
}

// The kernel resets an adapter that has hung only when it is plugged in again.
func TestIntegrationAdapterHung(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	m.Air.SetHung(true)
	t.Cleanup(func() {
		m.Air.SetHung(false)
		m.Replug(t)
	})
	asNobody(t)
	if _, err := rfcomm.Present(testContext(t), bdaddr.Address{}, d.addr.Address); !errors.Is(err, rfcomm.ErrAdapterHung) {
		t.Errorf("got %v, want ErrAdapterHung", err)
	}
}

func TestIntegrationListen(t *testing.T) {
	m := vmtest.Shared(t)
	asNobody(t)
	l, err := rfcomm.Listen(rfcomm.Addr{Address: m.Air.Address()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().(rfcomm.Addr)
	if addr.Address != m.Air.Address() || addr.Channel < 1 || addr.Channel > 30 {
		t.Errorf("listening on %v", addr)
	}
	if second, err := rfcomm.Listen(addr, nil); !errors.Is(err, unix.EADDRINUSE) {
		if err == nil {
			second.Close()
		}
		t.Errorf("got %v, want EADDRINUSE", err)
	}
	if err := l.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
	}
	if err := l.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		result <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	case <-time.After(patience):
		t.Fatal("Close did not wake Accept")
	}
}

// sockaddr makes the kernel's address of a, whose bytes are in the reverse order.
func sockaddr(a rfcomm.Addr) unix.Sockaddr {
	sa := &unix.SockaddrRFCOMM{Channel: a.Channel}
	for i, b := range a.Address {
		sa.Addr[5-i] = b
	}
	return sa
}

// FileConn takes over the socket of somebody else's connect.
func TestIntegrationFileConn(t *testing.T) {
	m := vmtest.Shared(t)
	d := addDevice(t, m.Air, nil)
	asNobody(t)
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.BTPROTO_RFCOMM)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, sockaddr(d.addr)); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "profile")
	c, err := rfcomm.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr() != net.Addr(d.addr) || c.LocalAddr().(rfcomm.Addr).Address != m.Air.Address() {
		t.Errorf("got addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
	port := <-d.ports
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := port.Write([]byte("data"))
		written <- err
	}()
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "data" {
		t.Errorf("got %q, %v", buf, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
