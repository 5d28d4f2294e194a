package output

import (
	"io"
	"time"

	"powerspy2/measure"
)

// A Sink takes the events of a stream, one after the other.
type Sink interface {
	// Event writes what the sink has to say about e. The error is that of the
	// writer underneath.
	Event(e *measure.Event) error

	// Header returns the lines that stand before the first reading, nil when
	// the format has none.
	Header() []byte
}

// sink is a Sink of this package.
type sink interface {
	Sink
	look() look
}

// Options say how a format is written. What a format has no use for may not be
// set: see Check.
type Options struct {
	Unit   *Unit      // nil: mW for Plain; W and J for Table
	Fields []string   // nil: all for CSV; a choice that fits the terminal for Table
	Time   TimeFormat // empty: us for Plain, iso for CSV

	// Interval is the length of a reading, for Check; 0 if there are none yet.
	Interval time.Duration

	// Meter is a name for the meter, for Influx and OSCAR. It may be empty.
	Meter string

	// Began is when measuring begins, for OSCAR, whose times keep the offset
	// from UTC that its location has then. Zero: now, local time.
	Began time.Time

	// Head and Last are the beginning and the last line of the file that is
	// appended to, if it has any and has passed Shape.Check: OSCAR goes on from
	// there.
	Head, Last []byte

	// Width returns the columns of the terminal that Table is written to, 0 if that
	// is not known. The choice of columns of Table follows it; Fields do not. Nil:
	// there is no terminal.
	Width func() int

	// HeaderApart leaves the header to the caller: a file that is appended to,
	// or rotated, may have one or need another.
	HeaderApart bool
}

// NewSink returns the sink that writes format f to w. Errors are those of Check.
func NewSink(f Format, w io.Writer, o Options) (Sink, error) {
	if err := o.Check(f); err != nil {
		return nil, err
	}
	return f.kind().sink(w, &o), nil
}

// lines is what all sinks have in common.
type lines struct {
	w       io.Writer
	header  []byte
	pending bool   // the header is to be written
	buf     []byte // of the line before, to be used again
}

func newLines(w io.Writer, o *Options, header []byte) lines {
	return lines{w: w, header: header, pending: !o.HeaderApart, buf: make([]byte, 0, 1024)}
}

// Header implements Sink.
func (l *lines) Header() []byte { return l.header }

// start returns a buffer to append a line to.
func (l *lines) start() []byte {
	if l.pending {
		return append(l.buf[:0], l.header...)
	}
	return l.buf[:0]
}

// write writes the line, and the header if it is the first, with one Write.
func (l *lines) write(b []byte) error {
	l.pending, l.buf = false, b
	_, err := l.w.Write(b)
	return err
}
