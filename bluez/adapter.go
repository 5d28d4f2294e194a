package bluez

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

// An Adapter is a Bluetooth controller of this machine (org.bluez.Adapter1).
type Adapter struct {
	// ID is the kernel's name of the adapter, for example "hci0".
	ID string
	// Address is the adapter's own Bluetooth address.
	Address bdaddr.Address
	// Name is the system's name for the adapter, often the host name.
	Name string
	// Alias is the name that other devices see.
	Alias string
	// Powered is true when the adapter's radio is on.
	Powered bool
	// Discovering is true while any program of this machine discovers.
	Discovering bool
	// Discoverable is true while other devices can find the adapter.
	Discoverable bool
	// Pairable is true while other devices may pair. BlueZ sets it by itself
	// when a program registers an agent, as Pair does.
	Pairable bool
	// Modalias is the adapter's device ID record (Device ID Profile), such as
	// "usb:v1D6Bp0246d0542", with which BlueZ names itself.
	Modalias string
}

// BlueZVersion returns the version of BlueZ that the device ID record names,
// such as "5.66"; empty where it names something else, as main.conf can have it.
func (a *Adapter) BlueZVersion() string {
	const own = "usb:v1D6Bp0246d" // src/main.c: the version is major << 8 | minor
	digits, ok := strings.CutPrefix(a.Modalias, own)
	version, err := strconv.ParseUint(digits, 16, 16)
	if !ok || err != nil {
		return ""
	}
	return fmt.Sprintf("%d.%d", version>>8, version&0xff)
}

// update takes over the properties in values, or none of them on error.
func (a *Adapter) update(values map[string]dbus.Variant) error {
	next := *a
	p := &properties{iface: adapterInterface, values: values}
	readAddress(p, "Address", &next.Address)
	read(p, "Name", &next.Name)
	read(p, "Alias", &next.Alias)
	read(p, "Powered", &next.Powered)
	read(p, "Discovering", &next.Discovering)
	read(p, "Discoverable", &next.Discoverable)
	read(p, "Pairable", &next.Pairable)
	read(p, "Modalias", &next.Modalias)
	if p.err != nil {
		return p.err
	}
	*a = next
	return nil
}

const (
	rootPath = dbus.ObjectPath("/org/bluez")

	opAdapters = "list adapters"
	opAdapter  = "read adapter"
)

// adapterPath returns the object of an adapter. It fails on what cannot be the
// name of one.
func adapterPath(id string) (dbus.ObjectPath, error) {
	path := rootPath + "/" + dbus.ObjectPath(id)
	if !path.IsValid() || strings.Contains(id, "/") {
		return "", &Error{Op: opAdapter, Subject: id, Err: fmt.Errorf("no such adapter: %w", os.ErrNotExist)}
	}
	return path, nil
}

// adapterID is the reverse of adapterPath.
func adapterID(path dbus.ObjectPath) (id string, ok bool) {
	id, ok = strings.CutPrefix(string(path), string(rootPath)+"/")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// compareIDs orders hci2 before hci10.
func compareIDs(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// Adapters returns the adapters that BlueZ knows, ordered by ID
// (org.freedesktop.DBus.ObjectManager, GetManagedObjects). None is not an error.
func (c *Client) Adapters(ctx context.Context) ([]Adapter, error) {
	o, _, err := c.objects(ctx)
	if err != nil {
		return nil, wrap(opAdapters, "", err)
	}
	return o.sortedAdapters(), nil
}

// Adapter returns one adapter. The error is an os.ErrNotExist when there is
// none of that ID.
func (c *Client) Adapter(ctx context.Context, id string) (Adapter, error) {
	path, err := adapterPath(id)
	if err != nil {
		return Adapter{}, err
	}
	values, err := c.getAll(ctx, path, adapterInterface)
	if err != nil {
		return Adapter{}, wrap(opAdapter, id, err)
	}
	a := Adapter{ID: id}
	if err := a.update(values); err != nil {
		return Adapter{}, wrap(opAdapter, id, err)
	}
	return a, nil
}

// SetPowered switches the radio of an adapter on or off (org.bluez.Adapter1,
// Powered). Switching off ends every connection and discovery through the
// adapter. An adapter that rfkill blocks cannot be switched on: BlueZ says
// ErrNotReady, or in old versions (seen: 5.66) org.bluez.Error.Failed, which
// has no sentinel. The error is an os.ErrNotExist when there is no such adapter.
func (c *Client) SetPowered(ctx context.Context, adapter string, on bool) error {
	op := "switch off"
	if on {
		op = "switch on"
	}
	return c.setAdapter(ctx, op, adapter, "Powered", on)
}

// SetAlias sets the name of an adapter that other devices see, of up to 248
// bytes (org.bluez.Adapter1, Alias). An empty one restores the system's name.
// The error is an os.ErrNotExist when there is no such adapter.
func (c *Client) SetAlias(ctx context.Context, adapter, alias string) error {
	return c.setAdapter(ctx, "set the alias of", adapter, "Alias", alias)
}

// SetDiscoverable makes an adapter visible to other devices, for timeout, which
// is rounded to whole seconds; 0 means until it is switched off
// (org.bluez.Adapter1, Discoverable and DiscoverableTimeout). The error is an
// os.ErrNotExist when there is no such adapter.
func (c *Client) SetDiscoverable(ctx context.Context, adapter string, on bool, timeout time.Duration) error {
	const op = "set the visibility of"
	if on {
		seconds := uint32(max(0, timeout.Round(time.Second)/time.Second))
		if err := c.setAdapter(ctx, op, adapter, "DiscoverableTimeout", seconds); err != nil {
			return err
		}
	}
	return c.setAdapter(ctx, op, adapter, "Discoverable", on)
}

// SetPairable lets other devices pair with an adapter, or not
// (org.bluez.Adapter1, Pairable). The error is an os.ErrNotExist when there is
// no such adapter.
func (c *Client) SetPairable(ctx context.Context, adapter string, on bool) error {
	return c.setAdapter(ctx, "set the pairability of", adapter, "Pairable", on)
}

func (c *Client) setAdapter(ctx context.Context, op, adapter, property string, value any) error {
	path, err := adapterPath(adapter)
	if err != nil {
		return err
	}
	return wrap(op, adapter, c.set(ctx, path, adapterInterface, property, value))
}

// sortedAdapters returns the adapters of o, ordered by ID.
func (o *objects) sortedAdapters() []Adapter {
	list := make([]Adapter, 0, len(o.adapters))
	for _, a := range o.adapters {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Adapter) int { return compareIDs(a.ID, b.ID) })
	return list
}
