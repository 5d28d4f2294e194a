package meter

import (
	"context"
	"io/fs"
	"net"
	"os"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// A host is the Bluetooth of a machine.
type host struct {
	bus     func(context.Context) (daemon, error)  // connects to BlueZ
	watch   func(context.Context) (watcher, error) // watches BlueZ, whether it is there or not
	radio   radio
	files   fs.FS                       // what the machine shows of itself: its root directory
	restart func(context.Context) error // restarts the Bluetooth service
}

// system is the host of this machine.
var system = host{
	bus: func(ctx context.Context) (daemon, error) {
		c, err := bluez.Dial(ctx)
		if err != nil {
			return nil, err // not a nil *bluez.Client in a daemon
		}
		return c, nil
	},
	watch: func(ctx context.Context) (watcher, error) {
		w, err := bluez.Watch(ctx)
		if err != nil {
			return nil, err // not a nil *bluez.Watcher in a watcher
		}
		return w, nil
	},
	radio:   kernel{},
	files:   os.DirFS("/"),
	restart: bluez.RestartService,
}

// A daemon is what finding, pairing and recovering needs of BlueZ.
type daemon interface {
	Adapters(ctx context.Context) ([]bluez.Adapter, error)
	SetPowered(ctx context.Context, adapter string, on bool) error
	Devices(ctx context.Context) ([]bluez.Device, error)
	Disconnect(ctx context.Context, adapter string, addr bdaddr.Address) error
	Discover(ctx context.Context, adapter string, found func(bluez.Device) bool) error
	Pair(ctx context.Context, adapter string, addr bdaddr.Address, pin func(context.Context) (string, error)) error
	SetTrusted(ctx context.Context, adapter string, addr bdaddr.Address, trusted bool) error
	Remove(ctx context.Context, adapter string, addr bdaddr.Address) error
	Close() error
}

var _ daemon = (*bluez.Client)(nil)

// A watcher reports what happens to BlueZ and its adapters.
type watcher interface {
	Next(ctx context.Context) (bluez.Event, error)
	Buffered() int
	Close() error
}

var _ watcher = (*bluez.Watcher)(nil)

// A radio is what connecting needs of the kernel.
type radio interface {
	Dial(ctx context.Context, remote rfcomm.Addr, cfg *rfcomm.Config) (net.Conn, error)
	FindChannel(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *rfcomm.Config) (uint8, error)
	Present(ctx context.Context, local, remote bdaddr.Address) (string, error)
	Holders() ([]rfcomm.Holder, error)
	// Alive is ErrKernelStuck when the kernel's RFCOMM is dead, ErrNotSupported
	// when there is none.
	Alive() error
}

// kernel is the radio of package rfcomm.
type kernel struct{}

func (kernel) Dial(ctx context.Context, remote rfcomm.Addr, cfg *rfcomm.Config) (net.Conn, error) {
	c, err := rfcomm.Dial(ctx, remote, cfg)
	if err != nil {
		return nil, err // not a nil *rfcomm.Conn in a net.Conn
	}
	return c, nil
}

func (kernel) FindChannel(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *rfcomm.Config) (uint8, error) {
	return rfcomm.FindChannel(ctx, remote, uuid, cfg)
}

func (kernel) Present(ctx context.Context, local, remote bdaddr.Address) (string, error) {
	return rfcomm.Present(ctx, local, remote)
}

func (kernel) Alive() error {
	_, err := rfcomm.KernelState()
	return err
}

func (kernel) Holders() ([]rfcomm.Holder, error) { return rfcomm.Holders() }
