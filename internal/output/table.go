package output

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"powerspy2/measure"
)

const timeLayout = "15:04:05.000"

// tableFields are a choice that is 79 characters wide.
var tableFields = []string{"end", "power", "voltage", "current", "power_factor", "energy", "total"}

// dispensable are those of tableFields that a narrow terminal does without, the
// first one first.
var dispensable = []string{"power_factor", "current", "voltage", "energy", "total"}

// Marks behind the time of a reading.
const (
	partialMark = '!' // a part of its interval is missing
	bridgedMark = '~' // it has windows that the meter left out
	noMark      = ' '
)

// markWidth is the room for a mark, which the column behind the time gives up.
const markWidth = 1

// table writes aligned columns for people. Times are those of the day.
type table struct {
	lines
	columns       []column
	power, energy Unit
	row           row

	// Of a choice of columns that is ours: readings are marked, and it follows
	// the width of the terminal.
	marked bool
	width  func() int // nil: no terminal
	fits   int        // the width that columns are for
}

type column struct {
	*field
	width int
}

func newTable(w io.Writer, o *Options) *table {
	t := &table{power: Watt, energy: Joule, marked: o.Fields == nil}
	switch {
	case o.Unit == nil:
	case o.Unit.Energy:
		t.energy = *o.Unit
	default:
		t.power = *o.Unit
	}
	picked, _ := pick(o.Fields, o.csvTime()) // checked before
	if t.marked {
		t.width = o.Width
		if t.width != nil {
			t.fits = t.width()
		}
		picked = fitting(t.fits)
	}
	t.lines = newLines(w, o, t.choose(picked))
	return t
}

// fitting returns the columns that fit a terminal of so many; 0: any.
func fitting(width int) []*field {
	names := slices.Clone(tableFields)
	for _, name := range dispensable {
		picked, _ := pick(names, TimeISO) // names of ours
		total := 0
		for _, f := range picked {
			total += f.width + 1
		}
		if width == 0 || total <= width { // the last one has no blank behind it, and a terminal wraps a full line
			return picked
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == name })
	}
	picked, _ := pick(names, TimeISO)
	return picked
}

// choose makes columns of fields, and returns their header.
func (t *table) choose(picked []*field) (header []byte) {
	t.columns = t.columns[:0]
	for i, f := range picked {
		title := t.title(f)
		c := column{f, max(f.width, len(title))}
		if t.marked && i == 1 {
			c.width -= markWidth
		}
		t.columns = append(t.columns, c)
		if f.time != nil {
			// Times fill their column: the title stands at their start.
			title = fmt.Sprintf("%-*s", c.width, title)
		}
		header = cell(header, i, c.width, []byte(title))
		if t.marked && i == 0 {
			header = append(header, noMark)
		}
	}
	return append(header, '\n')
}

// resize follows the terminal: other columns get a header of their own.
func (t *table) resize() {
	if t.width == nil {
		return
	}
	width := t.width()
	if width == t.fits {
		return
	}
	t.fits = width
	if header := t.choose(fitting(width)); !bytes.Equal(header, t.header) {
		t.header, t.pending = header, true
	}
}

// mark returns what stands behind the time of a reading.
func (r *row) mark() byte {
	switch {
	case r.Partial:
		return partialMark
	case r.Bridged > 0:
		return bridgedMark
	}
	return noMark
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
	t.resize()
	b := t.start()
	var buf [64]byte
	for i, c := range t.columns {
		b = cell(b, i, c.width, t.value(buf[:0], c.field))
		if t.marked && i == 0 {
			b = append(b, t.row.mark())
		}
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
	return headed(t.header, len(t.columns), ` *([0-9:.-]*|tr?u?e?|fa?l?s?e?)[!~]?`, " ")
}
