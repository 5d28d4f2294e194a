package rfcomm

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// A fakeHost stands for the machine: the link is up unless a test says otherwise, sockets are Unix sockets, and connect(2)
// answers from a script.
type fakeHost struct {
	host
	t       *testing.T
	answers []error     // of connect(2); when they are used up, it succeeds
	began   []time.Time // of each connect(2)
	fds     []int       // the descriptors of all sockets made
	locals  []bdaddr.Address
	levels  []Security
	targets []unix.Sockaddr
	peers   []int
}

func newFakeHost(t *testing.T, answers ...error) *fakeHost {
	h := &fakeHost{t: t, answers: answers}
	h.host = host{
		files: healthy(),
		adapters: func() ([]adapter, error) {
			return []adapter{{dev: 0, address: testAdapter, up: true}}, nil
		},
		linkUp: func(adapter, bdaddr.Address) (bool, error) { return true, nil },
		openHCI: func(adapter) (int, error) {
			t.Error("a presence test although the link is up")
			return -1, unix.EPERM
		},
		open: func(p protocol, local bdaddr.Address, level Security) (int, error) {
			kind := unix.SOCK_STREAM
			if p == protocolL2CAP {
				kind = unix.SOCK_SEQPACKET
			}
			fd, peer := socketPair(t, kind)
			h.fds, h.peers = append(h.fds, fd), append(h.peers, peer)
			h.locals, h.levels = append(h.locals, local), append(h.levels, level)
			return fd, nil
		},
		connect: func(fd int, sa unix.Sockaddr) error {
			h.began, h.targets = append(h.began, time.Now()), append(h.targets, sa)
			if fd != h.fds[len(h.fds)-1] || len(h.began) != len(h.fds) {
				t.Error("an attempt without a fresh socket")
			}
			if len(h.answers) == 0 {
				return nil
			}
			err := h.answers[0]
			h.answers = h.answers[1:]
			return err
		},
	}
	return h
}

// checkClosed checks that every socket but the last n is closed.
func (h *fakeHost) checkClosed(n int) {
	h.t.Helper()
	for i, peer := range h.peers {
		got, err := unix.Read(peer, make([]byte, 1))
		if open := err == unix.EAGAIN; open != (i >= len(h.peers)-n) {
			h.t.Errorf("socket %d of %d: read on its other end gives %d, %v", i, len(h.peers), got, err)
		}
		unix.Close(peer)
	}
}

func repeat(n int, err error) []error {
	return slices.Repeat([]error{err}, n)
}

func TestDialRetries(t *testing.T) {
	tests := []struct {
		name     string
		answers  []error
		timeout  time.Duration
		want     []error // none: connected
		attempts int
		took     time.Duration
	}{
		{name: "at once", attempts: 1},
		{name: "still closing", answers: append(repeat(3, unix.EBUSY), repeat(2, unix.ECONNRESET)...),
			attempts: 6, took: 5 * retryPause},
		{name: "unpaired a moment ago", answers: repeat(1, unix.ENOTCONN), attempts: 2, took: retryPause},
		{name: "the idle link just ended", answers: repeat(1, unix.ECONNABORTED), attempts: 2, took: retryPause},
		{name: "the link ends each time", answers: repeat(1000, unix.ECONNABORTED),
			want: []error{unix.ECONNABORTED}, attempts: 31, took: retryWindow},
		{name: "somebody else holds it", answers: repeat(1000, unix.EBUSY),
			want: []error{ErrBusy, unix.EBUSY}, attempts: 31, took: retryWindow},
		{name: "keeps resetting", answers: repeat(1000, unix.ECONNRESET),
			want: []error{unix.ECONNRESET}, attempts: 31, took: retryWindow},
		{name: "the caller is in a hurry", answers: repeat(1000, unix.EBUSY), timeout: 120 * time.Millisecond,
			want: []error{context.DeadlineExceeded, ErrBusy, unix.EBUSY}, attempts: 3, took: 120 * time.Millisecond},
		{name: "refused", answers: repeat(2, unix.ECONNREFUSED),
			want: []error{ErrRefused, unix.ECONNREFUSED}, attempts: 2}, // and service discovery, too
		{name: "absent", answers: repeat(2, unix.EHOSTDOWN), want: []error{ErrAbsent, unix.EHOSTDOWN}, attempts: 1},
		{name: "key refused", answers: repeat(2, unix.EBADE), want: []error{ErrKeyRefused, unix.EBADE}, attempts: 1},
		{name: "adapter off", answers: repeat(2, unix.EHOSTUNREACH), want: []error{ErrAdapterDown, unix.EHOSTUNREACH}, attempts: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newFakeHost(t, tt.answers...)
				ctx := context.Background()
				if tt.timeout != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}
				began := time.Now()
				s, local, err := h.dial(ctx, testRemote, &Config{}, SecurityMedium)
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if len(h.began) != tt.attempts {
					t.Errorf("%d attempts, want %d", len(h.began), tt.attempts)
				}
				if len(tt.want) == 0 {
					if err != nil {
						t.Fatal(err)
					}
					defer s.close()
					h.checkClosed(1)
					if local.Address != testAdapter {
						t.Errorf("got local address %v", local)
					}
					return
				}
				err = opError(opDial, err, Addr{}, testRemote)
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("%v does not match %v", err, want)
					}
				}
				h.checkClosed(0)
			})
		})
	}
}

func TestRetriesAllow(t *testing.T) {
	type failure struct {
		errno unix.Errno
		at    time.Duration // since the first attempt
		took  time.Duration
		want  bool
	}
	tests := []struct {
		name     string
		failures []failure
	}{
		{"refused at once", []failure{{unix.ECONNREFUSED, 0, 0, false}}},
		{"refused after the link was set up", []failure{{unix.ECONNREFUSED, 0, 3 * time.Second, false}}},
		{"refused late, once", []failure{
			{unix.ECONNREFUSED, 7 * time.Second, 7 * time.Second, true},
			{unix.ECONNREFUSED, 14 * time.Second, 7 * time.Second, false},
		}},
		{"refused late, then at once", []failure{
			{unix.ECONNREFUSED, 7 * time.Second, 7 * time.Second, true},
			{unix.ECONNREFUSED, 8 * time.Second, 0, false},
		}},
		{"busy within the window", []failure{
			{unix.EBUSY, 0, 0, true},
			{unix.ECONNRESET, time.Second, 0, true},
			{unix.EBUSY, retryWindow - 1, 0, true},
			{unix.EBUSY, retryWindow, 0, false},
		}},
		{"refused while the stream before is being closed", []failure{
			{unix.EBUSY, 0, 0, true},
			{unix.ECONNREFUSED, time.Second, 0, true},
			{unix.ECONNREFUSED, retryWindow, 0, false},
		}},
		{"the window begins with the first failure", []failure{
			{unix.ECONNREFUSED, 8 * time.Second, 8 * time.Second, true},
			{unix.ENOTCONN, 9 * time.Second, 0, true},
			{unix.ENOTCONN, 10 * time.Second, 0, true},
		}},
		{"no time-out", []failure{{unix.ETIMEDOUT, 30 * time.Second, 30 * time.Second, false}}},
		{"no page timeout", []failure{{unix.EHOSTDOWN, 5 * time.Second, 5 * time.Second, false}}},
	}
	start := time.Now()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r retries
			for i, f := range tt.failures {
				err := os.NewSyscallError("connect", f.errno)
				if got := r.allow(err, start.Add(f.at), f.took); got != f.want {
					t.Errorf("failure %d: got %v, want %v", i, got, f.want)
				}
			}
		})
	}
	var r retries
	// The same errno of anything else, such as a presence test, is no such case.
	if r.allow(statusDisallowed, start, 0) || r.allow(os.NewSyscallError("socket", unix.EBUSY), start, 0) {
		t.Error("allowed another attempt after an error that is none of connect(2)")
	}
}

// A refusal that leaves no link behind is one of the link itself, by a device that is busy with another host.
func TestDialOccupied(t *testing.T) {
	for _, linked := range []bool{false, true} {
		h := newFakeHost(t, unix.ECONNREFUSED)
		h.linkUp = func(adapter, bdaddr.Address) (bool, error) { return linked && len(h.began) > 0, nil }
		h.openHCI = scriptedHCI(t, status(0), named(0, testMeter, "x"))
		_, _, err := h.dial(context.Background(), testRemote, &Config{}, SecurityMedium)
		err = opError(opDial, err, Addr{}, testRemote)
		if !errors.Is(err, ErrRefused) || !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("got %v, want ErrRefused", err)
		}
		if errors.Is(err, ErrOccupied) == linked {
			t.Errorf("link up after the refusal %t: got %v", linked, err)
		}
		h.checkClosed(0)
	}
}

// An authentication that fails over a link that was up looks like a refused channel, but for service discovery, which is
// refused only where security is asked for.
func TestDialKeyRefusedOverLink(t *testing.T) {
	const refused = unix.ECONNREFUSED
	tests := []struct {
		name    string
		level   Security
		answers []error // of RFCOMM, then of service discovery without and with security, once or twice
		want    error
		used    int
	}{
		{"key refused", SecurityMedium, []error{refused, nil, refused, nil, refused}, ErrKeyRefused, 5},
		{"key refused, with its own errno", SecurityMedium, []error{refused, nil, unix.EBADE, nil, unix.EACCES}, ErrKeyRefused, 5},
		{"of the moment", SecurityMedium, []error{refused, nil, refused, nil, nil}, ErrRefused, 5},
		{"channel refused", SecurityMedium, []error{refused, nil, nil}, ErrRefused, 3},
		{"no service discovery", SecurityMedium, []error{refused, refused}, ErrRefused, 2},
		{"no security asked for", SecurityLow, []error{refused}, ErrRefused, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newFakeHost(t, tt.answers...)
				_, _, err := h.dial(context.Background(), testRemote, &Config{}, tt.level)
				err = opError(opDial, err, Addr{}, testRemote)
				if !errors.Is(err, tt.want) || errors.Is(err, ErrRefused) != (tt.want == ErrRefused) || errors.Is(err, ErrOccupied) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if len(h.began) != tt.used {
					t.Errorf("%d connects, want %d", len(h.began), tt.used)
				}
				for i, sa := range h.targets[1:] {
					l2, ok := sa.(*unix.SockaddrL2)
					if want := []Security{SecurityLow, tt.level}[i%2]; !ok || l2.PSM != sdpPSM || h.levels[i+1] != want {
						t.Errorf("test %d: %+v at security %v", i, sa, h.levels[i+1])
					}
				}
				h.checkClosed(0)
			})
		})
	}
}

func TestDialBinds(t *testing.T) {
	other := bdaddr.Address{1, 2, 3, 4, 5, 6}
	tests := []struct {
		name string
		cfg  Config
		want bdaddr.Address
	}{
		{"to the adapter that has the link", Config{}, testAdapter},
		{"to the adapter asked for", Config{Local: other}, other},
		{"to none without a presence test", Config{AssumePresent: true}, bdaddr.Address{}},
		{"to the one asked for without a presence test", Config{AssumePresent: true, Local: other}, other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			h.adapters = func() ([]adapter, error) {
				return []adapter{{dev: 3, address: testAdapter, up: true}, {dev: 4, address: other, up: true}}, nil
			}
			s, _, err := h.dial(context.Background(), testRemote, &tt.cfg, SecurityHigh)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			if h.locals[0] != tt.want || h.levels[0] != SecurityHigh {
				t.Errorf("bound to %v at security %v, want %v, high", h.locals[0], h.levels[0], tt.want)
			}
			rc, ok := h.targets[0].(*unix.SockaddrRFCOMM)
			if !ok || rc.Channel != 1 || rc.Addr != [6]byte{0x32, 0x1D, 0x07, 0xCE, 0x0B, 0x00} {
				t.Errorf("connected to %+v", h.targets[0])
			}
			h.checkClosed(1)
		})
	}
}

// Nothing may reach connect(2) on a kernel whose RFCOMM is dead, nor be connected to a device that is not there.
func TestDialKeepsAway(t *testing.T) {
	stuck := healthy()
	delete(stuck, "proc/417/stat")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		prepare func(h *fakeHost)
		cfg     Config
		want    error
	}{
		{name: "kernel stuck", want: ErrKernelStuck, prepare: func(h *fakeHost) { h.files = stuck }},
		{name: "kernel stuck, no presence test", want: ErrKernelStuck, cfg: Config{AssumePresent: true},
			prepare: func(h *fakeHost) { h.files = stuck }},
		{name: "kernel dies during the presence test", want: ErrKernelStuck, prepare: func(h *fakeHost) {
			h.linkUp = func(adapter, bdaddr.Address) (bool, error) {
				h.files = stuck
				return true, nil
			}
		}},
		{name: "absent", want: ErrAbsent, prepare: func(h *fakeHost) {
			h.linkUp = func(adapter, bdaddr.Address) (bool, error) { return false, nil }
			h.openHCI = scriptedHCI(h.t, status(0), named(statusPageTimeout, testMeter, ""))
		}},
		{name: "busy with another host", want: ErrRefused, prepare: func(h *fakeHost) {
			h.linkUp = func(adapter, bdaddr.Address) (bool, error) { return false, nil }
			h.openHCI = scriptedHCI(h.t, status(0), named(statusLimited, testMeter, ""))
		}},
		{name: "presence cannot be tested", want: unix.EPERM, prepare: func(h *fakeHost) {
			h.linkUp = func(adapter, bdaddr.Address) (bool, error) { return false, unix.EPERM }
			h.openHCI = func(adapter) (int, error) { return -1, unix.EPERM }
		}},
		{name: "no adapter", want: ErrAdapterDown, prepare: func(h *fakeHost) {
			h.adapters = func() ([]adapter, error) { return nil, nil }
		}},
		{name: "adapter off", want: unix.EHOSTUNREACH, prepare: func(h *fakeHost) {
			h.adapters = func() ([]adapter, error) { return []adapter{{address: testAdapter}}, nil }
		}},
		{name: "another adapter", want: ErrAdapterDown, cfg: Config{Local: bdaddr.Address{9}}, prepare: func(*fakeHost) {}},
		{name: "no Bluetooth", want: unix.EAFNOSUPPORT, prepare: func(h *fakeHost) {
			h.adapters = func() ([]adapter, error) { return nil, unix.EAFNOSUPPORT }
		}},
		{name: "cancelled", ctx: cancelled, want: context.Canceled, prepare: func(*fakeHost) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			tt.prepare(h)
			ctx := tt.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			s, _, err := h.dial(ctx, testRemote, &tt.cfg, SecurityMedium)
			if err == nil {
				s.close()
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if len(h.began) != 0 {
				t.Error("connect(2) was called")
			}
			h.checkClosed(0)
		})
	}
}

func TestDialArguments(t *testing.T) {
	tests := []struct {
		name   string
		remote Addr
		cfg    *Config
	}{
		{"no device", Addr{Channel: 1}, nil},
		{"channel 0", Addr{Address: testMeter}, nil},
		{"channel 31", Addr{Address: testMeter, Channel: 31}, nil},
		{"security", testRemote, &Config{Security: 9}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Dial(context.Background(), tt.remote, tt.cfg)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) {
					t.Errorf("got %v, want a complaint about the argument", err)
				}
			}
		})
	}
	if _, err := Listen(Addr{Channel: 31}, nil); err == nil {
		t.Error("listening on channel 31")
	}
	if _, err := Listen(Addr{}, &Config{Security: 9}); err == nil {
		t.Error("listening with an unknown security")
	}
	if _, err := Present(context.Background(), testAdapter, bdaddr.Address{}); err == nil {
		t.Error("the zero address is present")
	}
	if _, err := FindChannel(context.Background(), bdaddr.Address{}, 0x1101, nil); err == nil {
		t.Error("the zero address has a channel")
	}
}
