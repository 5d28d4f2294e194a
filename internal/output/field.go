package output

import (
	"fmt"
	"math"
	"strings"
	"time"

	"powerspy2/measure"
)

// row is what a line about a reading can tell.
type row struct {
	measure.Reading
	total float64 // J since the first reading
}

// set makes r the row about the next reading. It copies, so that the event it
// is from does not end up on the heap.
func (r *row) set(reading *measure.Reading) {
	r.Reading = *reading
	if finite(reading.Energy) {
		r.total += reading.Energy
	}
}

// A field is one thing that is known of a reading. It has a time, a number or
// a flag. Every format with columns or keys takes its own from fields.
type field struct {
	name string // as in --fields, without the unit
	unit string // empty: none, or that of TimeFormat
	doc  string

	time     func(*row) time.Time
	number   func(*row) float64
	decimals int // of a number, outside of tables
	flag     func(*row) bool

	// In tables.
	title         string // in place of a name that is too wide
	width         int
	tableDecimals int

	influx string // in place of the usual key
}

var fields = [...]field{
	{name: "start", width: 12, doc: "when the first averaging window began",
		time: func(r *row) time.Time { return r.Start }},
	{name: "end", title: "time", width: 12, doc: "when the last averaging window ended",
		time: func(r *row) time.Time { return r.End }},
	{name: "length", unit: "s", decimals: 6, width: 9, tableDecimals: 4, influx: "window_s",
		doc:    "true length of what was measured, a whole number of mains periods",
		number: func(r *row) float64 { return r.Length.Seconds() }},
	{name: "windows", width: 7, doc: "averaging windows in it that were measured",
		number: func(r *row) float64 { return float64(r.Windows) }},
	{name: "bridged", width: 7, doc: "averaging windows in it that the meter left out, filled with the mean of their neighbours",
		number: func(r *row) float64 { return float64(r.Bridged) }},
	{name: "partial", width: 7, doc: "`true` when a part of the interval is missing: it was lost, or measuring ended",
		flag: func(r *row) bool { return r.Partial }},
	{name: "power", unit: "W", decimals: 6, width: 12, tableDecimals: 3, doc: "mean power, negative when it flows backwards",
		number: func(r *row) float64 { return r.Power }},
	{name: "power_min", unit: "W", decimals: 6, width: 12, tableDecimals: 3, doc: "lowest mean power of an averaging window",
		number: func(r *row) float64 { return r.PowerMin }},
	{name: "power_max", unit: "W", decimals: 6, width: 12, tableDecimals: 3, doc: "highest mean power of an averaging window",
		number: func(r *row) float64 { return r.PowerMax }},
	{name: "voltage", unit: "V", decimals: 6, width: 9, tableDecimals: 2, doc: "rms voltage",
		number: func(r *row) float64 { return r.Voltage }},
	{name: "current", unit: "A", decimals: 6, width: 9, tableDecimals: 4, doc: "rms current",
		number: func(r *row) float64 { return r.Current }},
	{name: "voltage_peak", unit: "V", decimals: 6, width: 9, tableDecimals: 2, doc: "highest voltage",
		number: func(r *row) float64 { return r.VoltagePeak }},
	{name: "current_peak", unit: "A", decimals: 6, width: 9, tableDecimals: 4, doc: "highest current",
		number: func(r *row) float64 { return r.CurrentPeak }},
	{name: "apparent_power", unit: "VA", decimals: 6, width: 12, tableDecimals: 3, doc: "rms voltage times rms current",
		number: func(r *row) float64 { return r.ApparentPower() }},
	{name: "power_factor", title: "factor", decimals: 6, width: 7, tableDecimals: 3,
		doc:    "power over apparent power; empty when no current flows",
		number: func(r *row) float64 { return r.PowerFactor() }},
	{name: "energy", unit: "J", decimals: 6, width: 11, tableDecimals: 4, doc: "energy of this reading: mean power times length",
		number: func(r *row) float64 { return r.Energy }},
	{name: "total", unit: "J", decimals: 6, width: 13, tableDecimals: 3, doc: "energy since measuring began, this reading included",
		number: func(r *row) float64 { return r.total }},
	{name: "frequency", unit: "Hz", decimals: 6, width: 9, tableDecimals: 3, doc: "mains frequency",
		number: func(r *row) float64 { return r.Frequency }},
	{name: "delay", unit: "s", decimals: 6, width: 8, tableDecimals: 4, doc: "how long after `end` the last frame arrived",
		number: func(r *row) float64 { return r.Delay.Seconds() }},
}

// key is the field's name with its unit, as in the header of csv; t is how
// times are written.
func (f *field) key(t TimeFormat) string {
	unit := f.unit
	if f.time != nil && t != TimeISO {
		unit = string(t)
	}
	if unit == "" {
		return f.name
	}
	return f.name + "_" + unit
}

// append writes the value; nothing for a number that is missing.
func (f *field) append(b []byte, r *row, t TimeFormat) []byte {
	switch {
	case f.time != nil:
		return t.append(b, f.time(r))
	case f.flag != nil:
		return appendFlag(b, f.flag(r))
	}
	v := f.number(r)
	if !finite(v) {
		return b
	}
	return appendFixed(b, v, f.decimals)
}

func appendFlag(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// FieldNames returns the names that fields can be picked by.
func FieldNames() []string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].name
	}
	return names
}

// pick finds fields by their names, with or without the unit, in the order
// given.
func pick(names []string, t TimeFormat) ([]*field, error) {
	var picked []*field
names:
	for _, name := range names {
		for i := range fields {
			if f := &fields[i]; name == f.name || name == f.key(t) {
				picked = append(picked, f)
				continue names
			}
		}
		return nil, fmt.Errorf("field %q is not one of %s", name, strings.Join(FieldNames(), ", "))
	}
	return picked, nil
}
