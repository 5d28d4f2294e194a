package record

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"powerspy2/measure"
	"powerspy2/meter"
)

// Flush is how long a line waits before it is written, and how much time the windows
// that wait cover at most, which may come faster than they ended: a crash takes no
// more.
const Flush = time.Second

// flushSize is how much waits at most.
const flushSize = MaxLine

// A Writer writes a recording: whole lines, in one Write no later than [Flush]
// after the first of them. Compressed, each Write is a frame of Zstandard
// (RFC 8878) with a checksum, so that what is written so far can always be read.
//
// It is a [measure.Sink]; Begin comes before its first event. Its methods may be
// called concurrently. After an error of the writer underneath nothing more is
// written, and all of them return it.
type Writer struct {
	mu       sync.Mutex
	w        io.Writer
	compress *zstd.Encoder // nil: text
	header   *Header       // not written yet
	began    bool
	line     Line      // kept, so that writing one makes no garbage
	lines    []byte    // that wait
	since    time.Time // start of the first window that waits; zero: none does
	frame    []byte    // of the last Write, to be used again
	timer    *time.Timer
	err      error // final
}

var _ measure.Sink = (*Writer)(nil)

// NewWriter returns a Writer to w, which compresses or not.
func NewWriter(w io.Writer, compressed bool) *Writer {
	r := &Writer{w: w, lines: make([]byte, 0, 2*flushSize)}
	if compressed {
		r.compress = newEncoder()
	}
	return r
}

func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(2*flushSize), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // these options are right
	}
	return e
}

var errNotBegun = errors.New("a recording begins with its header")

// Begin begins the recording. The header is written with the first line after it,
// which, when it is a window, tells its Averaging.
func (r *Writer) Begin(h Header) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.header = true, &h
	return r.err
}

// Event implements [measure.Sink]. Errors are those of [Line.Append], for which
// the event is left out, and those of writing.
func (r *Writer) Event(e *meter.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.header != nil && r.header.Averaging == 0 && e.Kind == meter.WindowEvent {
		r.header.Averaging = int(math.Round(e.Window.Length.Seconds() * e.Window.Frequency))
	}
	r.line.Kind, r.line.Event = EventLine, *e
	if err := r.add(&r.line); err != nil {
		return err
	}
	if e.Kind != meter.WindowEvent {
		return r.flush() // what follows may be long in coming
	}
	if r.since.IsZero() {
		r.since = e.Window.Start
	}
	if e.Window.End.Sub(r.since) >= Flush {
		return r.flush()
	}
	return nil
}

// Mark writes a mark. Errors are those of Event.
func (r *Writer) Mark(m measure.Mark) error { return r.write(&Line{Kind: MarkLine, Mark: m}) }

// Job writes the start of a job, or its end. Errors are those of Event.
func (r *Writer) Job(j Job) error { return r.write(&Line{Kind: JobLine, Job: j}) }

func (r *Writer) write(l *Line) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add(l)
}

// add puts a line to those that wait.
func (r *Writer) add(l *Line) (err error) {
	switch {
	case r.err != nil:
		return r.err
	case !r.began:
		return errNotBegun
	}
	waiting := len(r.lines)
	if r.header != nil {
		header := Line{Kind: HeaderLine, Header: *r.header}
		if r.lines, err = header.Append(r.lines); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		r.header = nil
	}
	if r.lines, err = l.Append(r.lines); err != nil {
		return err
	}
	switch {
	case len(r.lines) >= flushSize:
		return r.flush()
	case waiting > 0:
	case r.timer == nil:
		r.timer = time.AfterFunc(Flush, r.due)
	default:
		r.timer.Reset(Flush)
	}
	return nil
}

// due writes what has waited long enough. The error comes with the next line.
func (r *Writer) due() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.flush()
}

// Flush writes the lines that wait.
func (r *Writer) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flush()
}

func (r *Writer) flush() error {
	if r.err != nil || len(r.lines) == 0 {
		return r.err
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	out := r.lines
	if r.compress != nil {
		r.frame = r.compress.EncodeAll(r.lines, r.frame[:0])
		out = r.frame
	}
	_, r.err = r.w.Write(out)
	r.lines, r.since = r.lines[:0], time.Time{}
	return r.err
}

// End implements [measure.Sink]: the lines that wait are written. More may follow.
func (r *Writer) End() error { return r.Flush() }
