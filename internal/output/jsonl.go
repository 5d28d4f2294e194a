package output

import (
	"encoding/json"
	"io"
	"regexp"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// jsonl writes a JSON object a line, for events of every kind.
type jsonl struct {
	lines
	keys []string // of fields, quoted, with the comma before and the colon after
	row  row
}

// jsonlVersion changes when a key changes its meaning or goes. New keys may come
// without.
const jsonlVersion = "1"

func newJSONL(w io.Writer, o *Options) *jsonl {
	j := &jsonl{lines: newLines(w, o, nil)}
	for i := range fields {
		j.keys = append(j.keys, `,"`+fields[i].key(TimeSecond)+`":`)
	}
	return j
}

// Event writes a line for a reading, a gap or a status. What is not known is
// null.
func (j *jsonl) Event(e *measure.Event) error {
	b := append(j.start(), `{"type":"`...)
	b = append(b, e.Kind.String()...)
	b = append(b, `","version":`+jsonlVersion...)
	switch e.Kind {
	case measure.ReadingEvent:
		b = j.reading(b, &e.Reading)
	case measure.GapEvent:
		b = gap(b, &e.Gap)
	case measure.StatusEvent:
		b = append(b, `,"time_s":`...)
		b = TimeSecond.append(b, e.Status.Time)
		b = append(b, `,"phase":`...)
		b = appendString(b, e.Status.Phase.String())
		b = append(b, `,"text":`...)
		b = appendString(b, e.Status.Text)
	}
	return j.write(append(b, "}\n"...))
}

func (j *jsonl) reading(b []byte, r *measure.Reading) []byte {
	j.row.set(r)
	for i := range fields {
		b = append(b, j.keys[i]...)
		before := len(b)
		if b = fields[i].append(b, &j.row, TimeSecond); len(b) == before {
			b = append(b, "null"...)
		}
	}
	return b
}

func gap(b []byte, g *meter.Gap) []byte {
	b = append(b, `,"start_s":`...)
	b = TimeSecond.append(b, g.From)
	b = append(b, `,"end_s":`...)
	b = TimeSecond.append(b, g.To)
	b = append(b, `,"length_s":`...)
	b = appendMicros(b, g.To.Sub(g.From).Round(time.Microsecond).Microseconds())
	b = append(b, `,"windows":`...)
	if g.Windows > 0 {
		b = appendFixed(b, float64(g.Windows), 0)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"reason":`...)
	return appendString(b, g.Reason)
}

// appendString writes a JSON string. It makes garbage, unlike a reading.
func appendString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(b, "null"...) // no string fails
	}
	return append(b, quoted...)
}

func (j *jsonl) look() look {
	kind := `{"type":"(reading|gap|status)","version":` + jsonlVersion + `,"`
	return look{
		detail: "version " + jsonlVersion,
		head:   regexp.MustCompile(`\A` + kind),
		line:   regexp.MustCompile(`\A` + kind + `.*}\z`),
		valid:  json.Valid,
		torn:   regexp.MustCompile(`\A({"?|{"t[a-z]*"?|{"type":"?[a-z]*"?|{"type":"[a-z]+",.*)?\z`),
		start:  `{"type":"`,
	}
}
