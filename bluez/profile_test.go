package bluez

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

// connectTo makes a device connect to a client's profile and returns the
// device's end and BlueZ's answer from the profile.
func (f *fakeBluez) connectTo(t *testing.T, client string, device dbus.ObjectPath) (*os.File, answer) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	far := os.NewFile(uintptr(fds[0]), "far end")
	t.Cleanup(func() { _ = far.Close() }) // the test may have
	answered := make(chan answer, 1)
	f.do(func() {
		f.ask(func(a answer) { answered <- a }, client, f.profiles[client].path, "org.bluez.Profile1.NewConnection",
			device, dbus.UnixFD(fds[1]), variants(map[string]any{"Version": uint16(0x100)}))
	})
	if err := syscall.Close(fds[1]); err != nil {
		t.Fatal(err)
	}
	return far, <-answered
}

func TestSerialProfile(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	me := c.conn.Names()[0]
	p, err := c.RegisterSerialProfile(testContext(t), 3, "PowerSpy")
	if err != nil {
		t.Fatal(err)
	}
	f.do(func() {
		got := f.profiles[me]
		if got.uuid != "00001101-0000-1000-8000-00805f9b34fb" {
			t.Errorf("unexpected service %s", got.uuid)
		}
		for name, want := range map[string]any{"Name": "PowerSpy", "Role": "server", "Channel": uint16(3), "RequireAuthentication": true, "RequireAuthorization": false} {
			if got.options[name].Value() != want {
				t.Errorf("%s is %v, want %v", name, got.options[name], want)
			}
		}
	})

	far, a := f.connectTo(t, me, meterPath)
	if a.name != "" {
		t.Fatalf("refused: %s", a.name)
	}
	file, from, err := p.Accept(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if from != meterAddress {
		t.Errorf("from %s, want %s", from, meterAddress)
	}
	if _, err := far.WriteString("<?>"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 3)
	if n, err := file.Read(buf); err != nil || string(buf[:n]) != "<?>" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	// Accepted connections outlive the profile; deadlines work.
	if err := file.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Errorf("SetReadDeadline: %v", err)
	}
	if _, err := file.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
	}

	// More than wait are refused, and those that wait end with the profile.
	var waiting []*os.File
	for range backlog {
		far, a := f.connectTo(t, me, otherPath)
		if a.name != "" {
			t.Fatalf("refused: %s", a.name)
		}
		waiting = append(waiting, far)
	}
	for _, device := range []dbus.ObjectPath{otherPath, "/nobody"} {
		far, a := f.connectTo(t, me, device)
		if a.name != rejected {
			t.Errorf("%s: got %q, want %s", device, a.name, rejected)
		}
		checkEnded(t, far)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	for range waiting { // a context that ended may win or lose
		if file, _, err := p.Accept(ctx); err == nil {
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, far := range waiting {
		checkEnded(t, far)
	}
	if _, _, err := p.Accept(testContext(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: got %v, want net.ErrClosed", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// checkEnded wants the other end of a connection to be closed.
func checkEnded(t *testing.T, far *os.File) {
	t.Helper()
	if n, err := far.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v, want the end", n, err)
	}
}

func TestSerialProfileRefused(t *testing.T) {
	b := startBus(t)
	startFake(t, b)
	c, other := b.dial(t), b.dial(t)
	p, err := c.RegisterSerialProfile(testContext(t), 1, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.RegisterSerialProfile(testContext(t), 1, "x"); !errors.Is(err, os.ErrExist) {
		t.Errorf("taken: got %v, want os.ErrExist", err)
	}
	for _, channel := range []uint8{0, 31} {
		if _, err := other.RegisterSerialProfile(testContext(t), channel, "x"); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("channel %d: got %v, want os.ErrInvalid", channel, err)
		}
	}
	result := make(chan error, 1)
	go func() {
		_, _, err := p.Accept(testContext(t))
		result <- err
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("client closed: got %v, want net.ErrClosed", err)
	}
}

func TestDefaultAgent(t *testing.T) {
	b := startBus(t)
	f := startFake(t, b)
	c := b.dial(t)
	me := c.conn.Names()[0]
	a, err := c.RegisterDefaultAgent(testContext(t), func(addr bdaddr.Address) string {
		switch addr {
		case meterAddress:
			return "1234"
		case otherAddress:
			return strings.Repeat("1", 17)
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	f.do(func() {
		if len(f.defaults) != 1 || f.defaults[0] != me {
			t.Errorf("default agents are of %v, want %s", f.defaults, me)
		}
	})
	for _, tt := range []struct {
		member string
		args   []any
		name   string
		body   any
	}{
		{"RequestPinCode", []any{meterPath}, "", "1234"},
		{"RequestPinCode", []any{otherPath}, rejected, nil},
		{"RequestPinCode", []any{dbus.ObjectPath("/org/bluez/hci0/dev_00_0B_CE_00_00_09")}, rejected, nil},
		{"RequestPinCode", []any{dbus.ObjectPath("/nobody")}, rejected, nil},
		{"AuthorizeService", []any{meterPath, serialPortUUID}, "", nil},
		{"RequestConfirmation", []any{meterPath, uint32(1)}, rejected, nil},
		{"Cancel", nil, "", nil},
		{"Release", nil, "", nil},
	} {
		answered := make(chan answer, 1)
		f.do(func() {
			f.ask(func(a answer) { answered <- a }, me, f.agents[me], "org.bluez.Agent1."+tt.member, tt.args...)
		})
		got := <-answered
		if got.name != tt.name || tt.body != nil && (len(got.body) != 1 || got.body[0] != tt.body) {
			t.Errorf("%s%v: got %+v, want %q %v", tt.member, tt.args, got, tt.name, tt.body)
		}
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	f.do(func() {
		if len(f.agents) != 0 {
			t.Errorf("agents left: %v", f.agents)
		}
	})

	f.on("RequestDefaultAgent", func(c *fakeCall) { c.fail("org.bluez.Error.DoesNotExist", "Does Not Exist") })
	if _, err := c.RegisterDefaultAgent(testContext(t), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
	f.do(func() {
		if len(f.agents) != 0 {
			t.Errorf("agents left: %v", f.agents)
		}
	})
}
