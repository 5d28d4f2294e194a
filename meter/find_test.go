package meter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/powerspy/sim"
	"powerspy2/rfcomm"
)

var (
	testAdapter = bluez.Adapter{ID: "hci0", Address: bdaddr.Address{0, 0x1A, 0x7D, 0xDA, 0x71, 0x13}, Powered: true}
	testMeter   = bdaddr.Address{0x00, 0x0B, 0xCE, 0x07, 0x1D, 0x32}
	otherMeter  = bdaddr.Address{0x00, 0x0B, 0xCE, 0x07, 0x1D, 0x33}
)

// A fakeHost is a BlueZ and a radio with devices in the air, in the order of
// their appearance. It counts what was asked of it.
type fakeHost struct {
	t        *testing.T
	mu       sync.Mutex // guards what follows, for tests that change it meanwhile
	adapters []bluez.Adapter
	air      []*fakeDevice
	denied   error // of every call to BlueZ
	holders  []rfcomm.Holder
	noBus    error        // of connecting to BlueZ
	stuck    bool         // the kernel's RFCOMM
	restart  func() error // of the service; nil: nobody may
	log      []string
	watchers []*fakeWatcher
	calls    int // to BlueZ, by whatever method
}

// change changes the host while others use it.
func (h *fakeHost) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.tell()
}

// tell wakes those who watch.
func (h *fakeHost) tell() {
	for _, w := range h.watchers {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

// A fakeWatcher tells of the adapters and of BlueZ's coming and going.
type fakeWatcher struct {
	h       *fakeHost
	changed chan struct{}
	queue   []bluez.Event
	up      bool
	told    []bluez.Adapter
}

func (h *fakeHost) Watch(context.Context) (watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	w := &fakeWatcher{h: h, changed: make(chan struct{}, 1)}
	if w.look(); !w.up {
		w.queue = []bluez.Event{{Kind: bluez.DaemonDown}}
	}
	h.watchers = append(h.watchers, w)
	return w, nil
}

// look queues what has changed.
func (w *fakeWatcher) look() {
	up := w.h.noBus == nil
	switch {
	case w.up && !up:
		w.queue = append(w.queue, bluez.Event{Kind: bluez.DaemonDown})
		w.told = nil
	case !w.up && up:
		w.queue = append(w.queue, bluez.Event{Kind: bluez.DaemonUp})
	}
	if w.up = up; !up {
		return
	}
	for _, a := range w.told {
		if !slices.ContainsFunc(w.h.adapters, func(b bluez.Adapter) bool { return a.ID == b.ID }) {
			w.queue = append(w.queue, bluez.Event{Kind: bluez.AdapterRemoved, Adapter: a})
		}
	}
	for _, a := range w.h.adapters {
		switch i := slices.IndexFunc(w.told, func(b bluez.Adapter) bool { return a.ID == b.ID }); {
		case i < 0:
			w.queue = append(w.queue, bluez.Event{Kind: bluez.AdapterAdded, Adapter: a})
		case w.told[i] != a:
			w.queue = append(w.queue, bluez.Event{Kind: bluez.AdapterChanged, Adapter: a})
		}
	}
	w.told = slices.Clone(w.h.adapters)
}

func (w *fakeWatcher) Buffered() int { return len(w.queue) }

func (w *fakeWatcher) Next(ctx context.Context) (bluez.Event, error) {
	for len(w.queue) == 0 {
		select {
		case <-ctx.Done():
			return bluez.Event{}, ctx.Err()
		case <-w.changed:
		}
		w.h.mu.Lock()
		w.look()
		w.h.mu.Unlock()
	}
	e := w.queue[0]
	w.queue = w.queue[1:]
	return e, nil
}

func (w *fakeWatcher) Close() error {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	w.h.watchers = slices.DeleteFunc(w.h.watchers, func(o *fakeWatcher) bool { return o == w })
	return nil
}

type fakeDevice struct {
	bluez.Device
	known       bool // BlueZ has an object for it
	away        bool
	pin         string
	forgot      bool // the meter forgot the key
	channel     uint8
	appears     time.Duration // into the discovery
	nameAt      time.Duration // into the discovery; the name is empty before
	dialErr     error
	pairErr     error
	meterConfig string
	sim         *sim.Meter // in place of meterConfig: the same one each time
}

func (h *fakeHost) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *fakeHost) find(a bdaddr.Address) *fakeDevice {
	for _, d := range h.air {
		if d.Address == a {
			return d
		}
	}
	return nil
}

func (h *fakeHost) Adapters(context.Context) ([]bluez.Adapter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	return slices.Clone(h.adapters), h.denied
}

func (h *fakeHost) Devices(context.Context) ([]bluez.Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	var ds []bluez.Device
	for _, d := range h.air {
		if d.known {
			ds = append(ds, d.Device)
		}
	}
	return ds, h.denied
}

func (h *fakeHost) Discover(ctx context.Context, adapter string, found func(bluez.Device) bool) error {
	h.mu.Lock()
	h.note("discover %s", adapter)
	air := h.air
	h.mu.Unlock()
	start := time.Now()
	for time.Since(start) < time.Hour {
		for _, d := range air {
			if d.away || time.Since(start) < d.appears {
				continue
			}
			d.known = true
			seen := d.Device
			seen.InRange = true
			if time.Since(start) < d.nameAt {
				seen.Name = ""
			}
			if found(seen) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return errors.New("nobody ended the discovery")
}

func (h *fakeHost) Pair(ctx context.Context, _ string, a bdaddr.Address, pin func(context.Context) (string, error)) error {
	d := h.find(a)
	if d == nil || !d.known {
		return os.ErrNotExist
	}
	if d.Paired {
		return bluez.ErrAlreadyPaired
	}
	if d.pairErr != nil {
		return d.pairErr
	}
	got, err := pin(ctx)
	if err != nil {
		return err
	}
	h.note("pair with %s", got)
	if got != d.pin {
		return bluez.ErrAuthFailed
	}
	d.Paired, d.forgot = true, false
	return nil
}

func (h *fakeHost) SetTrusted(_ context.Context, _ string, a bdaddr.Address, on bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.find(a).Trusted = on
	return nil
}

func (h *fakeHost) Remove(_ context.Context, _ string, a bdaddr.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("remove")
	d := h.find(a)
	d.Paired, d.Trusted, d.known = false, false, false
	return nil
}

func (h *fakeHost) Disconnect(_ context.Context, _ string, a bdaddr.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("disconnect")
	h.find(a).Connected = false
	return nil
}

func (h *fakeHost) SetPowered(_ context.Context, id string, on bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("power %s %t", id, on)
	for i := range h.adapters {
		if h.adapters[i].ID == id {
			h.adapters[i].Powered = on
		}
	}
	h.tell()
	return nil
}

func (h *fakeHost) Close() error { return nil }

func (h *fakeHost) Present(_ context.Context, _, a bdaddr.Address) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.page(a); d != nil {
		return d.Name, nil
	}
	return "", rfcomm.ErrAbsent
}

// page calls a device until it answers, as it does also when it comes back
// meanwhile; nil: it does not. h.mu is held.
func (h *fakeHost) page(a bdaddr.Address) *fakeDevice {
	for began := time.Now(); ; {
		if d := h.find(a); d != nil && !d.away {
			return d
		}
		if time.Since(began) >= pageTime {
			return nil
		}
		h.mu.Unlock()
		time.Sleep(pageTime / 64)
		h.mu.Lock()
	}
}

func (h *fakeHost) Dial(ctx context.Context, remote rfcomm.Addr, _ *rfcomm.Config) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("dial %d", remote.Channel)
	d := h.find(remote.Address)
	switch {
	case h.stuck:
		return nil, rfcomm.ErrKernelStuck
	case !slices.ContainsFunc(h.adapters, func(a bluez.Adapter) bool { return a.Powered }):
		return nil, rfcomm.ErrAdapterDown
	case h.page(remote.Address) == nil:
		return nil, rfcomm.ErrAbsent
	case d.forgot || !d.Paired:
		return nil, rfcomm.ErrKeyRefused
	case d.dialErr != nil:
		return nil, d.dialErr
	case remote.Channel != d.channel:
		return nil, rfcomm.ErrRefused
	}
	d.Connected = true
	if d.sim != nil {
		return d.sim.Dial(ctx)
	}
	cfg, err := sim.ParseSpec(d.meterConfig)
	if err != nil {
		h.t.Fatal(err)
	}
	return sim.New(cfg).Dial(ctx)
}

// pageTime is how long the kernel calls a device, on the bubble's clock.
const pageTime = 5120 * time.Millisecond

func (h *fakeHost) FindChannel(_ context.Context, a bdaddr.Address, _ uint16, _ *rfcomm.Config) (uint8, error) {
	return h.find(a).channel, nil
}

func (h *fakeHost) Alive() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stuck {
		return rfcomm.ErrKernelStuck
	}
	return nil
}

func (h *fakeHost) Holders() ([]rfcomm.Holder, error) { return h.holders, h.denied }

// newDevice is a meter that nobody has seen yet.
func newDevice() *fakeDevice {
	return &fakeDevice{
		Device: bluez.Device{Adapter: "hci0", Address: testMeter, Name: "PowerSpy 4567", Alias: "00-0B-CE-07-1D-32"},
		pin:    "1234", channel: 1, appears: time.Second, nameAt: 11 * time.Second,
	}
}

// paired is a meter that an earlier set-up left paired.
func paired() *fakeDevice {
	d := newDevice()
	d.known, d.Paired, d.Trusted = true, true, true
	return d
}

func TestOpen(t *testing.T) {
	second := func() *fakeDevice {
		d := newDevice()
		d.Address, d.Name = otherMeter, "PowerSpy 9999"
		return d
	}
	with := func(d *fakeDevice, change func(*fakeDevice)) *fakeDevice { change(d); return d }
	tests := []struct {
		name string
		cfg  Config
		air  []*fakeDevice
		want Target // its address and channel
		err  error
		text string // in the error
		log  []string
		max  time.Duration
	}{
		{
			name: "never seen", air: []*fakeDevice{newDevice()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "other devices in the air", air: []*fakeDevice{with(second(), func(d *fakeDevice) { d.Name = "Headset" }), newDevice()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "paired", air: []*fakeDevice{paired()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"dial 1"}, max: 2 * time.Second,
		},
		{
			name: "second usual PIN", air: []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pin = "0000" })},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "pair with 0000", "dial 1"},
		},
		{
			name: "unusual PIN, nobody to ask", air: []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pin = "7777" })},
			err: ErrPairing, text: "the usual PINs 1234 and 0000",
			log: []string{"discover hci0", "pair with 1234", "pair with 0000"},
		},
		{
			name: "unusual PIN, a person knows",
			cfg:  Config{AskPIN: func(context.Context, Target) (string, error) { return "7777", nil }},
			air:  []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pin = "7777" })},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "pair with 0000", "pair with 7777", "dial 1"},
		},
		{
			name: "wrong PIN given", cfg: Config{PIN: "9999"}, air: []*fakeDevice{newDevice()},
			err: ErrPairing, text: "the PIN that was given",
			log: []string{"discover hci0", "pair with 9999"},
		},
		{
			name: "meter forgot the key", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.forgot = true })},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"dial 1", "remove", "discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "another channel", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.channel = 5 })},
			want: Target{Address: testMeter, Channel: 5},
			log:  []string{"dial 1", "dial 5"},
		},
		{
			name: "remembered channel",
			cfg:  Config{Remembered: []Target{{Kind: Bluetooth, Address: testMeter, Channel: 5}}},
			air:  []*fakeDevice{with(paired(), func(d *fakeDevice) { d.channel = 5 })},
			want: Target{Address: testMeter, Channel: 5},
			log:  []string{"dial 5"},
		},
		{
			name: "absent, paired", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.away = true })},
			err: ErrNotFound, text: "respond over Bluetooth", log: []string{"dial 1"}, max: 7 * time.Second,
		},
		{
			name: "absent, by address", cfg: Config{Target: Target{Kind: Bluetooth, Address: testMeter}},
			err: ErrNotFound, text: "respond over Bluetooth", max: 7 * time.Second,
		},
		{
			name: "by address, never seen", cfg: Config{Target: Target{Kind: Bluetooth, Address: testMeter}}, air: []*fakeDevice{newDevice()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"}, max: 5 * time.Second,
		},
		{
			name: "nothing in the air", err: ErrNotFound, text: "none answered", log: []string{"discover hci0"}, max: 31 * time.Second,
		},
		{
			name: "two meters, nobody to ask", air: []*fakeDevice{newDevice(), second()},
			err: ErrUsage, text: otherMeter.String(), log: []string{"discover hci0"},
		},
		{
			name: "two meters, a person chooses",
			cfg: Config{Choose: func(_ context.Context, found []Target) (int, error) {
				for i, f := range found {
					if f.Address == otherMeter {
						return i, nil
					}
				}
				return 0, errors.New("the other meter was not offered")
			}},
			air:  []*fakeDevice{newDevice(), second()},
			want: Target{Address: otherMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "two meters, one named", cfg: Config{Target: Target{Kind: Named, Name: "powerspy 99"}},
			air:  []*fakeDevice{newDevice(), second()},
			want: Target{Address: otherMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "held by another program", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.dialErr = rfcomm.ErrBusy })},
			err: ErrNoAnswer, text: "another program", log: []string{"dial 1"},
		},
		{
			name: "in use elsewhere", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.dialErr = rfcomm.ErrRefused })},
			err: ErrNoAnswer, text: "somebody else", log: []string{"dial 1", "dial 1"},
		},
		{
			name: "in use by another computer", air: []*fakeDevice{with(paired(), func(d *fakeDevice) {
				d.dialErr = fmt.Errorf("%w: %w", rfcomm.ErrOccupied, rfcomm.ErrRefused)
			})},
			err: ErrNoAnswer, text: "another computer", log: []string{"dial 1"},
		},
		{
			name: "dead kernel", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.dialErr = rfcomm.ErrKernelStuck })},
			err: ErrNotReady, text: "reboot", log: []string{"dial 1"},
		},
		{
			name: "another program pairs", air: []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pairErr = bluez.ErrInProgress })},
			err: ErrNotReady, text: "another program", log: []string{"discover hci0"},
		},
		{
			name: "silent meter", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.meterConfig = "mute=?" })},
			err: ErrNoAnswer, text: "silent", log: []string{"dial 1", "dial 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: tt.air}
				start := time.Now()
				m, err := open(t.Context(), tt.cfg, h.host())
				took := time.Since(start)
				if !errors.Is(err, tt.err) {
					t.Fatalf("unexpected error: %v, want %v", err, tt.err)
				}
				if err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %q does not say %q", err, tt.text)
				}
				if diff := cmp.Diff(tt.log, h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
				if tt.max > 0 && took > tt.max {
					t.Errorf("took %v, want at most %v", took, tt.max)
				}
				if err != nil {
					return
				}
				got := m.Target()
				if got.Kind != Bluetooth || got.Address != tt.want.Address || got.Channel != tt.want.Channel || got.Adapter != testAdapter.Address || got.Name == "" {
					t.Errorf("unexpected target %+v", got)
				}
				if d := h.find(got.Address); !d.Paired || !d.Trusted {
					t.Errorf("paired %v, trusted %v", d.Paired, d.Trusted)
				}
				if err := m.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		})
	}
}

// host returns the machine whose Bluetooth this is.
func (h *fakeHost) host() host {
	return host{
		bus: func(context.Context) (daemon, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.noBus != nil {
				return nil, explainBlueZ("reach the Bluetooth service", h.noBus)
			}
			return h, nil
		},
		watch: h.Watch,
		radio: h,
		restart: func(context.Context) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.note("restart")
			if h.restart == nil {
				return os.ErrPermission
			}
			return h.restart()
		},
	}
}

func TestOpenMachineNotReady(t *testing.T) {
	off := testAdapter
	off.Powered = false
	tests := []struct {
		name string
		host *fakeHost
		cfg  Config
		text string
	}{
		{"no adapter", &fakeHost{}, Config{}, "no Bluetooth adapter"},
		{"adapter off", &fakeHost{adapters: []bluez.Adapter{off}}, Config{}, "switched off"},
		{"another adapter", &fakeHost{adapters: []bluez.Adapter{testAdapter}}, Config{Adapter: "hci7"}, "hci0"},
		{"policy", &fakeHost{denied: os.ErrPermission}, Config{}, "policy"},
		{"service gone", &fakeHost{denied: bluez.ErrNoDaemon}, Config{}, "not running"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t.Context(), tt.cfg, tt.host.host())
			if !errors.Is(err, ErrNotReady) {
				t.Fatalf("unexpected error: %v", err)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q does not say %q", err, tt.text)
			}
		})
	}
}
