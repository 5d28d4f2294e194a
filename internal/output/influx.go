package output

import (
	"io"
	"regexp"
	"strconv"
	"strings"

	"powerspy2/measure"
	"powerspy2/meter"
)

// influx writes the line protocol of InfluxDB: measurement powerspy for
// readings, powerspy_gap for gaps, with the meter as a tag. Times are those of
// the end, in nanoseconds.
type influx struct {
	lines
	tags string
	keys []string // of fields; empty: left out
	row  row
}

func newInflux(w io.Writer, o *Options) *influx {
	i := &influx{lines: newLines(w, o, nil)}
	if tag := influxTag(o.Meter); tag != "" {
		i.tags = ",meter=" + tag
	}
	for n := range fields {
		f := &fields[n]
		key := f.influx
		switch {
		case f.time != nil: // the line has a time of its own, and start is length before it
		case key == "":
			// Its users write keys in lower case.
			key = strings.ToLower(f.key(TimeISO))
		}
		i.keys = append(i.keys, key)
	}
	return i
}

// Event writes a line for a reading or a gap and nothing for a status. What is
// not known is left out.
func (i *influx) Event(e *measure.Event) error {
	switch e.Kind {
	case measure.ReadingEvent:
		return i.write(i.reading(i.start(), &e.Reading))
	case measure.GapEvent:
		return i.write(i.gap(i.start(), &e.Gap))
	}
	return nil
}

func (i *influx) reading(b []byte, r *measure.Reading) []byte {
	i.row.set(r)
	b = append(append(b, "powerspy"...), i.tags...)
	separator := byte(' ')
	for n := range fields {
		if i.keys[n] == "" {
			continue
		}
		start := len(b)
		b = append(append(b, separator), i.keys[n]...)
		b = append(b, '=')
		before := len(b)
		if b = fields[n].append(b, &i.row, TimeISO); len(b) == before {
			b = b[:start]
			continue
		}
		separator = ','
	}
	return i.end(b, r.End.UnixNano())
}

func (i *influx) gap(b []byte, g *meter.Gap) []byte {
	b = append(append(b, "powerspy_gap"...), i.tags...)
	b = append(b, " length_s="...)
	b = appendFixed(b, g.To.Sub(g.From).Seconds(), 6)
	if g.Windows > 0 {
		b = append(b, ",windows="...)
		b = appendFixed(b, float64(g.Windows), 0)
	}
	b = append(b, `,reason="`...)
	b = append(b, influxText.Replace(oneLine(g.Reason))...)
	b = append(b, '"')
	return i.end(b, g.To.UnixNano())
}

func (i *influx) end(b []byte, ns int64) []byte {
	b = strconv.AppendInt(append(b, ' '), ns, 10)
	return append(b, '\n')
}

var (
	influxText    = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	influxSpecial = strings.NewReplacer(`,`, `\,`, `=`, `\=`, ` `, `\ `)
)

// influxTag escapes the value of a tag. A backslash before any other character
// is itself, so that it needs no escape, and at the end has none: there it is
// dropped.
func influxTag(s string) string {
	return influxSpecial.Replace(strings.TrimRight(oneLine(s), `\`))
}

// oneLine replaces what would end a line or is not text by spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\x7f' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func (*influx) look() look {
	const kind = `\Apowerspy(_gap)?[, ]`
	return look{
		head:  regexp.MustCompile(kind),
		line:  regexp.MustCompile(kind + `.*[^ ] -?[0-9]+\z`),
		torn:  regexp.MustCompile(`\A(p[a-z]*(_g?a?p?)?|powerspy(_gap)?[, ].*)?\z`),
		start: "powerspy",
	}
}
