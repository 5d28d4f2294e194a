package meter

import (
	"fmt"
	"slices"
	"strings"

	"powerspy2/bluez"
)

// NamePrefix starts the advertised name of every PowerSpy.
const NamePrefix = "PowerSpy"

// IsPowerSpy reports whether an advertised name is a PowerSpy's. Any device may
// have it.
func IsPowerSpy(name string) bool { return strings.HasPrefix(name, NamePrefix) }

// An ImpostorError is a device that has a meter's name and is something else. It
// comes with ErrNotFound.
type ImpostorError struct {
	Target Target // the device
	What   string // such as "it is a phone"
}

// Error says which device it is, and what it is.
func (e *ImpostorError) Error() string {
	return fmt.Sprintf("%s is not a PowerSpy: %s", e.Target, e.What)
}

// humanDeviceUUID is the service of keyboards and mice (Bluetooth assigned
// numbers, Human Interface Device).
const humanDeviceUUID = "00001124-0000-1000-8000-00805f9b34fb"

// otherKinds are the major classes of devices that are no meters (Bluetooth
// assigned numbers, section 2.8.1). A meter's is 0x1f, uncategorised; a computer
// may be one that runs `powerspy sim --rfcomm`.
var otherKinds = map[uint32]string{
	0x02: "a phone",
	0x03: "a network access point",
	0x04: "an audio or video device",
	0x05: "a keyboard, a mouse or the like",
	0x06: "a printer, a scanner or a camera",
	0x07: "a wearable device",
	0x08: "a toy",
	0x09: "a health device",
}

// impostor says what tells a device from a meter, by its class and by the
// services that it is known to offer; empty when nothing does. A device that
// was not asked for by its address is looked at before it is paired with.
func impostor(d bluez.Device) string {
	if what, ok := otherKinds[d.Class>>8&0x1f]; ok {
		return fmt.Sprintf("it is %s (class of device 0x%06x)", what, d.Class)
	}
	return otherServices(d)
}

// otherServices is impostor by services only. They are known once a device is
// paired, if not before.
func otherServices(d bluez.Device) string {
	if slices.ContainsFunc(d.UUIDs, func(u string) bool { return strings.EqualFold(u, humanDeviceUUID) }) {
		return "it offers to be a keyboard or a mouse"
	}
	return ""
}
