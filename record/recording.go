package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// A Recording is a recording that is being replayed, at once, not in real time. It
// is a [measure.Source], whose methods but Offset are not called concurrently.
//
// Where a file was appended to the time between is a gap, and so is what can't be
// read: the reason says so. Where the clock was set back between, times go on from
// those before, as they do for a meter.
type Recording struct {
	ctx    context.Context
	file   *os.File
	size   int64
	offset atomic.Int64
	reader *Reader
	header Header
	target meter.Target
	ranges []Range // that are left; nil: all
	some   bool    // ranges were chosen

	pending []meter.Event // read ahead, oldest first
	last    time.Time     // end of the last window, chosen or not
	reached time.Time     // the same, or the end of a gap after it
	shift   time.Duration // added to times since the clock was set back
	broken  string        // why the next window does not follow on the last; empty: it does
	yielded time.Time     // end of the last window that was chosen; zero: there was none
	apart   bool          // windows were left out since
	err     error         // final

	skipped     int
	skippedTime time.Duration
	unread      int   // lines
	unreadWhy   error // why the first one
}

var _ measure.Source = (*Recording)(nil)

// A Range is the time from From, inclusive, to To, exclusive. Zero is without
// bound. A window is in it if its middle is.
type Range struct{ From, To time.Time }

// NotChosen is the reason of a gap between two ranges of [Recording.Choose].
const NotChosen = "not chosen"

// Reasons of gaps that the recording itself has.
const (
	notRecorded = "nothing was recorded"
	setBack     = "the clock was set back before recording went on"
)

// readAhead bounds what is read to find the first window.
const readAhead = 1000

// Open opens a recording, compressed by Zstandard or gzip or not, which is known
// by the content. It ends with ctx. Errors are those of [NewReader] and of the
// file system.
func Open(ctx context.Context, path string) (*Recording, error) {
	r, err := openBare(ctx, path)
	if err != nil {
		return nil, err
	}
	// What comes before the first window, and that.
	for r.err == nil && len(r.pending) < readAhead && r.last.IsZero() {
		r.read()
	}
	return r, nil
}

// openBare reads nothing but the first header.
func openBare(ctx context.Context, path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Recording{ctx: ctx, file: f}
	if err := r.start(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *Recording) start() (err error) {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		r.size = info.Size()
	}
	if r.reader, err = NewReader(&counted{r.file, &r.offset}); err != nil {
		return err
	}
	l, err := r.reader.Next()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: its first line is torn", ErrFormat)
	case err != nil:
		return err
	}
	r.begin(&l.Header)
	return nil
}

// counted counts what is read.
type counted struct {
	r      io.Reader
	offset *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.offset.Add(int64(n))
	return n, err
}

// begin takes in a header.
func (r *Recording) begin(h *Header) {
	r.header = *h
	r.target = h.Meter.Target()
}

// Header returns what the recording says of itself; where it was appended to, of
// the part that is being read.
func (r *Recording) Header() Header { return r.header }

// First returns the first window of the recording; ok is false where there is
// none. It is called before the first Next.
func (r *Recording) First() (w meter.Window, ok bool) {
	for i := range r.pending {
		if e := &r.pending[i]; e.Kind == meter.WindowEvent {
			return e.Window, true
		}
	}
	return meter.Window{}, false
}

// Choose limits what is replayed to ranges, which follow each other and do not
// overlap. What lies between two of them is a gap whose reason is [NotChosen]. It
// is called before the first Next.
func (r *Recording) Choose(ranges ...Range) { r.ranges, r.some = ranges, true }

// Size returns the size of the file in bytes; 0: it is none.
func (r *Recording) Size() int64 { return r.size }

// Offset returns how many of them have been read.
func (r *Recording) Offset() int64 { return r.offset.Load() }

// Torn reports, after io.EOF, whether the recording ends in the midst of a line: it
// is still being written, or a crash has cut it short.
func (r *Recording) Torn() bool { return r.reader.Torn() }

// Unread returns how many lines so far can't be read, and why the first one can't. They
// are part of gaps.
func (r *Recording) Unread() (lines int, why error) { return r.unread, r.unreadWhy }

// Skipped returns how many gaps between ranges there were, and their sum.
func (r *Recording) Skipped() (int, time.Duration) { return r.skipped, r.skippedTime }

// Target implements [measure.Source]: the meter that was recorded.
func (r *Recording) Target() meter.Target { return r.target }

// Info implements [measure.Source].
func (r *Recording) Info() meter.Info {
	i := r.header.Info()
	i.Target = r.target
	return i
}

// Stop implements [measure.Source]. There is nothing to stop.
func (r *Recording) Stop(context.Context) error { return nil }

// Close implements [measure.Source].
func (r *Recording) Close() error {
	r.reader.Close()
	return r.file.Close()
}

// Next implements [measure.Source]. At the end the error is io.EOF, also where the
// end is torn; others are the context's and the file's, and those that match
// [ErrFormat] or [ErrDamaged].
func (r *Recording) Next() (meter.Event, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return meter.Event{}, err
		}
		if len(r.pending) == 0 {
			if r.err != nil {
				return meter.Event{}, r.err
			}
			r.read()
			continue
		}
		e := r.pending[0]
		r.pending = r.pending[:copy(r.pending, r.pending[1:])]
		if !r.some {
			return e, nil
		}
		if chosen, err := r.choose(&e); err != nil {
			return meter.Event{}, err
		} else if chosen {
			return e, nil
		}
	}
}

// read reads a line, and puts the events that come of it to those that wait.
func (r *Recording) read() {
	l, err := r.reader.Next()
	var version *VersionError
	switch {
	case err == nil:
	case errors.Is(err, ErrFormat) && !errors.As(err, &version):
		r.broken = "the recording can't be read there: " + err.Error()
		if r.unread++; r.unread == 1 {
			r.unreadWhy = err
		}
		return
	default:
		r.err = r.ending(err)
		return
	}
	switch l.Kind {
	case HeaderLine:
		r.begin(&l.Header)
		r.broken, r.shift = notRecorded, 0
	case EventLine:
		r.event(&l.Event)
	}
}

// event puts an event to those that wait, and before a window the gap that there
// is between it and the last one.
func (r *Recording) event(e *meter.Event) {
	switch e.Kind {
	case meter.GapEvent:
		e.Gap.From, e.Gap.To = e.Gap.From.Add(r.shift), e.Gap.To.Add(r.shift)
		if e.Gap.To.After(r.reached) {
			r.reached = e.Gap.To
		}
	case meter.StatusEvent:
		e.Status.Time = e.Status.Time.Add(r.shift)
	case meter.WindowEvent:
		w := &e.Window
		w.Start, w.End = w.Start.Add(r.shift), w.End.Add(r.shift)
		if back := r.reached.Sub(w.Start); !r.last.IsZero() && (w.End.Before(r.last) || r.broken != "" && back > 0) {
			r.shift += back
			w.Start, w.End = w.Start.Add(back), w.End.Add(back)
			r.broken = setBack
		}
		if r.broken != "" && !r.last.IsZero() {
			r.pending = append(r.pending, meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: r.reached, To: w.Start, Reason: r.broken}})
		}
		r.broken, r.last, r.reached = "", w.End, w.End
	}
	r.pending = append(r.pending, *e)
}

// ending returns the error that the recording ends with.
func (r *Recording) ending(err error) error {
	if errors.Is(err, io.EOF) || r.size == 0 || r.reader.zstd == nil {
		return err
	}
	// A crash may have left something else in the place of the last frames.
	whole, werr := wholeFrames(r.file, r.size)
	if werr == nil && whole < r.size && r.Offset() > whole {
		r.reader.short = err
		return io.EOF
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// choose reports whether an event is in the ranges, of which it takes the part
// that is. The error is io.EOF behind the last.
func (r *Recording) choose(e *meter.Event) (bool, error) {
	from, to := e.Status.Time, e.Status.Time
	switch e.Kind {
	case meter.WindowEvent:
		from = e.Window.Start.Add(e.Window.Length / 2)
		to = from
	case meter.GapEvent:
		from, to = e.Gap.From, e.Gap.To
	}
	for len(r.ranges) > 0 && !r.ranges[0].To.IsZero() && !from.Before(r.ranges[0].To) {
		r.ranges = r.ranges[1:]
		r.apart = true
	}
	if len(r.ranges) == 0 {
		r.pending = nil
		r.err = io.EOF
		return false, r.err
	}
	in := r.ranges[0]
	if to.Before(in.From) {
		r.apart = true
		return false, nil
	}
	switch e.Kind {
	case meter.GapEvent:
		if from.Before(in.From) {
			e.Gap.From, e.Gap.Windows = in.From, 0
		}
		if !in.To.IsZero() && to.After(in.To) {
			e.Gap.To, e.Gap.Windows = in.To, 0
		}
	case meter.WindowEvent:
		if r.apart && !r.yielded.IsZero() {
			g := meter.Gap{From: r.yielded, To: e.Window.Start, Reason: NotChosen}
			r.skipped++
			r.skippedTime += g.To.Sub(g.From)
			r.pending = append([]meter.Event{*e}, r.pending...)
			*e = meter.Event{Kind: meter.GapEvent, Gap: g}
		} else {
			r.yielded = e.Window.End
		}
		r.apart = false
	}
	return true, nil
}
