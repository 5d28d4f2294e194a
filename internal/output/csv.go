package output

import (
	"io"

	"powerspy2/measure"
)

// csv writes a header, and a line for each reading. No value needs quotes. Lines
// end in LF: with the CR LF of RFC 4180 awk, grep and cut see a CR in the last
// column.
type csv struct {
	lines
	fields []*field
	time   TimeFormat
	row    row
}

// csvTime returns how csv writes times.
func (o *Options) csvTime() TimeFormat {
	if o.Time == "" {
		return TimeISO
	}
	return o.Time
}

func newCSV(w io.Writer, o *Options) *csv {
	c := &csv{time: o.csvTime()}
	names := o.Fields
	if names == nil {
		names = FieldNames()
	}
	c.fields, _ = pick(names, c.time) // checked before
	var header []byte
	for i, f := range c.fields {
		if i > 0 {
			header = append(header, ',')
		}
		header = append(header, f.key(c.time)...)
	}
	c.lines = newLines(w, o, append(header, '\n'))
	return c
}

// Event writes a line for a reading and nothing for any other event: a gap
// shows in that a reading does not start where the one before ended.
func (c *csv) Event(e *measure.Event) error {
	if e.Kind != measure.ReadingEvent {
		return nil
	}
	c.row.set(&e.Reading)
	b := c.start()
	for i, f := range c.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.append(b, &c.row, c.time)
	}
	return c.write(append(b, '\n'))
}

func (c *csv) look() look {
	return headed(c.header, len(c.fields), `([0-9TZ:.-]*|tr?u?e?|fa?l?s?e?)`, ",")
}
