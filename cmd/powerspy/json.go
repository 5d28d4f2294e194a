package main

import (
	"encoding/json"
	"io"
	"math"
)

// writeJSON writes a value for programs, in lines that people can read, too.
func writeJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// finite returns nil, which is null, for what JSON has no number for: a blank
// EEPROM reads as not-a-number.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
