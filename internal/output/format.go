package output

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Format is a text format for readings.
type Format string

// Formats.
const (
	Table  Format = "table"  // aligned columns for people
	Plain  Format = "plain"  // TIMESTAMP READING for programs
	CSV    Format = "csv"    // comma-separated values with a header
	JSONL  Format = "jsonl"  // a JSON object a line, for every event
	Influx Format = "influx" // the line protocol of InfluxDB
	OSCAR  Format = "oscar"  // the power file of KDE's OSCAR
)

// A formatKind says what there is to know of a format.
type formatKind struct {
	format               Format
	units, fields, times bool // these options make sense
	sink                 func(io.Writer, *Options) sink
}

var formatKinds = [...]formatKind{
	{Table, true, true, false, func(w io.Writer, o *Options) sink { return newTable(w, o) }},
	{Plain, true, false, true, func(w io.Writer, o *Options) sink { return newPlain(w, o) }},
	{CSV, false, true, true, func(w io.Writer, o *Options) sink { return newCSV(w, o) }},
	{JSONL, false, false, false, func(w io.Writer, o *Options) sink { return newJSONL(w, o) }},
	{Influx, false, false, false, func(w io.Writer, o *Options) sink { return newInflux(w, o) }},
	{OSCAR, false, false, false, func(w io.Writer, o *Options) sink { return newOSCAR(w, o) }},
}

func (f Format) kind() *formatKind {
	for i := range formatKinds {
		if formatKinds[i].format == f {
			return &formatKinds[i]
		}
	}
	return nil
}

// FormatNames returns the names that ParseFormat accepts.
func FormatNames() []string {
	return formatsThat(func(*formatKind) bool { return true })
}

func formatsThat(match func(*formatKind) bool) []string {
	var names []string
	for i := range formatKinds {
		if k := &formatKinds[i]; match(k) {
			names = append(names, string(k.format))
		}
	}
	return names
}

// ParseFormat finds a format by its name.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); f.kind() != nil {
		return f, nil
	}
	return "", fmt.Errorf("format %q is not one of %s", name, strings.Join(FormatNames(), ", "))
}

// Check reports whether format f can be written with these options.
func (o *Options) Check(f Format) error {
	k := f.kind()
	if k == nil {
		_, err := ParseFormat(string(f))
		return err
	}
	refuse := func(what string, takes func(*formatKind) bool) error {
		return fmt.Errorf("format %s has fixed %s; those of %s can be chosen", f, what, strings.Join(formatsThat(takes), " and "))
	}
	switch {
	case o.Unit != nil && !k.units:
		return refuse("units", func(k *formatKind) bool { return k.units })
	case o.Fields != nil && !k.fields:
		return refuse("fields", func(k *formatKind) bool { return k.fields })
	case o.Time != "" && !k.times:
		return refuse("times", func(k *formatKind) bool { return k.times })
	case o.Fields != nil && len(o.Fields) == 0:
		return fmt.Errorf("no field is picked; they are %s", strings.Join(FieldNames(), ", "))
	case f == OSCAR && o.Interval != 0 && o.Interval != time.Second:
		return fmt.Errorf("format oscar has a row a second, so that its interval is 1s, not %v", o.Interval)
	}
	_, err := pick(o.Fields, o.csvTime())
	return err
}
