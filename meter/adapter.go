package meter

import (
	"bufio"
	"bytes"
	"context"
	"io/fs"
	"path"
	"strings"

	"powerspy2/bdaddr"
)

// An Adapter is the Bluetooth adapter that a meter is reached through. The
// share of windows that a meter leaves out follows it: one meter was seen to
// lose 3.9, 1.1 and 0.8 % through three of them.
type Adapter struct {
	ID      string         // the kernel's name, such as hci0; empty: the meter is not reached by Bluetooth
	Address bdaddr.Address // zero if not known
	Driver  string         // such as btusb; empty if the kernel does not tell
	USB     string         // vendor and product, such as 0a12:0001; empty for an adapter that is not on USB
	BlueZ   string         // version of the Bluetooth service, such as 5.66; empty if not known
}

// Adapter returns the adapter that m is reached through, as far as BlueZ and
// the kernel (/sys/class/bluetooth) tell. It is the zero Adapter for a meter that
// is not reached by Bluetooth. Errors match [ErrNotReady].
func (m *Meter) Adapter(ctx context.Context) (Adapter, error) {
	return adapterOf(ctx, m.target, system)
}

func adapterOf(ctx context.Context, t Target, h host) (Adapter, error) {
	if t.Kind != Bluetooth {
		return Adapter{}, nil
	}
	d, all, err := h.bluetooth(ctx)
	if err != nil {
		return Adapter{}, err
	}
	defer d.Close() // nothing is lost when hanging up fails
	for _, a := range all {
		if a.Address == t.Adapter || t.Adapter.IsZero() && len(all) == 1 {
			found := Adapter{ID: a.ID, Address: a.Address, BlueZ: a.BlueZVersion()}
			found.Driver, found.USB = adapterHardware(h.files, a.ID)
			return found, nil
		}
	}
	return Adapter{Address: t.Adapter}, nil
}

// adapterHardware reads what the kernel knows of the device that an adapter
// such as hci0 is part of: the uevent of a USB interface holds DRIVER=btusb and
// PRODUCT=a12/1/8891, without leading zeros (drivers/usb/core/driver.c).
func adapterHardware(files fs.FS, id string) (driver, usb string) {
	text, err := fs.ReadFile(files, path.Join("sys/class/bluetooth", id, "device/uevent"))
	if err != nil {
		return "", ""
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		switch key, value, _ := strings.Cut(s.Text(), "="); key {
		case "DRIVER":
			driver = value
		case "PRODUCT":
			if ids := strings.Split(value, "/"); len(ids) == 3 {
				usb = fourDigits(ids[0]) + ":" + fourDigits(ids[1])
			}
		}
	}
	return driver, usb
}

// fourDigits fills a hexadecimal number up as lsusb writes it.
func fourDigits(s string) string {
	return strings.Repeat("0", max(0, 4-len(s))) + s
}
