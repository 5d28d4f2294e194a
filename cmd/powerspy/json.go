package main

import (
	"encoding/json"
	"io"
)

// writeJSON writes a value for programs, in lines that people can read, too.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // no browser reads it
	e.SetIndent("", "  ")
	return e.Encode(v)
}
