package rfcomm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// The commands of a presence test of 00:0B:CE:07:1D:32, byte for byte.
const (
	requestBytes = "\x01\x19\x04\x0a\x32\x1d\x07\xce\x0b\x00\x02\x00\x00\x00"
	cancelBytes  = "\x01\x1a\x04\x06\x32\x1d\x07\xce\x0b\x00"
)

// status makes a command status event for a remote name request.
func status(code hciStatus) string {
	return string([]byte{0x04, 0x0f, 0x04, byte(code), 0x01, 0x19, 0x04})
}

// named makes a remote name request complete event.
func named(code hciStatus, a bdaddr.Address, name string) string {
	p := append([]byte{0x04, 0x07, 0xff, byte(code)}, a[5], a[4], a[3], a[2], a[1], a[0])
	return string(append(append(p, name...), make([]byte, 248-len(name))...))
}

// scriptedHCI opens HCI sockets of an adapter that has sent some events already. It is up to the test to see that they
// are the ones that count.
func scriptedHCI(t *testing.T, events ...string) func(adapter) (int, error) {
	return func(adapter) (int, error) {
		fd, peer := socketPair(t, unix.SOCK_SEQPACKET)
		t.Cleanup(func() { unix.Close(peer) })
		for _, event := range events {
			if _, err := unix.Write(peer, []byte(event)); err != nil {
				t.Error(err)
			}
		}
		return fd, nil
	}
}

// received reads what the adapter's end of an HCI socket got.
func received(t *testing.T, peer int) []string {
	t.Helper()
	var got []string
	buf := make([]byte, 64)
	for {
		n, err := unix.Read(peer, buf)
		if err == unix.EAGAIN || n == 0 && err == nil {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(buf[:n]))
	}
}

func TestRemoteName(t *testing.T) {
	const limit = 20 * time.Millisecond
	other := bdaddr.Address{1, 2, 3, 4, 5, 6}
	tests := []struct {
		name   string
		events []string
		want   string
		errs   []error
		sent   []string
	}{
		{name: "answers", events: []string{status(0), named(0, testMeter, "PowerSpy 4567")}, want: "PowerSpy 4567"},
		{name: "a name that fills the field", events: []string{status(0), named(0, testMeter, strings.Repeat("x", 248))},
			want: strings.Repeat("x", 248)},
		{name: "no name", events: []string{status(0), named(0, testMeter, "")}},
		{name: "a name that is no UTF-8", events: []string{status(0), named(0, testMeter, "Power\xffSpy")}, want: "Power\uFFFDSpy"},
		{name: "answers somebody else", events: []string{named(0, testMeter, "PowerSpy")}, want: "PowerSpy"},
		{name: "absent", events: []string{status(0), named(statusPageTimeout, testMeter, "")},
			errs: []error{ErrAbsent, unix.EHOSTDOWN}},
		{name: "another device is absent", events: []string{status(0), named(statusPageTimeout, other, ""), named(0, testMeter, "x")},
			want: "x"},
		{name: "somebody else's page timed out", events: []string{named(statusPageTimeout, testMeter, ""), status(0), named(0, testMeter, "x")},
			want: "x"},
		{name: "busy with another host", events: []string{status(0), named(statusLimited, testMeter, "")},
			errs: []error{ErrRefused, unix.ECONNREFUSED}},
		{name: "another failure", events: []string{status(0), named(0x08, testMeter, "")},
			errs: []error{unix.ETIMEDOUT, hciStatus(0x08)}},
		{name: "command refused", events: []string{status(0x11)}, errs: []error{hciStatus(0x11), unix.ENOSYS}},
		{name: "noise", events: []string{"\x04", "\x02\x07\xff", "\x04\x07\x03\x00\x00", "\x04\x07\x03\x00\x00\x00", "\x04\x0f\x01\x00",
			"\x04\x0e\x04\x01\x19\x04\x00", status(0), named(0, testMeter, "x")}, want: "x"},
		{name: "adapter hung", errs: []error{ErrAdapterHung, unix.ETIMEDOUT}, sent: []string{requestBytes, cancelBytes}},
		{name: "no end of it", events: []string{status(0)}, errs: []error{ErrAdapterHung}, sent: []string{requestBytes, cancelBytes}},
		{name: "adapter busy", events: []string{status(statusDisallowed)}, errs: []error{statusDisallowed, unix.EBUSY},
			sent: []string{requestBytes, cancelBytes}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fd, peer := socketPair(t, unix.SOCK_SEQPACKET)
			defer unix.Close(peer)
			s := testSocket(t, fd)
			for _, event := range tt.events {
				if _, err := unix.Write(peer, []byte(event)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := remoteName(context.Background(), s, testMeter, limit)
			if got != tt.want || (err == nil) != (len(tt.errs) == 0) {
				t.Fatalf("got %q, %v", got, err)
			}
			for _, want := range tt.errs {
				if !errors.Is(err, want) {
					t.Errorf("%v does not match %v", err, want)
				}
			}
			sent := tt.sent
			if sent == nil {
				sent = []string{requestBytes}
			}
			if diff := cmp.Diff(sent, received(t, peer)); diff != "" {
				t.Errorf("unexpected commands (-want +got):\n%s", diff)
			}
		})
	}
}

// While the adapter is busy with something else the request is repeated.
func TestRemoteNameRepeats(t *testing.T) {
	fd, peer := socketPair(t, unix.SOCK_SEQPACKET)
	s, controller := testSocket(t, fd), testSocket(t, peer)
	done := make(chan error, 1)
	go func() {
		buf := make([]byte, 64)
		for _, event := range []string{status(statusDisallowed), status(0)} {
			n, err := controller.readMessage(context.Background(), buf)
			if err == nil && string(buf[:n]) != requestBytes {
				err = errors.New("not the request")
			}
			if err == nil {
				err = controller.writeMessage(context.Background(), []byte(event))
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- controller.writeMessage(context.Background(), []byte(named(0, testMeter, "x")))
	}()
	if name, err := remoteName(context.Background(), s, testMeter, presenceLimit); name != "x" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRemoteNameCancelled(t *testing.T) {
	fd, peer := socketPair(t, unix.SOCK_SEQPACKET)
	s, controller := testSocket(t, fd), testSocket(t, peer)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := controller.readMessage(context.Background(), make([]byte, 64))
		cancel()
		done <- err
	}()
	if _, err := remoteName(ctx, s, testMeter, presenceLimit); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// The page is called off.
	if diff := cmp.Diff([]string{cancelBytes}, received(t, peer)); diff != "" {
		t.Errorf("unexpected commands (-want +got):\n%s", diff)
	}
}

func TestRemoteNameAdapterGone(t *testing.T) {
	fd, peer := socketPair(t, unix.SOCK_SEQPACKET)
	s, controller := testSocket(t, fd), testSocket(t, peer)
	done := make(chan error, 1)
	go func() {
		_, err := controller.readMessage(context.Background(), make([]byte, 64))
		done <- errors.Join(err, controller.close())
	}()
	if _, err := remoteName(context.Background(), s, testMeter, presenceLimit); !errors.Is(err, ErrAdapterDown) {
		t.Errorf("got %v, want ErrAdapterDown", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestHostReach(t *testing.T) {
	second := bdaddr.Address{0x00, 0x1A, 0x7D, 0xDA, 0x71, 0x12}
	both := []adapter{{dev: 1, address: second, up: true}, {dev: 0, address: testAdapter, up: true}}
	there := []string{status(0), named(0, testMeter, "x")}
	away := []string{status(0), named(statusPageTimeout, testMeter, "")}
	tests := []struct {
		name     string
		adapters []adapter
		local    bdaddr.Address
		linked   map[uint16][]bool // by adapter: answers of linkUp, the last of which stays
		events   []string
		want     bdaddr.Address
		err      error
		asked    []uint16 // adapters whose HCI socket was opened
	}{
		{name: "link up", adapters: both, linked: map[uint16][]bool{1: {true}}, want: second},
		{name: "link up on the second", adapters: both, linked: map[uint16][]bool{0: {true}}, want: testAdapter},
		{name: "no link, there", adapters: both, events: there, want: second, asked: []uint16{1}},
		{name: "adapter chosen", adapters: both, local: testAdapter, events: there, want: testAdapter, asked: []uint16{0}},
		{name: "link up on another adapter than chosen", adapters: both, local: testAdapter, linked: map[uint16][]bool{1: {true}},
			events: there, want: testAdapter, asked: []uint16{0}},
		{name: "first adapter off", adapters: []adapter{{dev: 1, address: second}, both[1]}, events: there, want: testAdapter, asked: []uint16{0}},
		{name: "away", adapters: both, events: away, err: ErrAbsent, asked: []uint16{1}},
		{name: "link set up meanwhile", adapters: both[:1], linked: map[uint16][]bool{1: {false, true}}, events: away,
			want: second, asked: []uint16{1}},
		{name: "the device is this machine", adapters: []adapter{{dev: 0, address: testMeter, up: true}}, err: ErrAdapterDown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []uint16
			open := scriptedHCI(t, tt.events...)
			h := &host{
				adapters: func() ([]adapter, error) { return tt.adapters, nil },
				linkUp: func(a adapter, remote bdaddr.Address) (bool, error) {
					answers := tt.linked[a.dev]
					if len(answers) == 0 {
						return false, nil
					}
					if len(answers) > 1 {
						tt.linked[a.dev] = answers[1:]
					}
					return answers[0], nil
				},
				openHCI: func(a adapter) (int, error) {
					asked = append(asked, a.dev)
					return open(a)
				},
			}
			got, err := h.reach(context.Background(), testMeter, &Config{Local: tt.local})
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %v, %v, want %v, %v", got, err, tt.want, tt.err)
			}
			if diff := cmp.Diff(tt.asked, asked); diff != "" {
				t.Errorf("unexpected presence tests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHostPresent(t *testing.T) {
	h := newFakeHost(t)
	h.openHCI = scriptedHCI(t, status(0), named(0, testMeter, "PowerSpy 4567"))
	// A link that is up is no reason not to ask.
	if name, err := h.present(context.Background(), bdaddr.Address{}, testMeter); name != "PowerSpy 4567" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	h.openHCI = func(adapter) (int, error) { return -1, unix.ENODEV }
	if _, err := h.present(context.Background(), bdaddr.Address{}, testMeter); !errors.Is(err, ErrAdapterDown) {
		t.Errorf("got %v, want ErrAdapterDown", err)
	}
}
