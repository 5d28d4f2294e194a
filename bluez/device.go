package bluez

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

// A Device is a remote Bluetooth device that BlueZ knows (org.bluez.Device1).
type Device struct {
	// Adapter is the ID of the adapter through which the device is known.
	Adapter string
	// Address is the device's Bluetooth address.
	Address bdaddr.Address
	// Name is the device's own name. It is "" until it is known: an old device
	// gives it only some ten seconds after it appeared in a discovery, when the
	// inquiry has ended.
	Name string
	// Alias is the name to show: one that was given by the user, else Name,
	// else the address with dashes.
	Alias string
	// Class is the class of device of the Bluetooth assigned numbers, 0 when
	// unknown.
	Class uint32
	// RSSI is the received signal strength in dBm, 0 unless InRange.
	RSSI int16
	// InRange is true when BlueZ has a signal strength for the device: it was
	// heard in the discovery that is under way. A device that does not answer
	// inquiries, as many paired ones, stays false.
	InRange bool
	// Paired is true when this machine has a key for the device. The device may
	// have lost its own.
	Paired bool
	// Bonded is true when that key is kept across restarts. BlueZ before 5.65
	// does not tell it.
	Bonded bool
	// Trusted is true when the device may connect without being asked about.
	Trusted bool
	// Connected is true while there is a link to the device.
	Connected bool
	// UUIDs are the services that the device is known to offer; none until they
	// have been looked up, as is done after pairing.
	UUIDs []string
}

// update takes over the properties in values, or none of them on error.
func (d *Device) update(values map[string]dbus.Variant) error {
	next := *d
	p := &properties{iface: deviceInterface, values: values}
	readAddress(p, "Address", &next.Address)
	read(p, "Name", &next.Name)
	read(p, "Alias", &next.Alias)
	read(p, "Class", &next.Class)
	read(p, "RSSI", &next.RSSI)
	read(p, "Paired", &next.Paired)
	read(p, "Bonded", &next.Bonded)
	read(p, "Trusted", &next.Trusted)
	read(p, "Connected", &next.Connected)
	read(p, "UUIDs", &next.UUIDs)
	if p.err != nil {
		return p.err
	}
	next.InRange = d.InRange || p.has("RSSI")
	*d = next
	return nil
}

// forget drops properties that the device no longer has.
func (d *Device) forget(names []string) {
	for _, name := range names {
		switch name {
		case "Name":
			d.Name = ""
		case "Class":
			d.Class = 0
		case "RSSI":
			d.RSSI, d.InRange = 0, false
		case "UUIDs":
			d.UUIDs = nil
		}
	}
}

const (
	opDevices    = "list devices"
	opDevice     = "read device"
	opDisconnect = "disconnect"
	opTrust      = "set the trust in"
	opRemove     = "remove"
)

// devicePath returns the object of a device.
func devicePath(adapter string, addr bdaddr.Address) (dbus.ObjectPath, error) {
	parent, err := adapterPath(adapter)
	if err != nil {
		return "", err
	}
	return parent + "/dev_" + dbus.ObjectPath(strings.ReplaceAll(addr.String(), ":", "_")), nil
}

// deviceAdapter returns the ID of the adapter that the object of a device
// belongs to.
func deviceAdapter(object dbus.ObjectPath) (id string, ok bool) {
	parent, name := path.Split(string(object))
	if !strings.HasPrefix(name, "dev_") {
		return "", false
	}
	return adapterID(dbus.ObjectPath(strings.TrimSuffix(parent, "/")))
}

// deviceAddress returns the address of the device that an object stands for.
func deviceAddress(object dbus.ObjectPath) (bdaddr.Address, error) {
	if _, ok := deviceAdapter(object); !ok {
		return bdaddr.Address{}, fmt.Errorf("%s is not a device", object)
	}
	return bdaddr.Parse(strings.ReplaceAll(strings.TrimPrefix(path.Base(string(object)), "dev_"), "_", ":"))
}

// Devices returns the devices that BlueZ knows, ordered by adapter and address.
// Devices that are neither paired nor connected are forgotten half a minute
// after a discovery. None is not an error.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	o, _, err := c.objects(ctx)
	if err != nil {
		return nil, wrap(opDevices, "", err)
	}
	return o.sortedDevices(), nil
}

// Device returns one device. The error is an os.ErrNotExist when BlueZ does
// not know it.
func (c *Client) Device(ctx context.Context, adapter string, addr bdaddr.Address) (Device, error) {
	object, err := devicePath(adapter, addr)
	if err != nil {
		return Device{}, err
	}
	values, err := c.getAll(ctx, object, deviceInterface)
	if err != nil {
		return Device{}, wrap(opDevice, addr.String(), err)
	}
	d := Device{Adapter: adapter, Address: addr}
	if err := d.update(values); err != nil {
		return Device{}, wrap(opDevice, addr.String(), err)
	}
	return d, nil
}

// SetTrusted sets whether a device may connect to this machine without being
// asked about (org.bluez.Device1, Trusted). The error is an os.ErrNotExist for
// an unknown device.
func (c *Client) SetTrusted(ctx context.Context, adapter string, addr bdaddr.Address, trusted bool) error {
	object, err := devicePath(adapter, addr)
	if err != nil {
		return err
	}
	return wrap(opTrust, addr.String(), c.set(ctx, object, deviceInterface, "Trusted", trusted))
}

// Disconnect ends every connection of this machine to a device, those of other
// programs included; data may flow for some two seconds more
// (org.bluez.Device1, Disconnect). A device that is not connected is not an error,
// an unknown one is an os.ErrNotExist.
func (c *Client) Disconnect(ctx context.Context, adapter string, addr bdaddr.Address) error {
	object, err := devicePath(adapter, addr)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, object, deviceInterface+".Disconnect")
	var de dbus.Error
	if errors.As(err, &de) && de.Name == "org.bluez.Error.NotConnected" {
		return nil
	}
	return wrap(opDisconnect, addr.String(), err)
}

// Remove makes BlueZ forget a device and its key, and ends its connections
// (org.bluez.Adapter1, RemoveDevice).
// The error is an os.ErrNotExist for an unknown device.
func (c *Client) Remove(ctx context.Context, adapter string, addr bdaddr.Address) error {
	parent, err := adapterPath(adapter)
	if err != nil {
		return err
	}
	device, err := devicePath(adapter, addr)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, parent, adapterInterface+".RemoveDevice", device)
	return wrap(opRemove, addr.String(), err)
}

// sortedDevices returns the devices of o, ordered by adapter and address.
func (o *objects) sortedDevices() []Device {
	list := make([]Device, 0, len(o.devices))
	for _, d := range o.devices {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Device) int {
		return cmp.Or(compareIDs(a.Adapter, b.Adapter), bytes.Compare(a.Address[:], b.Address[:]))
	})
	return list
}
