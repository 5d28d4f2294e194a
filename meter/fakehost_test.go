package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

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

// A fakeHost is a BlueZ and a radio with devices in range, in the order of
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
	kernel   error        // of the kernel's RFCOMM, in place of that
	files    fstest.MapFS // of the machine; nil: those of a healthy one
	restart  func() error // of the service; nil: nobody may
	log      []string
	watchers []*fakeWatcher
	calls    int    // to BlueZ, by whatever method
	gone     string // an adapter that vanishes as soon as it is to discover

	forerunners int // connects with one
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

// A fakeWatcher reports adapters and BlueZ coming and going.
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
	refuses     error    // with what it refuses a PIN; nil: ErrAuthFailed
	services    []string // that are known once it is paired
	serviceErr  error    // of asking it for its channel
	open        bool     // may be connected to unpaired
	meterConfig string
	sim         *sim.Meter // in place of meterConfig: the same one each time
}

func (h *fakeHost) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// find returns what there is of a device in range of an adapter: of whichever
// when that is empty.
func (h *fakeHost) find(adapter string, a bdaddr.Address) *fakeDevice {
	for _, d := range h.air {
		if d.Address == a && (adapter == "" || d.Adapter == adapter) {
			return d
		}
	}
	return nil
}

// id returns the identifier of the adapter with an address, empty for any.
func (h *fakeHost) id(a bdaddr.Address) string {
	for _, b := range h.adapters {
		if b.Address == a {
			return b.ID
		}
	}
	return ""
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
	if adapter == h.gone {
		h.mu.Unlock()
		return os.ErrNotExist
	}
	air := h.air
	h.mu.Unlock()
	start := time.Now()
	for time.Since(start) < time.Hour {
		for _, d := range air {
			if d.away || d.Adapter != adapter || time.Since(start) < d.appears {
				continue
			}
			h.mu.Lock()
			d.known = true
			seen := d.Device
			seen.InRange = true
			if time.Since(start) < d.nameAt {
				seen.Name = ""
			}
			h.mu.Unlock()
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

func (h *fakeHost) Pair(ctx context.Context, adapter string, a bdaddr.Address, pin func(context.Context) (string, error)) error {
	d := h.find(adapter, a)
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
		return cmp.Or(d.refuses, bluez.ErrAuthFailed)
	}
	d.Paired, d.forgot = true, false
	d.UUIDs = d.services
	return nil
}

func (h *fakeHost) SetTrusted(_ context.Context, adapter string, a bdaddr.Address, on bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.find(adapter, a).Trusted = on
	return nil
}

func (h *fakeHost) Remove(_ context.Context, adapter string, a bdaddr.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("remove")
	d := h.find(adapter, a)
	d.Paired, d.Trusted, d.known = false, false, false
	return nil
}

func (h *fakeHost) Disconnect(_ context.Context, adapter string, a bdaddr.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("disconnect")
	h.find(adapter, a).Connected = false
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

func (h *fakeHost) Present(_ context.Context, local, a bdaddr.Address) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.page(h.id(local), a); d != nil {
		return d.Name, nil
	}
	return "", rfcomm.ErrAbsent
}

// page calls a device until it answers, as it does also when it comes back
// meanwhile; nil: it does not. h.mu is held.
func (h *fakeHost) page(adapter string, a bdaddr.Address) *fakeDevice {
	for began := time.Now(); ; {
		if d := h.find(adapter, a); d != nil && !d.away {
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

func (h *fakeHost) Dial(ctx context.Context, remote rfcomm.Addr, cfg *rfcomm.Config) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	dial := fmt.Sprintf("dial %d", remote.Channel)
	if cfg.Security == rfcomm.SecurityLow {
		dial += " unpaired"
	}
	h.note("%s", dial)
	if cfg.Forerunner != nil {
		h.forerunners++
	}
	adapter := h.id(cfg.Local)
	d := h.find(adapter, remote.Address)
	switch {
	case h.stuck:
		return nil, rfcomm.ErrKernelStuck
	case !slices.ContainsFunc(h.adapters, func(a bluez.Adapter) bool { return a.Powered }):
		return nil, rfcomm.ErrAdapterDown
	case h.page(adapter, remote.Address) == nil:
		return nil, rfcomm.ErrAbsent
	case d.forgot || !d.Paired && !(d.open && cfg.Security == rfcomm.SecurityLow):
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
	spec, err := sim.ParseSpec(d.meterConfig)
	if err != nil {
		h.t.Fatal(err)
	}
	return sim.New(spec).Dial(ctx)
}

// pageTime is how long the kernel calls a device, on the bubble's clock.
const pageTime = 5120 * time.Millisecond

func (h *fakeHost) FindChannel(_ context.Context, a bdaddr.Address, _ uint16, _ *rfcomm.Config) (uint8, error) {
	d := h.find("", a)
	return d.channel, d.serviceErr
}

func (h *fakeHost) Alive() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stuck {
		return rfcomm.ErrKernelStuck
	}
	return h.kernel
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

// host returns the machine whose Bluetooth this is.
func (h *fakeHost) host() host {
	return host{
		bus: func(context.Context) (daemon, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.noBus != nil {
				return nil, h.noBus
			}
			return h, nil
		},
		files: fakeFiles{h},
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

// fakeFiles is what a healthy machine shows of its adapters, unless a test has
// files of its own.
type fakeFiles struct{ h *fakeHost }

func (f fakeFiles) Open(name string) (fs.File, error) {
	f.h.mu.Lock()
	defer f.h.mu.Unlock()
	files := f.h.files
	if files == nil {
		files = fstest.MapFS{"usr/libexec/bluetooth/bluetoothd": &fstest.MapFile{}}
		for _, a := range f.h.adapters {
			addSwitch(files, path.Join("sys/class/bluetooth", a.ID, "rfkill0"), "0", "0")
		}
	}
	return files.Open(name)
}

// addSwitch adds a radio switch.
func addSwitch(files fstest.MapFS, dir, soft, hard string) {
	for name, value := range map[string]string{"type": "bluetooth", "name": "hci0", "soft": soft, "hard": hard} {
		files[path.Join(dir, name)] = &fstest.MapFile{Data: []byte(value + "\n")}
	}
}
