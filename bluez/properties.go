package bluez

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

// Names of the interfaces of BlueZ's objects that matter here.
const (
	adapterInterface        = "org.bluez.Adapter1"
	deviceInterface         = "org.bluez.Device1"
	agentInterface          = "org.bluez.Agent1"
	agentManagerInterface   = "org.bluez.AgentManager1"
	profileInterface        = "org.bluez.Profile1"
	profileManagerInterface = "org.bluez.ProfileManager1"
	propertiesInterface     = "org.freedesktop.DBus.Properties"
	objectManagerInterface  = "org.freedesktop.DBus.ObjectManager"
)

// properties reads the properties of one interface. The first property whose
// type is not the expected one becomes err and stops the reading.
type properties struct {
	iface  string
	values map[string]dbus.Variant
	err    error
}

// read stores the named property in to, which is left alone when the property
// is absent or an earlier one was bad.
func read[T any](p *properties, name string, to *T) {
	if p.err != nil {
		return
	}
	variant, ok := p.values[name]
	if !ok {
		return
	}
	value, ok := variant.Value().(T)
	if !ok {
		p.err = fmt.Errorf("property %s.%s: unexpected type %T, want %T", p.iface, name, variant.Value(), *to)
		return
	}
	*to = value
}

// readAddress is read for a Bluetooth address, which travels as a string.
func readAddress(p *properties, name string, to *bdaddr.Address) {
	var s string
	read(p, name, &s)
	if p.err != nil || !p.has(name) {
		return
	}
	a, err := bdaddr.Parse(s)
	if err != nil {
		p.err = fmt.Errorf("property %s.%s: %w", p.iface, name, err)
		return
	}
	*to = a
}

// has reports whether the named property is there.
func (p *properties) has(name string) bool {
	_, ok := p.values[name]
	return ok
}
