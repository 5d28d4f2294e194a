package fieldtest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"powerspy2/bdaddr"
	"powerspy2/internal/field"
	"powerspy2/meter"
)

// Whatever form the serial number and the addresses have, and wherever they
// stand, they are not in the file.
func TestDisguise(t *testing.T) {
	address := bdaddr.Address{0x00, 0x06, 0x66, 0x4d, 0xab, 0xcd}
	adapter := bdaddr.Address{0x00, 0x1a, 0x7d, 0xda, 0x71, 0x13}
	const serial = 4567 // 11D7
	target := meter.Target{Kind: meter.Bluetooth, Address: address, Name: "PowerSpy 4567", Alias: "bob's"}
	failed := func(text string) field.Outcome { return field.Outcome{Status: field.Failed, Error: text} }
	eeprom := bytes.Repeat([]byte{0xff}, field.EEPROMSize)
	copy(eeprom, []byte{0xd7, 0x11})
	copy(eeprom[0x04:], []byte{0xd7, 0x11}) // by chance, in a calibration
	copy(eeprom[0x40:], []byte{0x11, 0xd7}) // a copy
	copy(eeprom[0x50:], address[:])
	content := []byte("POWERSPYR01FF350311D7 SN=4567;11d7 PowerSpy 4567 00:06:66:4d:ab:cd 0006664DABCD 14567 11D7A \xd7\x11\x00 \x11\xd7")
	content = append(content, reversed(address)...)
	f := &field.File{
		Meter: field.Meter{Name: target.Name, Address: address.String(), Serial: serial},
		Host:  field.Host{Adapter: field.Adapter{ID: "hci0", Address: adapter.String()}},
		EEPROM: field.EEPROM{
			Outcome: failed("read the EEPROM of PowerSpy 4567 (00:06:66:4D:AB:CD): it is bob's"), Bytes: eeprom,
		},
		Streams: []field.Stream{{Outcome: failed("connect to 00:06:66:4D:AB:CD through /org/bluez/hci0/dev_00_06_66_4D_AB_CD and 00-1A-7D-DA-71-13")}},
		Capture: field.Capture{
			Text:   field.Answer{Raw: []byte("20000111D711D7")}, // samples
			Binary: field.Answer{Raw: []byte("\xd7\x11<POWERSPYC01FF350311D7>")},
		},
		Card: field.Card{
			Raw: "0011D7.DAT:10/004567.DAT:20/", Files: []field.Log{{Name: "0011D7.DAT"}, {Name: "4567AB.DAT"}},
			First: field.Beginning{Name: "4567AB.DAT", Bytes: bytes.Clone(content)},
		},
	}
	disguise(f, target)
	var b bytes.Buffer
	if err := field.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	shown := b.String()
	for _, raw := range []field.Bytes{f.EEPROM.Bytes, f.Capture.Binary.Raw, f.Card.First.Bytes} {
		shown += "\n" + string(raw)
	}
	for _, secret := range []string{
		address.String(), strings.ToLower(address.String()), "4D_AB_CD", "4DABCD", "71:13", "71-13", "4567\"", "SN=4567", "PowerSpy 4567", "bob's",
		"0311D7", string(address[:]), string(reversed(address)), ";11d7",
	} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is still there", secret)
		}
	}
	for name, got := range map[string]struct{ got, want string }{
		"name":        {f.Meter.Name, "PowerSpy xxxx"},
		"address":     {f.Meter.Address, "00:06:66:00:00:01"},
		"adapter":     {f.Host.Adapter.Address, "00:1A:7D:00:00:02"},
		"serial":      {fmt.Sprint(f.Meter.Serial), "1"},
		"error":       {f.EEPROM.Error, "read the EEPROM of the meter: it is the meter"},
		"EEPROM":      {fmt.Sprintf("% x", f.EEPROM.Bytes[:6]), "01 00 ff ff d7 11"},
		"its copy":    {fmt.Sprintf("% x", f.EEPROM.Bytes[0x40:0x42]), "00 01"},
		"samples":     {string(f.Capture.Text.Raw), "20000111D711D7"},
		"binary ones": {string(f.Capture.Binary.Raw), "\xd7\x11<POWERSPYC01FF35030001>"},
		"a file":      {f.Card.Files[1].Name, "0001AB.DAT"},
	} {
		if got.got != got.want {
			t.Errorf("%s: %q, want %q", name, got.got, got.want)
		}
	}
	if len(f.Card.First.Bytes) != len(content) {
		t.Errorf("%d bytes of the log, not %d", len(f.Card.First.Bytes), len(content))
	}
	if !strings.Contains(string(f.Card.First.Bytes), "14567 11D7A") {
		t.Errorf("other numbers are changed: %q", f.Card.First.Bytes)
	}
	if !f.Disguised {
		t.Error("the file does not say that it is disguised")
	}
}

func TestDisguiseName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "PowerSpy": "PowerSpy", "PowerSpy-1D32": "PowerSpy-xxxx", "Bob's meter": "(renamed)",
	} {
		if got := disguiseName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
