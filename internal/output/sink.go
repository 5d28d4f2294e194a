package output

import (
	"fmt"
	"io"
	"strings"

	"powerspy2/meter"
)

// A Sink takes the events of a stream, one after the other.
type Sink interface {
	// Event writes what the sink has to say about e. The error is that of the
	// writer underneath.
	Event(e meter.Event) error
}

// A Format is a text format for readings.
type Format string

// Formats.
const (
	Table Format = "table" // aligned columns for people
	Plain Format = "plain" // TIMESTAMP READING for programs
)

var formats = [...]Format{Table, Plain}

// FormatNames returns the names that ParseFormat accepts.
func FormatNames() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return names
}

// ParseFormat finds a format by its name.
func ParseFormat(name string) (Format, error) {
	for _, f := range formats {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fmt.Errorf("format %q is not one of %s", name, strings.Join(FormatNames(), ", "))
}

// NewSink returns the sink that writes format f to w. A nil unit means the
// format's own: mW for Plain; W and J for Table.
func NewSink(f Format, w io.Writer, unit *Unit) Sink {
	if f == Table {
		return newTable(w, unit)
	}
	return newPlain(w, unit)
}
