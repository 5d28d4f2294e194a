package output

import (
	"fmt"
	"io"
	"regexp"

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

// plainTimes are what the times of plain look like. The number of digits tells
// microseconds from milliseconds, but for a clock that begins in 1970.
var plainTimes = map[TimeFormat]string{
	TimeMicro:  `-?([0-9]{1,11}|[0-9]{15,})`,
	TimeMilli:  `-?[0-9]{1,14}`,
	TimeSecond: `-?[0-9]{1,12}\.[0-9]{6}`,
	TimeISO:    `[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z`,
}

// look can't tell the micro units from the milli units, nor power from energy:
// a file says that only in its mark.
func (p *plain) look() look {
	what := "power"
	if p.unit.Energy {
		what = "energy"
	}
	value := `-?[0-9]+`
	if p.unit.PerOne == 1 {
		value += fmt.Sprintf(`\.[0-9]{%d}`, decimals)
	}
	when := plainTimes[p.time]
	return look{
		detail: fmt.Sprintf("times in %s and %s in %s", p.time, what, p.unit.Name),
		head:   regexp.MustCompile(`\A` + when + " " + value + `\n`),
		line:   regexp.MustCompile(`\A` + when + " " + value + `\z`),
		torn:   regexp.MustCompile(`\A(-?[0-9TZ:.-]*|` + when + ` -?[0-9.]*)\z`),
		first:  regexp.MustCompile(`\A` + when + ` -?[0-9.]*\z`),
	}
}
