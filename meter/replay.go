package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"powerspy2/internal/oldlog"
	"powerspy2/internal/patherr"
	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// A Replay yields what a log of an older tool recorded, as a [Stream] would have
// done had it been there: frames are placed by their times of arrival, what the
// meter left out is bridged, and the first frame is no measurement. It does not
// wait. Its methods must not be called concurrently.
type Replay struct {
	*placer
	ctx  context.Context
	cfg  StreamConfig
	info Info
	tc   timebase.Config

	file *os.File
	log  *oldlog.Reader
	rows queue[oldlog.Row] // read ahead

	frames   int
	damaged  int // since the last frame that was taken
	spoilt   int // in all
	arrived  time.Time
	pausedAt time.Time // end of the last window before a pause; zero: there is none
	failed   error     // final
}

const (
	// studied is how many rows tell how long windows are.
	studied = 3000

	// longestPause is the longest time without frames after which they still
	// follow on the ones before. After a longer one the stream may be another.
	longestPause = 10 * time.Second
)

// IsLog reports whether head is the beginning of a log that OpenReplay reads, as
// it is in the file: of powerspy.py or powerspycli, perhaps compressed. Some
// kilobytes are enough.
func IsLog(head []byte) bool { return oldlog.Is(head) }

// OpenReplay opens a log of powerspy.py or powerspycli, known by its content and
// perhaps compressed. How many mains periods a window has, and the nominal
// frequency, are found from the times of arrival: another cfg.Averaging is an
// error that matches ErrUsage. ctx governs all of it: when it ends, Next returns
// its error. The errors are those of reading the file, and match ErrUsage for
// one that is no such log.
func OpenReplay(ctx context.Context, path string, cfg StreamConfig) (*Replay, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Replay{ctx: ctx, cfg: cfg, info: Info{Target: Target{Kind: File, Path: path}}}
	if err := r.open(path); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Replay) open(path string) (err error) {
	op := "open " + path
	if r.file, err = os.Open(path); err != nil {
		return &Error{Kind: ErrNotFound, Op: op, Err: patherr.Bare(err)}
	}
	if r.log, err = oldlog.NewReader(r.file); err != nil {
		return r.unreadable(op, err)
	}
	for range studied {
		row, err := r.log.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r.unreadable(op, err)
		}
		r.rows.push(row)
	}
	periods, frequency := study(r.rows.items)
	if a := r.cfg.Averaging; a != 0 && a != periods {
		return &Error{Kind: ErrUsage, Op: op, Err: fmt.Errorf("its windows have %s, not %d", mainsPeriods(periods), a)}
	}
	length := time.Duration(float64(periods) / frequency * float64(time.Second))
	if r.cfg.Interval != 0 && r.cfg.Interval < length*99/100 {
		return &Error{Kind: ErrInterval, Op: op, Err: fmt.Errorf("the interval of %v is shorter than its windows of %v",
			r.cfg.Interval, length.Round(time.Millisecond/10))}
	}
	r.info.Frequency = frequency
	r.tc = timebase.Config{Periods: periods, Frequency: frequency}
	return r.begin()
}

// unreadable explains what OpenReplay failed with.
func (r *Replay) unreadable(op string, err error) error {
	e := &Error{Op: op, Err: err}
	if errors.Is(err, oldlog.ErrFormat) || errors.Is(err, oldlog.ErrEmpty) {
		e.Kind = ErrUsage
	}
	return e
}

// begin begins a stream.
func (r *Replay) begin() (err error) {
	t := &timeline{}
	if r.placer != nil {
		t = r.timeline
	}
	r.placer, err = newPlacer(&r.cfg, r.tc, t)
	return err
}

// Next returns the next event. An error is final: io.EOF at the end of the log,
// that of the context, or of reading the file.
func (r *Replay) Next() (Event, error) {
	for {
		if err := r.ctx.Err(); err != nil && r.failed == nil {
			r.failed = err // what is held comes first
			r.flush()
		}
		e, ok := r.events.pop()
		switch {
		case ok && e.Kind == GapEvent && e.Gap.To.IsZero():
			r.pausedAt = e.Gap.From
			continue
		case ok && e.Kind == WindowEvent && !r.pausedAt.IsZero():
			gap := Gap{From: r.pausedAt, To: e.Window.Start, Reason: "nothing was recorded"}
			r.pausedAt = time.Time{}
			r.events.unpop(e)
			return Event{Kind: GapEvent, Gap: gap}, nil
		case ok:
			return e, nil
		case r.failed != nil:
			return Event{}, r.failed
		}
		r.step()
	}
}

// step takes a frame, or ends.
func (r *Replay) step() {
	row, err := r.row()
	if err != nil {
		r.flush()
		r.failed = err
		if errors.Is(err, io.EOF) {
			r.sumUp()
		}
		return
	}
	at := time.Unix(0, 0).Add(row.Arrival)
	if r.frames > 0 && at.Sub(r.arrived) > longestPause {
		r.pause()
	}
	r.arrived = at
	r.frames++
	first := r.frames == 1
	if !first && row.VoltagePeak > 0 && (row.Voltage > row.VoltagePeak || row.Current > row.CurrentPeak && row.Current > 0.01) {
		r.damaged++
		r.spoilt++
		return
	}
	f := frame{Measurement: powerspy.Measurement{
		Voltage: row.Voltage, Current: row.Current, Power: row.Power,
		VoltagePeak: row.VoltagePeak, CurrentPeak: row.CurrentPeak,
	}, first: first, damaged: r.damaged}
	r.damaged = 0
	if _, err := r.place(at, f); err != nil {
		r.flush()
		r.failed = &Error{Kind: ErrNoAnswer, Op: "replay " + r.info.Target.String(), Err: err}
	}
}

// row returns the next row.
func (r *Replay) row() (oldlog.Row, error) {
	if row, ok := r.rows.pop(); ok {
		return row, nil
	}
	return r.log.Next()
}

// pause ends a stream and begins another, with a gap between them whose end is not
// known yet.
func (r *Replay) pause() {
	r.flush()
	if !r.lastEnd.IsZero() {
		r.events.push(Event{Kind: GapEvent, Gap: Gap{From: r.lastEnd}})
	}
	held := r.events
	r.frames = 0
	_ = r.begin() // with what it was begun with before
	r.events = held
}

// sumUp says what was skipped.
func (r *Replay) sumUp() {
	sum := r.log.Summary()
	text := ""
	if sum.Skipped() > 0 || sum.Unwrapped > 0 || sum.Short {
		text = sum.String()
	}
	if r.spoilt > 0 {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%d with an rms above its peak", r.spoilt)
	}
	if text != "" {
		r.say(Status{Time: r.arrived, Phase: Noticed, Text: r.info.Target.String() + ": " + text})
	}
}

// Stop does nothing: there is no meter.
func (r *Replay) Stop(context.Context) error { return nil }

// Close closes the file.
func (r *Replay) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Target returns the file.
func (r *Replay) Target() Target { return r.info.Target }

// Info returns what is known of the meter: where it is recorded, and the nominal
// mains frequency.
func (r *Replay) Info() Info { return r.info }

// Averaging returns how many mains periods a window has.
func (r *Replay) Averaging() int { return r.tc.Periods }
