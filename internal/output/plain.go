package output

import (
	"io"

	"powerspy2/measure"
)

// plain writes `TIMESTAMP READING`: the end of the reading, in UNIX
// microseconds unless told otherwise, a space, and its power or its energy.
type plain struct {
	lines
	unit Unit
	time TimeFormat
}

func newPlain(w io.Writer, o *Options) *plain {
	p := &plain{lines: newLines(w, o, nil), unit: Milliwatt, time: TimeMicro}
	if o.Unit != nil {
		p.unit = *o.Unit
	}
	if o.Time != "" {
		p.time = o.Time
	}
	return p
}

// Event writes a line for a reading and nothing for any other event.
func (p *plain) Event(e *measure.Event) error {
	if e.Kind != measure.ReadingEvent {
		return nil
	}
	v := e.Reading.Power
	if p.unit.Energy {
		v = e.Reading.Energy
	}
	if !finite(v) {
		return nil // there is no way to say it that readers would not choke on
	}
	b := p.time.append(p.start(), e.Reading.End)
	b = append(b, ' ')
	b = p.unit.append(b, v, decimals)
	return p.write(append(b, '\n'))
}
