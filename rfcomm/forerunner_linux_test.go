package rfcomm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// A test binary is the forerunner of its tests, as any program is of itself.
func TestMain(m *testing.M) {
	ForerunnerMain()
	os.Exit(m.Run())
}

func TestFailedConnectKills(t *testing.T) {
	tests := []struct {
		version string
		want    bool
	}{
		{"6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-01)", true},
		{"6.1.0-50-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-01)", false},
		{"6.1.0-53-amd64 #1 SMP Debian 6.1.187-1 (2026-09-01)", false},
		{"6.12.117+deb12-amd64 #1 SMP Debian 6.12.117-1~bpo12+1 (2026-10-01)", false},
		{"6.1.192 #1 SMP", true},
		{"6.1.187-rpi #1 SMP", false},
		{"6.1.0-1025-oem #25-Ubuntu SMP", true}, // nobody can tell
		{"5.10.0-33-amd64 #1 SMP Debian 5.10.226-1", false},
		{"6.10.188 #1 SMP", false},
		{"", false},
	}
	for _, tt := range tests {
		h := &host{version: func() string { return tt.version }}
		if got := h.failedConnectKills(); got != tt.want {
			t.Errorf("%q: got %v", tt.version, got)
		}
	}
	if words := strings.Fields(kernelVersion()); len(words) < 2 || !strings.Contains(words[0], ".") {
		t.Errorf("this kernel is %q", kernelVersion())
	}
}

// The forerunner runs before a connect that would have to raise the link, on a kernel that may not survive it, and on no
// other; where it fails, nothing connects.
func TestDialForerunner(t *testing.T) {
	tests := []struct {
		name    string
		release string
		linked  bool  // before
		err     error // the forerunner's
		up      bool  // the link, in spite of err
		assume  bool
		ran     int
		connect bool
		want    []error
	}{
		{name: "raises the link", release: "6.1.192", ran: 1, connect: true},
		{name: "there is one", release: "6.1.192", linked: true, connect: true},
		{name: "a kernel that survives", release: "6.1.176", connect: true},
		{name: "no presence test", release: "6.1.192", assume: true, ran: 1, connect: true},
		{name: "busy with another host", release: "6.1.192", err: os.NewSyscallError("connect", unix.ECONNREFUSED), ran: 1,
			want: []error{ErrOccupied, ErrRefused, unix.ECONNREFUSED}},
		{name: "forgot the key, asked for at link set-up", release: "6.1.192", err: os.NewSyscallError("connect", unix.EBADE), ran: 1,
			want: []error{ErrKeyRefused, unix.EBADE}},
		{name: "gone after its presence test", release: "6.1.192", err: os.NewSyscallError("connect", unix.EHOSTDOWN), ran: 1,
			want: []error{ErrAbsent}},
		{name: "no service discovery", release: "6.1.192", err: os.NewSyscallError("connect", unix.ECONNREFUSED), up: true, ran: 1, connect: true},
		{name: "can't be run", release: "6.1.192", err: exec.ErrNotFound, ran: 1, want: []error{exec.ErrNotFound}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			h.version = func() string { return tt.release + " #1 SMP" }
			ran := 0
			h.linkUp = func(adapter, bdaddr.Address) (bool, error) { return tt.linked || tt.up && ran > 0, nil }
			if !tt.linked && !tt.assume {
				h.openHCI = scriptedHCI(t, status(0), named(0, testMeter, "PowerSpy"))
			}
			cfg := &Config{AssumePresent: tt.assume, Forerunner: func(_ context.Context, local, remote bdaddr.Address) error {
				ran++
				if local != testAdapter || remote != testMeter || len(h.began) != 0 {
					t.Errorf("from %v to %v after %d connects", local, remote, len(h.began))
				}
				return tt.err
			}}
			s, _, err := h.dial(context.Background(), testRemote, cfg, SecurityMedium)
			if err == nil {
				defer s.close()
			}
			err = opError(opDial, err, Addr{}, testRemote)
			if ran != tt.ran || len(h.began) > 0 != tt.connect || (err == nil) != tt.connect {
				t.Errorf("ran %d times, %d connects, %v", ran, len(h.began), err)
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("%v does not match %v", err, want)
				}
			}
		})
	}
}

// FindChannel, which connects by itself, has a forerunner, too.
func TestFindChannelForerunner(t *testing.T) {
	h := newFakeHost(t)
	h.version = func() string { return "6.1.192 #1 SMP" }
	h.linkUp = func(adapter, bdaddr.Address) (bool, error) { return false, nil }
	h.openHCI = scriptedHCI(t, status(0), named(0, testMeter, "PowerSpy"))
	refused := os.NewSyscallError("connect", unix.ECONNREFUSED)
	_, err := h.findChannel(context.Background(), testMeter, 0x1101, &Config{
		Forerunner: func(context.Context, bdaddr.Address, bdaddr.Address) error { return refused },
	})
	if !errors.Is(err, ErrRefused) || len(h.began) != 0 {
		t.Errorf("got %v after %d connects", err, len(h.began))
	}
}

// A reportWriter takes a forerunner's word, and sees whether its socket is still open then.
type reportWriter struct {
	bytes.Buffer
	open func() bool
	late bool
}

func (w *reportWriter) Write(p []byte) (int, error) {
	w.late = w.late || !w.open()
	return w.Buffer.Write(p)
}

// What the connect came to is said before the socket is closed, since the process may not survive that, and what it says
// arrives as the error of a connect of our own.
func TestForerun(t *testing.T) {
	for _, want := range []error{
		nil, os.NewSyscallError("connect", unix.ECONNREFUSED), os.NewSyscallError("connect", unix.EBADE), os.NewSyscallError("connect", unix.EHOSTDOWN),
	} {
		h := newFakeHost(t)
		h.connect = func(_ int, sa unix.Sockaddr) error {
			l2, ok := sa.(*unix.SockaddrL2)
			if !ok || l2.PSM != sdpPSM || l2.Addr != testMeter || h.levels[0] != SecurityLow || h.locals[0] != testAdapter {
				t.Errorf("connecting to %+v from %v at security %v", sa, h.locals, h.levels)
			}
			if want == nil {
				return unix.EINPROGRESS // and it is connected by the time that is asked
			}
			return errors.Unwrap(want)
		}
		w := &reportWriter{}
		w.open = func() bool {
			_, err := unix.Read(h.peers[0], make([]byte, 1))
			return err == unix.EAGAIN
		}
		h.forerun(testAdapter, testMeter, w)
		if w.late {
			t.Error("closed before it said how it went")
		}
		got := parseReport(w.String())
		if (got == nil) != (want == nil) || want != nil && got.Error() != want.Error() {
			t.Errorf("got %v, want %v", got, want)
		}
		h.checkClosed(0)
	}
}

// A close(2) that ends its thread never returns; the process ends all the same.
func TestForerunCloseNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{
			open: func(protocol, bdaddr.Address, Security) (int, error) {
				return -1, os.NewSyscallError("socket", unix.EAFNOSUPPORT)
			},
			connect: func(int, unix.Sockaddr) error { return nil },
		}
		var said bytes.Buffer
		h.forerun(testAdapter, testMeter, &said)
		if err := parseReport(said.String()); !errors.Is(classify(err), ErrNotSupported) {
			t.Errorf("got %v", err)
		}
		dead := make(chan struct{})
		defer close(dead)
		began := time.Now()
		giveTimeToClose(func() { <-dead })
		if took := time.Since(began); took != closeLimit {
			t.Errorf("took %v", took)
		}
	})
}

func TestParseReport(t *testing.T) {
	for _, line := range []string{"", "connected", "connect 111", "connect 0\n", "connect -1\n", "error: odd\n", "\n"} {
		err := parseReport(line)
		if err == nil {
			t.Errorf("%q is taken for a success", line)
		}
		if _, ok := errors.AsType[*os.SyscallError](err); ok {
			t.Errorf("%q is taken for %v", line, err)
		}
	}
}

// The command line names no program that others look for by name (pgrep -f), as the Green Metrics Tool does before it
// starts one of its own.
func TestForerunnerCommand(t *testing.T) {
	cmd := forerunnerCommand(testAdapter, testMeter)
	want := []string{"bluetooth-forerunner", testAdapter.String(), testMeter.String()}
	if diff := cmp.Diff(want, cmd.Args); diff != "" {
		t.Errorf("unexpected command line (-want +got):\n%s", diff)
	}
	if !cmd.SysProcAttr.Setsid {
		t.Error("Ctrl-C reaches it")
	}
}

// The real thing, up to the socket of a kernel that has none or no such adapter: a process is started and its word comes
// back.
func TestSpawnForerunner(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := SpawnForerunner(ctx, bdaddr.Address{9, 9, 9, 9, 9, 9}, testMeter)
	if !errors.Is(err, ErrNotSupported) && !errors.Is(err, ErrAdapterDown) {
		t.Errorf("got %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), testMeter.String()) {
		t.Errorf("%v does not name the device", err)
	}
}
