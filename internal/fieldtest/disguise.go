package fieldtest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"powerspy2/bdaddr"
	"powerspy2/internal/field"
	"powerspy2/meter"
)

// standInSerial takes the place of a serial number.
const standInSerial = 1

// disguise puts stand-ins in the place of all that tells one meter or one
// machine from others: the serial number, the Bluetooth addresses of meter and
// adapter but for the half that names the maker, and names that people give.
// They are replaced wherever they may show: in the EEPROM, in answers and
// files, in names and in the texts of errors.
func disguise(f *field.File, t meter.Target) {
	d := &disguiser{serial: f.Meter.Serial}
	d.secret(t.Address, 1)
	adapter, err := bdaddr.Parse(f.Host.Adapter.Address)
	if err == nil {
		d.secret(adapter, 2)
	}
	for _, s := range []string{t.String(), t.Device(), t.Name, t.Alias} {
		// Texts that are everywhere would hide too much.
		if len(s) > 3 {
			d.names = append(d.names, s)
		}
	}

	f.Disguised = true
	f.Meter.Serial = standInSerial
	f.Meter.Name = disguiseName(f.Meter.Name)
	for _, s := range []*string{&f.Meter.Address, &f.Host.Adapter.Address, &f.Card.Raw, &f.Card.First.Name} {
		*s = string(d.raw([]byte(*s)))
	}
	f.EEPROM.Bytes = d.eeprom(f.EEPROM.Bytes)
	for i := range f.Card.Files {
		f.Card.Files[i].Name = string(d.raw([]byte(f.Card.Files[i].Name)))
	}
	// What a capture holds are samples: no serial number but in an identity.
	f.Capture.Text.Raw = d.addresses(d.identities(f.Capture.Text.Raw))
	f.Capture.Binary.Raw = d.addresses(d.identities(f.Capture.Binary.Raw))
	f.Card.First.Bytes = d.binary(d.raw(f.Card.First.Bytes))
	for _, o := range outcomes(f) {
		o.Error = string(d.text([]byte(o.Error)))
	}
}

// outcomes returns those of all questions.
func outcomes(f *field.File) []*field.Outcome {
	all := []*field.Outcome{
		&f.RoundTrips.Outcome, &f.EEPROM.Outcome, &f.Mains.Outcome, &f.Capture.Outcome, &f.Capture.Text.Outcome,
		&f.Capture.Binary.Outcome, &f.Card.Outcome, &f.Card.First.Outcome,
	}
	for i := range f.Streams {
		all = append(all, &f.Streams[i].Outcome)
	}
	return all
}

// disguiseName keeps of a Bluetooth name what all PowerSpys share, and the form
// of the rest.
func disguiseName(name string) string {
	rest, ok := strings.CutPrefix(name, meter.NamePrefix)
	switch {
	case name == "":
		return ""
	case !ok:
		return "(renamed)"
	}
	return meter.NamePrefix + regexp.MustCompile(`[[:alnum:]]`).ReplaceAllString(rest, "x")
}

// A disguiser replaces secrets in bytes by others of the same length, so that
// the form of what the meter said stays.
type disguiser struct {
	serial  uint16
	secrets []secret
	names   []string // of the meter, as errors name it
}

// A secret is an address and what takes its place.
type secret struct{ address, standIn bdaddr.Address }

func (d *disguiser) secret(a bdaddr.Address, number byte) {
	if a.IsZero() {
		return
	}
	s := a
	s[3], s[4], s[5] = 0, 0, number
	d.secrets = append(d.secrets, secret{a, s})
}

// text replaces what shows in a sentence.
func (d *disguiser) text(p []byte) []byte {
	for _, name := range d.names {
		p = replaceFold(p, name, "the meter")
	}
	return d.raw(p)
}

// raw replaces what shows as text in what the meter said, and keeps its length.
func (d *disguiser) raw(p []byte) []byte {
	p = d.addresses(d.identities(p))
	for _, name := range d.names {
		p = replaceFold(p, name, strings.Repeat("x", len(name)))
	}
	return d.digits(p)
}

// eeprom replaces the serial number, which is at address 0, and any copy of it
// outside of the calibrations.
func (d *disguiser) eeprom(p []byte) []byte {
	if len(p) < meter.CalibrationEnd {
		return p
	}
	calibrations := bytes.Clone(p[meter.CalibrationStart:meter.CalibrationEnd])
	p = d.binary(d.raw(p))
	copy(p[meter.CalibrationStart:], calibrations)
	binary.LittleEndian.PutUint16(p, standInSerial)
	return p
}

// identity is how a meter says who it is; its last four digits are the serial
// number (AL/LG/0838/003 §3.3.1).
var identity = regexp.MustCompile(`(POWERSPY[A-Z][0-9A-Fa-f]{8})[0-9A-Fa-f]{4}`)

func (d *disguiser) identities(p []byte) []byte {
	return identity.ReplaceAll(p, fmt.Appendf(nil, "${1}%04X", standInSerial))
}

// addresses replaces addresses in each form in which they are written down.
func (d *disguiser) addresses(p []byte) []byte {
	for _, s := range d.secrets {
		for _, separator := range []string{":", "-", "_", ""} {
			p = replaceFold(p, written(s.address, separator), written(s.standIn, separator))
		}
		p = replaceBytes(p, s.address[:], s.standIn[:])
		p = replaceBytes(p, reversed(s.address), reversed(s.standIn))
	}
	return p
}

func written(a bdaddr.Address, separator string) string {
	pairs := make([]string, len(a))
	for i, b := range a {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return strings.ToUpper(strings.Join(pairs, separator))
}

// digits replaces the serial number as a number of its own, in four hexadecimal
// digits, and in decimal ones unless these are so few that they mean anything.
func (d *disguiser) digits(p []byte) []byte {
	p = replaceWord(p, fmt.Sprintf("%04x", d.serial), fmt.Sprintf("%04X", standInSerial), "0-9A-Fa-f")
	if decimal := fmt.Sprint(d.serial); len(decimal) > 2 {
		p = replaceWord(p, decimal, fmt.Sprintf("%0*d", len(decimal), standInSerial), "0-9")
	}
	return p
}

// binary replaces the serial number as two bytes, in either order. What is
// meant otherwise but has the same bytes is replaced, too.
func (d *disguiser) binary(p []byte) []byte {
	if d.serial == 0 || d.serial == 0xffff {
		return p // blank memory is full of them
	}
	little := binary.LittleEndian.AppendUint16(nil, d.serial)
	p = replaceBytes(p, little, []byte{standInSerial, 0})
	return replaceBytes(p, []byte{little[1], little[0]}, []byte{0, standInSerial})
}

// replaceWord replaces digits that no more such digits stand around.
func replaceWord(p []byte, word, with, class string) []byte {
	// The ends are given back, since one may stand between two of them.
	r := regexp.MustCompile(`(?i)(^|[^` + class + `])` + regexp.QuoteMeta(word) + `($|[^` + class + `])`)
	for range 2 {
		p = r.ReplaceAll(p, []byte("${1}"+with+"${2}"))
	}
	return p
}

func replaceFold(p []byte, old, with string) []byte {
	return regexp.MustCompile("(?i)"+regexp.QuoteMeta(old)).ReplaceAllLiteral(p, []byte(with))
}

func replaceBytes(p, old, with []byte) []byte {
	return []byte(strings.ReplaceAll(string(p), string(old), string(with)))
}

func reversed(a bdaddr.Address) []byte {
	r := make([]byte, 0, len(a))
	for i := len(a) - 1; i >= 0; i-- {
		r = append(r, a[i])
	}
	return r
}
