package measure

import (
	"context"
	"errors"
	"time"

	"powerspy2/meter"
)

// A Watch is a measurement that goes on beside something else: a goroutine runs
// it, and its History tells the energy between any two moments.
type Watch struct {
	History *History

	ctx    context.Context // of the measurement
	cancel context.CancelFunc
	enough chan struct{}
	done   chan struct{} // closed when the next two are set
	out    Outcome
	err    error
}

// StartWatch begins to measure. src has to end with ctx, or a context that ctx was
// derived from. Its windows go to h, whose Resolution and ClockError are set unless
// they are known, and to the other sinks. Stop has to be called, which also closes src.
func StartWatch(ctx context.Context, src Source, h *History, sinks ...Sink) *Watch {
	if h.Resolution == 0 {
		h.Resolution = src.Info().Resolution()
	}
	w := &Watch{History: h, enough: make(chan struct{}), done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(ctx)
	all := append([]Sink{h, until{w.enough}}, sinks...)
	if r, ok := src.(Remote); ok && h.ClockError == 0 {
		c := clockWatch{h, r}
		_ = c.Event(nil) // it never fails
		all = append([]Sink{c}, all...)
	}
	go func() {
		defer close(w.done)
		defer w.cancel()
		w.out, w.err = Run(ctx, src, all...)
		if w.err == nil && w.out.Windows == 0 && ctx.Err() != nil {
			w.err = ctx.Err()
		}
	}()
	return w
}

// A wait that ended later than it had to by heldUp was that of a process that was held
// up, and is made again up to mostHeldUp times.
const (
	heldUp     = 10 * time.Millisecond
	mostHeldUp = 3
)

// Context returns a context that ends when the measurement does.
func (w *Watch) Context() context.Context { return w.ctx }

// Flows waits until windows flow: what begins then is measured from its
// beginning. The error is that of ctx, or why the measurement ended.
func (w *Watch) Flows(ctx context.Context) error {
	if err := w.History.Wait(ctx, time.Time{}.Add(1)); err != nil {
		return err
	}
	if w.History.Reached().IsZero() {
		<-w.done
		if w.err == nil {
			return errors.New("nothing was measured")
		}
		return w.err
	}
	return nil
}

// Settle waits until what happened by a moment was measured, and returns whether it
// was. It gives up when nothing came for patience, which it looks at once in that time:
// a server that was away tells late what it has measured. A time in which this process
// was held up does not count.
func (w *Watch) Settle(ctx context.Context, moment time.Time, patience time.Duration) bool {
	for held := 0; ; {
		before, begun := w.History.Reached(), time.Now()
		limited, cancel := context.WithTimeout(ctx, patience)
		_ = w.History.Wait(limited, moment)
		cancel()
		reached := w.History.Reached()
		if !reached.Before(moment) {
			return true
		}
		switch {
		case ctx.Err() != nil:
			return false
		case reached.After(before):
		case time.Since(begun) > patience+heldUp && held < mostHeldUp:
			held++
		default:
			return false
		}
	}
}

// Stop ends the measurement, and returns what [Run] returned.
func (w *Watch) Stop() (Outcome, error) {
	select {
	case <-w.enough:
	default:
		close(w.enough)
	}
	<-w.done
	return w.out, w.err
}

// clockWatch is a sink that keeps up with how uncertain the clock of a source is. The
// worst counts: it is not remembered for which windows.
type clockWatch struct {
	history *History
	source  Remote
}

func (c clockWatch) Event(*meter.Event) error {
	e := c.source.ClockError()
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	c.history.ClockError = max(c.history.ClockError, e)
	return nil
}

func (clockWatch) End() error { return nil }

// until is a sink that has enough when a channel is closed.
type until struct{ enough <-chan struct{} }

func (u until) Event(*meter.Event) error {
	select {
	case <-u.enough:
		return Done
	default:
		return nil
	}
}

func (until) End() error { return nil }
