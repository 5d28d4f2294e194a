package bluez

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// An EventKind says what happened.
type EventKind int

// What a Watcher reports.
const (
	// DaemonUp says that BlueZ is there. Events of what it knows follow, each
	// as Added.
	DaemonUp EventKind = iota + 1
	// DaemonDown says that BlueZ is not there. With it went every adapter and
	// device; none gets an event of its own.
	DaemonDown
	// AdapterAdded, AdapterChanged and AdapterRemoved carry Event.Adapter.
	AdapterAdded
	AdapterChanged
	AdapterRemoved
	// DeviceAdded, DeviceChanged and DeviceRemoved carry Event.Device.
	DeviceAdded
	DeviceChanged
	DeviceRemoved
)

// String returns the name of the constant.
func (k EventKind) String() string {
	names := [...]string{
		"DaemonUp", "DaemonDown",
		"AdapterAdded", "AdapterChanged", "AdapterRemoved",
		"DeviceAdded", "DeviceChanged", "DeviceRemoved",
	}
	if i := int(k) - 1; i >= 0 && i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("EventKind(%d)", int(k))
}

// An Event is something that happened to BlueZ, an adapter or a device.
type Event struct {
	// Kind is what happened.
	Kind EventKind
	// Adapter is the adapter as it is after the event, or was before it was
	// removed. It is the zero Adapter for events of other kinds.
	Adapter Adapter
	// Device is the device as it is after the event, or was before it was
	// removed. It is the zero Device for events of other kinds.
	Device Device
	// Changed names the properties that changed or ceased to be, as BlueZ
	// names them (org.bluez.Adapter1, org.bluez.Device1), also those that
	// Adapter and Device do not show. It is set for Changed events only.
	Changed []string
}

// A Watcher reports what happens to BlueZ, its adapters and its devices, in the
// order in which it happened. One goroutine at a time may call Next.
type Watcher struct {
	c   *Client
	sub *subscription
	own bool // c is the watcher's alone, and ends with it

	owner   string // unique name of BlueZ, "" while it is not there
	up      bool   // BlueZ is there and its objects have been read
	objects *objects
	queue   []Event

	// Signals before these points are part of what was read there.
	ownerSeq, objectsSeq dbus.Sequence
}

const opWatch = "watch"

// Watch is Client.Watch on a connection of the watcher's own, which also works
// while BlueZ is not on the bus, and ends with Close. Without a bus the error is
// ErrNoBus.
func Watch(ctx context.Context) (*Watcher, error) { return watchOn(ctx, dbus.ConnectSystemBus) }

// watchOn is Watch on the bus that connect connects to.
func watchOn(ctx context.Context, connect func(...dbus.ConnOption) (*dbus.Conn, error)) (*Watcher, error) {
	c, err := dialBus(ctx, connect)
	if err != nil {
		return nil, wrap(opWatch, "", err)
	}
	w, err := c.Watch(ctx)
	if err != nil {
		// What went wrong first is what the caller needs to know.
		_ = c.Close()
		return nil, err
	}
	w.own = true
	return w, nil
}

// Watch begins to watch. The first events tell what is there: DaemonUp, the
// adapters and the devices, or DaemonDown. The context bounds Watch only. A
// daemon that is not there is no error; a bus that is lost is ErrNoBus.
//
// What is not fetched by Next queues up in memory, so a Watcher that is no
// longer read has to be closed.
func (c *Client) Watch(ctx context.Context) (*Watcher, error) {
	w, err := c.watch(ctx)
	if err != nil {
		return nil, wrap(opWatch, "", err)
	}
	return w, nil
}

func (c *Client) watch(ctx context.Context) (*Watcher, error) {
	sub, err := c.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	w := &Watcher{c: c, sub: sub, objects: newObjects()}
	if w.owner, w.ownerSeq, err = c.owner(ctx); err == nil {
		err = w.load(ctx)
	}
	if err != nil {
		sub.end(ctx)
		return nil, err
	}
	if !w.up {
		w.queue = []Event{{Kind: DaemonDown}}
	}
	return w, nil
}

// Next waits for an event. It may be called again after an error of the
// context, after ErrNoAnswer, and after a property of an unexpected type, whose
// event is then missing. After Close it fails with net.ErrClosed, which is
// final, as is ErrNoBus.
func (w *Watcher) Next(ctx context.Context) (Event, error) {
	e, err := w.next(ctx)
	return e, wrap(opWatch, "", err)
}

func (w *Watcher) next(ctx context.Context) (Event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Event{}, err
		}
		if err := w.load(ctx); err != nil {
			return Event{}, err
		}
		if len(w.queue) > 0 {
			e := w.queue[0]
			w.queue = w.queue[1:]
			return e, nil
		}
		s, err := w.sub.next(ctx)
		if err == nil {
			err = w.apply(s)
		}
		if err != nil {
			return Event{}, err
		}
	}
}

// Buffered returns how many events Next returns without waiting. Right after
// Watch these are the ones that tell what is there.
func (w *Watcher) Buffered() int { return len(w.queue) }

// Close ends the watch. It may be called while Next waits. The error is always
// nil unless the watcher's own connection cannot be closed.
func (w *Watcher) Close() error {
	w.sub.end(context.Background())
	if w.own {
		return w.c.Close()
	}
	return nil
}

// apply takes over a signal.
func (w *Watcher) apply(s *dbus.Signal) error {
	if owner, ok := ownerChange(s); ok {
		if s.Sequence < w.ownerSeq {
			return nil
		}
		w.owner = owner
		w.objects = newObjects()
		if w.up {
			w.up = false
			w.queue = append(w.queue, Event{Kind: DaemonDown})
		}
		return nil
	}
	// Anybody on the bus can send a signal straight to us.
	if !w.up || s.Sender != w.owner || s.Sequence < w.objectsSeq {
		return nil
	}
	events, err := w.objects.apply(s)
	w.queue = append(w.queue, events...)
	return err
}

// load reads the objects of a BlueZ that is there and has not been read.
func (w *Watcher) load(ctx context.Context) error {
	if w.up || w.owner == "" {
		return nil
	}
	o, seq, err := w.c.objects(ctx)
	if err != nil {
		if why := wrap(opWatch, "", err); errors.Is(why, ErrNoDaemon) && !errors.Is(why, ErrNoBus) {
			// It left again. The signal that says so is on its way.
			w.owner = ""
			return nil
		}
		return err
	}
	w.up = true
	w.objects, w.objectsSeq = o, seq
	w.queue = append(w.queue, Event{Kind: DaemonUp})
	for _, a := range o.sortedAdapters() {
		w.queue = append(w.queue, Event{Kind: AdapterAdded, Adapter: a})
	}
	for _, d := range o.sortedDevices() {
		w.queue = append(w.queue, Event{Kind: DeviceAdded, Device: d})
	}
	return nil
}
