// Package fieldtest asks a real meter how it behaves: how well it streams, for
// the doctor, and all else that only a real one knows, for the file of a field
// test (package field).
package fieldtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/internal/field"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// spare is what a stream gets beyond the time that it is to last: for its first
// frame, and for being stopped.
const spare = 20 * time.Second

// Watch streams windows of so many mains periods for some time, and returns how
// well that went. The meter has been told to stop when it returns, also when ctx
// ends, which leaves the figures of what came until then. What keeps a meter from
// streaming is in the outcome; the error is that of ctx.
func Watch(ctx context.Context, m *meter.Meter, periods int, duration time.Duration) (field.Stream, error) {
	w := &watcher{until: time.Now().Add(duration)}
	w.stream = field.Stream{Periods: periods, Outcome: w.run(ctx, m, periods, false, duration+spare)}
	if w.start.Second != (field.Counts{}) {
		w.stream.Starts = []field.Start{w.start}
	}
	w.stream.Frames, w.stream.Hertz = w.frames, w.mains()
	w.stream.Measure()
	return w.stream, ctx.Err()
}

// start streams for two frames.
func start(ctx context.Context, m *meter.Meter, periods int) (field.Start, field.Outcome) {
	w := &watcher{enough: 2}
	out := w.run(ctx, m, periods, true, spare)
	return w.start, out
}

// A watcher takes in the frames of one stream. It is told of each by the meter,
// and ends the measurement as one of its sinks.
type watcher struct {
	until  time.Time // when it is over, unless
	enough int       // so many frames have come; 0: no matter how many
	stream field.Stream

	frames []field.Frame
	start  field.Start
	hertz  []float64 // as known at each of them
}

// run streams until the watcher has had enough.
func (w *watcher) run(ctx context.Context, m *meter.Meter, periods int, live bool, limit time.Duration) field.Outcome {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stream, err := m.Stream(bounded, meter.StreamConfig{Averaging: periods, Live: live, Arrivals: w.arrival})
	if err != nil {
		return outcome(err)
	}
	_, err = measure.Run(bounded, source{stream, m}, w)
	if err == nil && bounded.Err() != nil {
		err = fmt.Errorf("%d frames came within %v: %w", len(w.frames), limit, bounded.Err())
	}
	o := outcome(err)
	if o.Status == field.NotAsked && len(w.frames) > 0 {
		return field.Outcome{Status: field.Done, Error: "interrupted"}
	}
	if len(w.frames) == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		o.Status = field.Silent
	}
	return o
}

// arrival takes in a frame.
func (w *watcher) arrival(a *meter.Arrival) {
	f := field.Frame{
		Arrival: a.Sent, Delay: max(a.Window.Delay, 0), Damaged: a.Damaged,
		Counts: field.Counts(a.Frame),
	}
	switch n := len(w.frames); n {
	case 0:
		w.start.After, w.start.First = float64(a.Sent.Microseconds())/1000, f.Counts
	default:
		if a.Window.Surplus {
			w.takeBack()
		}
		f.Window = w.frames[n-1].Window + 1 + a.Window.LeftOut
		if n == 1 {
			w.start.Second = f.Counts
		}
	}
	w.frames, w.hertz = append(w.frames, f), append(w.hertz, a.Window.Frequency)
}

// takeBack takes back the last window that was told to be left out.
func (w *watcher) takeBack() {
	for i := len(w.frames) - 1; i > 0; i-- {
		if w.frames[i].Window > w.frames[i-1].Window+1 {
			for j := range w.frames[i:] {
				w.frames[i+j].Window--
			}
			return
		}
	}
}

// mains returns the mean frequency of the mains over the second half of the
// frames: it takes the filter some time to know it.
func (w *watcher) mains() (mean float64) {
	half := w.hertz[len(w.hertz)/2:]
	for _, hertz := range half {
		mean += hertz / float64(len(half))
	}
	return mean
}

// Event ends the measurement when that is enough.
func (w *watcher) Event(*meter.Event) error {
	if w.enough > 0 && len(w.frames) >= w.enough || w.enough == 0 && !time.Now().Before(w.until) {
		return measure.Done
	}
	return nil
}

// End has nothing to finish.
func (w *watcher) End() error { return nil }

// source is a stream of a meter that stays open.
type source struct {
	*meter.Stream
	m *meter.Meter
}

func (s source) Close() error         { return nil }
func (s source) Target() meter.Target { return s.m.Target() }
func (s source) Info() meter.Info     { return s.m.Info() }

var _ measure.Source = source{}

// outcome says what became of a question that ended with an error, or with nil.
func outcome(err error) field.Outcome {
	if err == nil {
		return field.Outcome{Status: field.Done}
	}
	o := field.Outcome{Status: field.Failed, Error: err.Error()}
	switch {
	case errors.Is(err, context.Canceled):
		o.Status = field.NotAsked
	case errors.Is(err, powerspy.ErrNotSupported):
		o.Status = field.Unsupported
	case errors.Is(err, powerspy.ErrRefused):
		o.Status = field.Refused
	case errors.Is(err, powerspy.ErrNoAnswer):
		o.Status = field.Silent
	}
	return o
}
