package output

import (
	"io"
	"strconv"

	"powerspy2/meter"
)

// plain writes `TIMESTAMP READING`: the end of the reading in UNIX
// microseconds, a space, and its power or its energy.
type plain struct {
	w    io.Writer
	unit Unit
	buf  []byte
}

func newPlain(w io.Writer, unit *Unit) *plain {
	p := &plain{w: w, unit: Milliwatt, buf: make([]byte, 0, 64)}
	if unit != nil {
		p.unit = *unit
	}
	return p
}

// Event writes a line for a reading and nothing for any other event.
func (p *plain) Event(e meter.Event) error {
	if e.Kind != meter.ReadingEvent {
		return nil
	}
	v := e.Reading.Power
	if p.unit.Energy {
		v = e.Reading.Energy
	}
	b := strconv.AppendInt(p.buf[:0], e.Reading.End.UnixMicro(), 10)
	b = append(b, ' ')
	b = p.unit.append(b, v, decimals)
	p.buf = append(b, '\n')
	_, err := p.w.Write(p.buf)
	return err
}
