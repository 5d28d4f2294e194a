package record

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A Reader reads the lines of a recording, as text or compressed by Zstandard or
// gzip, which is known by the content. It takes the same memory for any size.
type Reader struct {
	in    *bufio.Reader
	line  Line
	lines int64
	zstd  *zstd.Decoder
	torn  int   // bytes of a last line without a line end
	short error // why what is compressed ends too early

	noWindows bool   // readings are skipped
	window    []byte // the last one that was
}

// NewReader returns a Reader of r. Errors match [ErrFormat] where r is no
// recording: a *[VersionError] where it is one of a version that can't be read.
// Others are r's.
func NewReader(r io.Reader) (*Reader, error) {
	in := bufio.NewReaderSize(r, MaxLine)
	head, err := in.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	d := &Reader{in: in}
	switch {
	case len(head) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	case bytes.Equal(head, magic):
		if d.zstd, err = newDecoder(in); err != nil {
			return nil, err
		}
		d.in = bufio.NewReaderSize(d.zstd, MaxLine)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		d.in = bufio.NewReaderSize(z, MaxLine)
	}
	if err := d.begin(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// begin sees to it that a header comes first.
func (r *Reader) begin() error {
	start, err := r.in.Peek(len(headerStart))
	if err != nil && !tooEarly(err) {
		return fmt.Errorf("%w: %w", ErrFormat, err) // of decompressing it, most likely
	}
	if len(start) == 0 {
		return fmt.Errorf("%w: its first line is torn", ErrFormat)
	}
	if !bytes.Equal(start, []byte(headerStart)) {
		return fmt.Errorf("%w: it begins with %q", ErrFormat, start)
	}
	return nil
}

// What a recording and a line of a window begin with.
const (
	headerStart = `{"type":"header",`
	windowStart = `{"type":"reading",`
)

// Next returns the next line, which is valid until the following call; lines of
// types that are not known are skipped. At the end of the recording, torn or not,
// it is io.EOF: see Torn. A line in the midst of it that is none gives an error that
// matches [ErrFormat], and reading can go on behind it.
func (r *Reader) Next() (*Line, error) {
	for {
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		r.lines++
		if len(text) == 1 {
			continue
		}
		if r.noWindows && bytes.HasPrefix(text, []byte(windowStart)) {
			r.window = append(r.window[:0], text...)
			continue
		}
		known, err := r.line.Parse(text)
		if _, ok := errors.AsType[*VersionError](err); ok {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.lines, err)
		}
		if known {
			return &r.line, nil
		}
	}
}

// text returns the next line, with its line end.
func (r *Reader) text() ([]byte, error) {
	text, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		// It is too long: only its end matters.
		for errors.Is(err, bufio.ErrBufferFull) {
			text, err = r.in.ReadSlice('\n')
		}
		if err == nil {
			r.lines++
			return nil, fmt.Errorf("line %d: %w: %w", r.lines, ErrFormat, ErrTooLong)
		}
	}
	switch {
	case err == nil:
		return text, nil
	case !tooEarly(err):
		return nil, err
	case !errors.Is(err, io.EOF):
		r.short = err
	}
	r.torn = len(text)
	return nil, io.EOF
}

// tooEarly reports whether an error is that of data which ends, be it in the midst
// of what is compressed.
func tooEarly(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// Torn reports, after the end, whether the recording ends in the midst of a line:
// it is still being written, or a crash has cut it short.
func (r *Reader) Torn() bool { return r.torn > 0 || r.short != nil }

// Close gives back what reading took. It does not close what was read from.
func (r *Reader) Close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}
