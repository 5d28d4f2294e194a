package output

import (
	"io"

	"powerspy2/meter"
)

// Widths of the table's columns, apart from the time: with a space between
// them a line has 79 characters.
const (
	timeLayout   = "15:04:05.000"
	powerWidth   = 12
	voltageWidth = 9
	currentWidth = 9
	factorWidth  = 7
	energyWidth  = 11
	totalWidth   = 13
)

// table writes aligned columns for people.
type table struct {
	w             io.Writer
	power, energy Unit
	total         float64 // joules since the first reading
	started       bool
	buf           []byte
}

func newTable(w io.Writer, unit *Unit) *table {
	t := &table{w: w, power: Watt, energy: Joule, buf: make([]byte, 0, 256)}
	switch {
	case unit == nil:
	case unit.Energy:
		t.energy = *unit
	default:
		t.power = *unit
	}
	return t
}

// Event writes a line for a reading, after the header for the first one, and
// nothing for any other event.
func (t *table) Event(e meter.Event) error {
	if e.Kind != meter.ReadingEvent {
		return nil
	}
	b := t.buf[:0]
	if !t.started {
		t.started = true
		b = t.header(b)
	}
	r := &e.Reading
	t.total += r.Energy
	b = r.End.AppendFormat(b, timeLayout)
	var cell [32]byte
	b = right(b, powerWidth, t.power.append(cell[:0], r.Power, 3))
	b = right(b, voltageWidth, appendFixed(cell[:0], r.Voltage, 2))
	b = right(b, currentWidth, appendFixed(cell[:0], r.Current, 4))
	factor := append(cell[:0], '-')
	if apparent := r.Voltage * r.Current; apparent > 0 {
		factor = appendFixed(cell[:0], r.Power/apparent, 3)
	}
	b = right(b, factorWidth, factor)
	b = right(b, energyWidth, t.energy.append(cell[:0], r.Energy, 4))
	b = right(b, totalWidth, t.energy.append(cell[:0], t.total, 3))
	t.buf = append(b, '\n')
	_, err := t.w.Write(t.buf)
	return err
}

func (t *table) header(b []byte) []byte {
	b = append(b, "time        "...)
	b = right(b, powerWidth, []byte("power/"+t.power.Name))
	b = right(b, voltageWidth, []byte("voltage/V"))
	b = right(b, currentWidth, []byte("current/A"))
	b = right(b, factorWidth, []byte("factor"))
	b = right(b, energyWidth, []byte("energy/"+t.energy.Name))
	b = right(b, totalWidth, []byte("total/"+t.energy.Name))
	return append(b, '\n')
}

// right appends a space and the cell, aligned to the right.
func right(b []byte, width int, cell []byte) []byte {
	b = append(b, ' ')
	for n := len(cell); n < width; n++ {
		b = append(b, ' ')
	}
	return append(b, cell...)
}
