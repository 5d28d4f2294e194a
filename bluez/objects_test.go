package bluez

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

func TestPaths(t *testing.T) {
	object, err := devicePath("hci1", meterAddress)
	if want := dbus.ObjectPath("/org/bluez/hci1/dev_00_0B_CE_07_1D_32"); err != nil || object != want {
		t.Fatalf("got %s, %v, want %s", object, err, want)
	}
	if id, ok := deviceAdapter(object); id != "hci1" || !ok {
		t.Errorf("adapter of %s: got %q, %v", object, id, ok)
	}
	if addr, err := deviceAddress(object); addr != meterAddress || err != nil {
		t.Errorf("address of %s: got %s, %v", object, addr, err)
	}
	for _, object := range []dbus.ObjectPath{"", "/", "/org/bluez", "/org/bluez/hci0", "/org/bluez/hci0/x", "/dev_00", "/org/bluez/dev_00",
		meterPath + "/player0", meterPath + "/dev_00", "/org/blues/hci0/dev_00_0B_CE_07_1D_32"} {
		if id, ok := deviceAdapter(object); ok {
			t.Errorf("%s passes for a device of %q", object, id)
		}
		if addr, err := deviceAddress(object); err == nil {
			t.Errorf("%s passes for a device of address %s", object, addr)
		}
	}
}

func testObjects() *objects {
	return &objects{
		adapters: map[dbus.ObjectPath]Adapter{"/org/bluez/hci0": {ID: "hci0", Powered: true}},
		devices:  map[dbus.ObjectPath]Device{meterPath: {Adapter: "hci0", Address: meterAddress, RSSI: -50, InRange: true}},
	}
}

// FuzzApply gives any signal, as it comes from the bus, to the mirror of
// BlueZ's objects. None may panic, and one that is refused must leave
// everything as it was.
func FuzzApply(f *testing.F) {
	for _, seed := range []struct {
		path dbus.ObjectPath
		name string
		body []any
	}{
		{"/", objectManagerInterface + ".InterfacesAdded", []any{otherPath, fakeDevice("hci0", otherString)}},
		{"/", objectManagerInterface + ".InterfacesAdded", []any{dbus.ObjectPath("/org/bluez/hci1"), fakeAdapter(otherString)}},
		{"/", objectManagerInterface + ".InterfacesRemoved", []any{meterPath, []string{device1}}},
		{"/", objectManagerInterface + ".InterfacesRemoved", []any{"x"}},
		{meterPath, propertiesInterface + ".PropertiesChanged", []any{device1, variants(map[string]any{"RSSI": int16(-40)}), []string{}}},
		{meterPath, propertiesInterface + ".PropertiesChanged", []any{device1, variants(map[string]any{"RSSI": "x"}), []string{}}},
		{meterPath, propertiesInterface + ".PropertiesChanged", []any{device1, variants(nil), []string{"RSSI"}}},
		{"/org/bluez/hci0", propertiesInterface + ".PropertiesChanged", []any{adapter1, variants(map[string]any{"Powered": false}), []string{}}},
		{"/org/bluez/hci0", propertiesInterface + ".PropertiesChanged", []any{}},
	} {
		dot := strings.LastIndex(seed.name, ".")
		m := &dbus.Message{Type: dbus.TypeSignal, Body: seed.body, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath:      dbus.MakeVariant(seed.path),
			dbus.FieldInterface: dbus.MakeVariant(seed.name[:dot]),
			dbus.FieldMember:    dbus.MakeVariant(seed.name[dot+1:]),
		}}
		if len(seed.body) > 0 {
			m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(seed.body...))
		}
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			var wire bytes.Buffer
			if err := m.EncodeTo(&wire, order); err != nil {
				f.Fatal(err)
			}
			f.Add(wire.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		if !wholeMessage(wire) {
			return
		}
		m, err := dbus.DecodeMessage(bytes.NewReader(wire))
		if err != nil || m.Type != dbus.TypeSignal || m.IsValid() != nil {
			return
		}
		s := &dbus.Signal{Body: m.Body}
		s.Path, _ = m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
		iface, _ := m.Headers[dbus.FieldInterface].Value().(string)
		member, _ := m.Headers[dbus.FieldMember].Value().(string)
		s.Name = iface + "." + member
		ownerChange(s)
		o := testObjects()
		if _, err := o.apply(s); err != nil {
			if diff := cmp.Diff(testObjects(), o, cmp.AllowUnexported(objects{})); diff != "" {
				t.Errorf("a refused signal changed something:\n%s", diff)
			}
		}
	})
}

// wholeMessage reports whether the lengths that a message declares are those of
// what follows. The decoder takes time and memory for what is declared.
func wholeMessage(wire []byte) bool {
	if len(wire) < 16 {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if wire[0] == 'B' {
		order = binary.BigEndian
	}
	body, headers := uint64(order.Uint32(wire[4:])), uint64(order.Uint32(wire[12:]))
	return 16+(headers+7)/8*8+body == uint64(len(wire))
}

// Every seed of the fuzz test does what it says.
func TestApply(t *testing.T) {
	o := testObjects()
	apply := func(path dbus.ObjectPath, name string, body ...any) []Event {
		t.Helper()
		events, err := o.apply(&dbus.Signal{Path: path, Name: name, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	kindsOf := func(events []Event) (kinds []EventKind) {
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		return kinds
	}
	for _, tt := range []struct {
		events []Event
		want   []EventKind
	}{
		{apply("/", objectManagerInterface+".InterfacesAdded", otherPath, fakeDevice("hci0", otherString)), []EventKind{DeviceAdded}},
		{apply("/", objectManagerInterface+".InterfacesAdded", dbus.ObjectPath("/org/bluez/hci1"), fakeAdapter(otherString)), []EventKind{AdapterAdded}},
		{apply(meterPath, propertiesInterface+".PropertiesChanged", device1, variants(map[string]any{"Name": "x"}), []string{"RSSI"}), []EventKind{DeviceChanged}},
		{apply("/org/bluez/hci0", propertiesInterface+".PropertiesChanged", adapter1, variants(map[string]any{"Powered": false}), []string{}), []EventKind{AdapterChanged}},
		{apply("/", objectManagerInterface+".InterfacesRemoved", otherPath, []string{"org.bluez.Battery1", device1}), []EventKind{DeviceRemoved}},
		{apply("/", objectManagerInterface+".InterfacesRemoved", otherPath, []string{device1}), nil},
		{apply("/", objectManagerInterface+".InterfacesRemoved", meterPath, []string{"org.bluez.Battery1"}), nil},
		{apply(otherPath, propertiesInterface+".PropertiesChanged", device1, variants(nil), []string{}), nil},
		{apply(meterPath, propertiesInterface+".PropertiesChanged", "org.bluez.Battery1", variants(nil), []string{}), nil},
		{apply(meterPath, "com.example.Other"), nil},
	} {
		if got := kindsOf(tt.events); !slices.Equal(got, tt.want) {
			t.Errorf("got %v, want %v", got, tt.want)
		}
	}
	if d := o.devices[meterPath]; d.Name != "x" || d.InRange || d.RSSI != 0 {
		t.Errorf("unexpected device %+v", d)
	}
	if got := slices.Sorted(maps.Keys(o.adapters)); len(got) != 2 || o.adapters["/org/bluez/hci0"].Powered {
		t.Errorf("unexpected adapters %+v", o.adapters)
	}
	for _, body := range [][]any{nil, {1}, {meterPath}, {meterPath, "x"}, {device1, "x", []string{}}, {device1, variants(nil), "x"}} {
		for _, name := range []string{objectManagerInterface + ".InterfacesAdded", objectManagerInterface + ".InterfacesRemoved", propertiesInterface + ".PropertiesChanged"} {
			if _, err := o.apply(&dbus.Signal{Path: meterPath, Name: name, Body: body}); err == nil {
				t.Errorf("%s%v was taken", name, body)
			}
		}
	}
}
