package meter

import (
	"errors"
	"testing"
	"testing/fstest"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
)

func TestAdapter(t *testing.T) {
	second := testAdapter
	second.ID, second.Address = "hci1", bdaddr.Address{0x00, 0x1a, 0x7d, 1, 2, 3}
	second.Modalias = "usb:v1D6Bp0246d0542"
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	sys := fstest.MapFS{
		"sys/class/bluetooth/hci0/device/uevent": file("DRIVER=hci_uart\nMODALIAS=of:x\n"),
		"sys/class/bluetooth/hci1/device/uevent": file("DEVTYPE=usb_interface\nDRIVER=btusb\nPRODUCT=a12/1/8891\n"),
	}
	both := []bluez.Adapter{testAdapter, second}
	for _, tt := range []struct {
		name     string
		target   Target
		adapters []bluez.Adapter
		want     Adapter
	}{
		{"serial", Target{Kind: Serial}, nil, Adapter{}},
		{"on USB", Target{Kind: Bluetooth, Adapter: second.Address}, both,
			Adapter{ID: "hci1", Address: second.Address, Driver: "btusb", USB: "0a12:0001", BlueZ: "5.66"}},
		{"on a serial line", Target{Kind: Bluetooth, Adapter: testAdapter.Address}, both,
			Adapter{ID: testAdapter.ID, Address: testAdapter.Address, Driver: "hci_uart"}},
		{"the only one", Target{Kind: Bluetooth}, both[1:],
			Adapter{ID: "hci1", Address: second.Address, Driver: "btusb", USB: "0a12:0001", BlueZ: "5.66"}},
		{"one of two", Target{Kind: Bluetooth}, both, Adapter{}},
		{"unplugged since", Target{Kind: Bluetooth, Adapter: second.Address}, both[:1], Adapter{Address: second.Address}},
	} {
		h := &fakeHost{t: t, adapters: tt.adapters, files: sys}
		got, err := adapterOf(t.Context(), tt.target, h.host())
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
	down := &fakeHost{t: t, noBus: bluez.ErrNoDaemon, files: sys}
	if _, err := adapterOf(t.Context(), Target{Kind: Bluetooth}, down.host()); !errors.Is(err, ErrNotReady) {
		t.Errorf("without a service: %v", err)
	}
}
