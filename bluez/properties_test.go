package bluez

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// kinds has a value of every kind of type that D-Bus has.
var kinds = map[string]any{
	"y": byte(1), "b": true, "n": int16(-1), "q": uint16(1), "i": int32(-1), "u": uint32(1), "x": int64(-1), "t": uint64(1),
	"d": 1.5, "s": "text", "o": dbus.ObjectPath("/x"), "g": dbus.ParseSignatureMust("s"), "v": dbus.MakeVariant("text"),
	"as": []string{"text"}, "ay": []byte{1}, "ai": []int32{1}, "a{sv}": map[string]dbus.Variant{}, "(si)": []any{"x", int32(1)},
}

func TestDeviceUpdate(t *testing.T) {
	tests := []struct {
		property, kind string
		value          any
		want           Device
	}{
		{"Address", "s", meterString, Device{Address: meterAddress}},
		{"Name", "s", "PowerSpy 4567", Device{Name: "PowerSpy 4567"}},
		{"Alias", "s", "mine", Device{Alias: "mine"}},
		{"Class", "u", uint32(0x1f00), Device{Class: 0x1f00}},
		{"RSSI", "n", int16(-70), Device{RSSI: -70, InRange: true}},
		{"Paired", "b", true, Device{Paired: true}},
		{"Bonded", "b", true, Device{Bonded: true}},
		{"Trusted", "b", true, Device{Trusted: true}},
		{"Connected", "b", true, Device{Connected: true}},
		{"UUIDs", "as", []string{serialPortUUID}, Device{UUIDs: []string{serialPortUUID}}},
	}
	for _, tt := range tests {
		var d Device
		if err := d.update(variants(map[string]any{tt.property: tt.value, "Unheard": 1.5})); err != nil {
			t.Errorf("%s: %v", tt.property, err)
		}
		if diff := cmp.Diff(tt.want, d); diff != "" {
			t.Errorf("%s: unexpected device (-want +got):\n%s", tt.property, diff)
		}
		for kind, value := range kinds {
			if kind == tt.kind {
				continue
			}
			before := Device{Name: "before"}
			d := before
			checkProperty(t, d.update(variants(map[string]any{tt.property: value, "Alias2": "x"})), "org.bluez.Device1."+tt.property)
			if diff := cmp.Diff(before, d); diff != "" {
				t.Errorf("%s of type %s changed the device (-want +got):\n%s", tt.property, kind, diff)
			}
		}
		var zero Device
		checkProperty(t, zero.update(map[string]dbus.Variant{tt.property: {}}), "org.bluez.Device1."+tt.property)
	}
	var d Device
	checkProperty(t, d.update(variants(map[string]any{"Address": "here"})), "org.bluez.Device1.Address")
	checkProperty(t, d.update(variants(map[string]any{"Address": ""})), "org.bluez.Device1.Address")
	// The first bad one is told.
	checkProperty(t, d.update(variants(map[string]any{"UUIDs": 1.5, "Name": 1.5})), "org.bluez.Device1.Name")
}

func TestAdapterUpdate(t *testing.T) {
	tests := []struct {
		property, kind string
		value          any
		want           Adapter
	}{
		{"Address", "s", meterString, Adapter{Address: meterAddress}},
		{"Name", "s", "bench", Adapter{Name: "bench"}},
		{"Alias", "s", "mine", Adapter{Alias: "mine"}},
		{"Powered", "b", true, Adapter{Powered: true}},
		{"Discovering", "b", true, Adapter{Discovering: true}},
		{"Discoverable", "b", true, Adapter{Discoverable: true}},
		{"Pairable", "b", true, Adapter{Pairable: true}},
		{"Modalias", "s", "usb:v1D6Bp0246d0542", Adapter{Modalias: "usb:v1D6Bp0246d0542"}},
	}
	for _, tt := range tests {
		var a Adapter
		if err := a.update(variants(map[string]any{tt.property: tt.value})); err != nil {
			t.Errorf("%s: %v", tt.property, err)
		}
		if a != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.property, a, tt.want)
		}
		for kind, value := range kinds {
			if kind != tt.kind {
				a := tt.want
				checkProperty(t, a.update(variants(map[string]any{tt.property: value})), "org.bluez.Adapter1."+tt.property)
				if a != tt.want {
					t.Errorf("%s of type %s changed the adapter", tt.property, kind)
				}
			}
		}
	}
}

func checkProperty(t *testing.T, err error, name string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "property "+name+":") {
		t.Errorf("got %v, want an error about %s", err, name)
	}
}

func TestDeviceForget(t *testing.T) {
	d := Device{Name: "x", Class: 1, RSSI: -1, InRange: true, UUIDs: []string{"x"}, Alias: "kept", Paired: true}
	d.forget([]string{"Name", "Class", "RSSI", "UUIDs", "Unheard", "Paired"})
	if diff := cmp.Diff(Device{Alias: "kept", Paired: true}, d); diff != "" {
		t.Errorf("unexpected device (-want +got):\n%s", diff)
	}
}

func TestBlueZVersion(t *testing.T) {
	for modalias, want := range map[string]string{
		"usb:v1D6Bp0246d0542":       "5.66",
		"usb:v1D6Bp0246d0552":       "5.82",
		"bluetooth:v1D6Bp0246d0542": "",
		"usb:v1D6Bp0246d":           "",
		"usb:v1D6Bp0246dxyz":        "",
		"":                          "",
	} {
		a := Adapter{Modalias: modalias}
		if got := a.BlueZVersion(); got != want {
			t.Errorf("%q: %q, want %q", modalias, got, want)
		}
	}
}
