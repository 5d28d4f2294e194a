package output

import (
	"fmt"
	"io"

	"powerspy2/measure"
)

const timeLayout = "15:04:05.000"

// tableFields are a choice that is 79 characters wide.
var tableFields = []string{"end", "power", "voltage", "current", "power_factor", "energy", "total"}

// table writes aligned columns for people. Times are those of the day.
type table struct {
	lines
	columns       []column
	power, energy Unit
	row           row
}

type column struct {
	*field
	width int
}

func newTable(w io.Writer, o *Options) *table {
	t := &table{power: Watt, energy: Joule}
	switch {
	case o.Unit == nil:
	case o.Unit.Energy:
		t.energy = *o.Unit
	default:
		t.power = *o.Unit
	}
	names := o.Fields
	if names == nil {
		names = tableFields
	}
	picked, _ := pick(names, o.csvTime()) // checked before
	var header []byte
	for i, f := range picked {
		title := t.title(f)
		c := column{f, max(f.width, len(title))}
		t.columns = append(t.columns, c)
		if f.time != nil {
			// Times fill their column: the title stands at their start.
			title = fmt.Sprintf("%-*s", c.width, title)
		}
		header = cell(header, i, c.width, []byte(title))
	}
	t.lines = newLines(w, o, append(header, '\n'))
	return t
}

// title is what stands above a column.
func (t *table) title(f *field) string {
	title := f.name
	if f.title != "" {
		title = f.title
	}
	switch f.unit {
	case "":
		return title
	case Watt.Name:
		return title + "/" + t.power.Name
	case Joule.Name:
		return title + "/" + t.energy.Name
	}
	return title + "/" + f.unit
}

// Event writes a line for a reading, and nothing for any other event.
func (t *table) Event(e *measure.Event) error {
	if e.Kind != measure.ReadingEvent {
		return nil
	}
	t.row.set(&e.Reading)
	b := t.start()
	var buf [64]byte
	for i, c := range t.columns {
		b = cell(b, i, c.width, t.value(buf[:0], c.field))
	}
	return t.write(append(b, '\n'))
}

func (t *table) value(b []byte, f *field) []byte {
	switch {
	case f.time != nil:
		return f.time(&t.row).AppendFormat(b, timeLayout)
	case f.flag != nil:
		return appendFlag(b, f.flag(&t.row))
	}
	v := f.number(&t.row)
	switch {
	case !finite(v):
		return append(b, '-')
	case f.unit == Watt.Name:
		return t.power.append(b, v, f.tableDecimals)
	case f.unit == Joule.Name:
		return t.energy.append(b, v, f.tableDecimals)
	}
	return appendFixed(b, v, f.tableDecimals)
}

// cell appends column i of a line, aligned to the right.
func cell(b []byte, i, width int, text []byte) []byte {
	if i > 0 {
		b = append(b, ' ')
	}
	for n := len(text); n < width; n++ {
		b = append(b, ' ')
	}
	return append(b, text...)
}

func (t *table) look() look {
	return headed(t.header, len(t.columns), ` *([0-9:.-]*|tr?u?e?|fa?l?s?e?)`, " ")
}
