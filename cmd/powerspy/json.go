package main

import (
	"encoding/json"
	"io"
	"math"
)

// writeJSON writes a value for programs, in lines that people can read, too.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // no browser reads it
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// number returns nil, which is null, for what JSON has no number for: what was
// not measured, or a blank EEPROM, which reads as not-a-number.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
