package output

import (
	"io"

	"powerspy2/measure"
)

// csv writes RFC 4180: a header, and a line for each reading. No value needs
// quotes. Lines end in CR LF, as the RFC has it.
type csv struct {
	lines
	fields []*field
	time   TimeFormat
	row    row
}

const crlf = "\r\n"

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
	c.lines = newLines(w, o, append(header, crlf...))
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
	return c.write(append(b, crlf...))
}
