package oldlog

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrFormat is matched by the errors for what is no log of an older tool.
var ErrFormat = errors.New("not a log of powerspy.py or powerspycli")

// ErrEmpty is matched by the errors for a log without a usable row.
var ErrEmpty = errors.New("log has no usable row")

// maxLine bounds a line, headSize how far into a log its layout is looked for.
const (
	maxLine  = 1 << 10
	headSize = 16 << 10
)

// A Reader reads a log.
type Reader struct {
	in      *bufio.Reader
	layout  layout
	summary Summary
	power   unwrapper

	// One row is read ahead, to see which of two times is wrong.
	ahead  Row
	ended  error // What the log ended with.
	primed bool
	last   time.Duration
}

// NewReader returns a reader of the log in r. An error that matches ErrFormat
// says what r is instead; any other is r's.
func NewReader(r io.Reader) (*Reader, error) {
	in, err := unpack(r)
	if err != nil {
		return nil, err
	}
	head, err := in.Peek(headSize)
	if err != nil && !early(err) {
		return nil, fmt.Errorf("read log: %w", err)
	}
	l, err := recognise(head)
	if err != nil {
		return nil, err
	}
	return &Reader{in: in, layout: l}, nil
}

// unpack looks for gzip.
func unpack(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, headSize)
	magic, err := in.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read log: %w", err)
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return bufio.NewReaderSize(z, headSize), nil
}

// early reports whether err is no more than the end of a log, be it a sudden
// one: what is there of a compressed file is read.
func early(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) ||
		errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt)
}

// Is reports whether head is the beginning of a log of an older tool, as it is
// in the file: perhaps compressed. Some kilobytes are enough.
func Is(head []byte) bool {
	in, err := unpack(bytes.NewReader(head))
	if err != nil {
		return false
	}
	// A compressed beginning ends early, of course.
	text, _ := in.Peek(headSize)
	_, err = recognise(text)
	return err == nil
}

// header is the first line that powerspycli writes, and columns the one of
// powerspy.py.
const (
	header  = "Timestamp;Power"
	columns = "# timestamp\tV\tA\tW\tV\tA"
)

// oldest is 1973: what has but two columns is known by times since 1970.
const oldest = 1e8 * time.Second

// recognise finds the layout of a log by its beginning.
func recognise(head []byte) (layout, error) {
	first := ""
	for line := range bytes.FieldsFuncSeq(head, func(c rune) bool { return c == '\n' || c == '\r' }) {
		line = bytes.TrimRight(line, " ")
		switch {
		case string(line) == header:
			return layouts[1], nil
		case bytes.EqualFold(line, []byte(columns)):
			return layouts[0], nil
		}
		for _, l := range layouts {
			if row, err := l.parse(line); err == nil && (!l.powerOnly || row.Arrival > oldest) {
				return l, nil
			}
		}
		if first == "" && !comment(line) {
			first = string(line[:min(len(line), 60)])
		}
	}
	if first == "" {
		return layout{}, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	return layout{}, fmt.Errorf("%w: among its first lines, such as %q, is none with six columns separated by tabs, and it does not begin with %s",
		ErrFormat, first, header)
}

// comment reports whether a line is none of measurements: empty, a comment, or
// a header of words.
func comment(line []byte) bool {
	return len(line) == 0 || line[0] == '#' || string(line) == header || bytes.HasPrefix(line, []byte("arrival"))
}

// PowerOnly reports whether the log has nothing but times and power.
func (r *Reader) PowerOnly() bool { return r.layout.powerOnly }

// Summary counts what was read so far.
func (r *Reader) Summary() Summary { return r.summary }

// Next returns the next row, io.EOF at the end of the log, an error that
// matches ErrEmpty at the end of one that had none, or what the log's reader
// failed with.
func (r *Reader) Next() (Row, error) {
	if !r.primed {
		r.primed = true
		r.ahead, r.ended = r.read()
	}
	for r.ended == nil {
		row := r.ahead
		r.ahead, r.ended = r.read()
		if r.ended == nil && r.ahead.Arrival < row.Arrival {
			r.summary.Backwards++
			if r.ahead.Arrival >= r.last && row.Arrival-r.last > farAhead {
				continue // This one was wrong, not the next.
			}
			r.ahead = row
			continue
		}
		r.last = row.Arrival
		r.summary.Rows++
		return row, nil
	}
	if errors.Is(r.ended, io.EOF) && r.summary.Rows == 0 {
		return Row{}, fmt.Errorf("%w: %v", ErrEmpty, r.summary)
	}
	return Row{}, r.ended
}

// farAhead is how much later than the row before a row has to be to be the
// wrong one, where the next is earlier again.
const farAhead = time.Minute

// read returns the next row whose values make sense.
func (r *Reader) read() (Row, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Row{}, err
		}
		if comment(line) {
			continue
		}
		row, err := r.layout.parse(line)
		if err == nil {
			var wrapped bool
			row.Power, wrapped, err = r.power.undo(row.Power)
			if wrapped {
				r.summary.Unwrapped++
			}
		}
		if err != nil {
			r.summary.count(err)
			continue
		}
		return row, nil
	}
}

// line returns the next line, up to LF or CR. What is too long comes cut, which
// no layout takes; a last line without an end may be torn, and is judged as
// any other.
func (r *Reader) line() ([]byte, error) {
	var b []byte
	for {
		c, err := r.in.ReadByte()
		switch {
		case err != nil && early(err):
			r.summary.Short = !errors.Is(err, io.EOF)
			if len(b) == 0 {
				return nil, io.EOF
			}
			return bytes.TrimRight(b, " "), nil
		case err != nil:
			return nil, fmt.Errorf("read log: %w", err)
		case c == '\n' || c == '\r':
			return bytes.TrimRight(b, " "), nil
		case len(b) <= maxLine:
			b = append(b, c)
		}
	}
}
