package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"powerspy2/meter"
)

// Done is what a sink returns, itself and not wrapped, when it has all it wants.
var Done = errors.New("measured all that was wanted") //nolint:revive,staticcheck // no failure, as io.EOF is none

// ErrHeldUp says that a sink took an event and did not come back, as when it writes to a
// pipe that nobody reads. The meter has been told to stop all the same.
var ErrHeldUp = errors.New("what was measured could not be handed on")

// A StopError says that a meter may go on measuring although it was told to
// stop. What was measured is complete.
type StopError struct{ Err error }

// Error returns the text of the cause.
func (e *StopError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StopError) Unwrap() error { return e.Err }

const (
	// stopTime bounds telling the meter to stop.
	stopTime = 3 * time.Second

	// patience is how long sinks get to finish after the end of the context
	// before the meter is stopped without them, and once more after that until
	// they are given up.
	patience = 500 * time.Millisecond
)

// An Outcome sums a measurement up.
type Outcome struct {
	Windows     int           // that were measured
	Bridged     int           // that the meter left out and that were bridged
	Measured    time.Duration // sum of the lengths of both
	Gaps        int           // times that were not measured
	Lost        time.Duration // their sum
	Interrupted bool          // the context ended
}

// BridgedShare returns the share of windows that the meter left out and that were
// bridged, 0 to 1.
func (o *Outcome) BridgedShare() float64 {
	return float64(o.Bridged) / float64(max(o.Windows+o.Bridged, 1))
}

// Run measures: it hands each event of src to all sinks, in their order, until
// a sink has enough, src ends, or ctx does, which is how a measurement without
// an end of its own ends. Then sinks finish, the meter is told to stop, and src
// is closed, in this order and in any case.
//
// src has to end with ctx: it was made with ctx or one derived from it. The end
// of ctx is no error, nor is that of a recording. Errors are those of sinks,
// with [ErrHeldUp] among them, of src, of closing it, and a *[StopError].
func Run(ctx context.Context, src Source, sinks ...Sink) (Outcome, error) {
	r := &run{ctx: ctx, src: src, sinks: sinks}
	ended := make(chan error, 1)
	go func() {
		whole := false
		// A sink that panics ends the process: the meter must not measure on after it.
		defer func() {
			if !whole {
				r.mu.Lock()
				defer r.mu.Unlock()
				_ = r.stop() // there is nobody to tell
			}
		}()
		err := r.measure()
		whole = true
		ended <- err
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = r.interrupted(ended)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	serr := r.stop()
	if cerr := src.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close %s: %w", src.Target(), cerr)
	}
	if err == nil && serr != nil {
		err = &StopError{serr}
	}
	r.out.Interrupted = ctx.Err() != nil
	return r.out, err
}

type run struct {
	ctx   context.Context
	src   Source
	sinks []Sink

	// mu is held by whoever uses src, and guards what follows. A sink that hangs
	// does not hold it.
	mu      sync.Mutex
	stopped bool
	stopErr error
	out     Outcome
}

// interrupted waits for the end of a measurement whose context has ended. Sinks
// that hang are left behind, with the goroutine that waits for them: nothing
// can end a write(2) to a disk that does not answer.
func (r *run) interrupted(ended <-chan error) error {
	for range 2 {
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
		}
		r.mu.Lock()
		_ = r.stop() // kept, and told by Run
		r.mu.Unlock()
	}
	return ErrHeldUp
}

// stop tells the meter to stop, once.
func (r *run) stop() error {
	if !r.stopped {
		r.stopped = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), stopTime)
		defer cancel()
		r.stopErr = r.src.Stop(ctx)
	}
	return r.stopErr
}

// measure is the event loop.
func (r *run) measure() error {
	for {
		e, err := r.next()
		// A link that was closed is an error that wraps io.EOF.
		if err == io.EOF || err != nil && r.ctx.Err() != nil && errors.Is(err, r.ctx.Err()) { //nolint:errorlint // see above
			return r.end(nil)
		}
		if err != nil {
			return errors.Join(err, r.end(nil))
		}
		for _, s := range r.sinks {
			if serr := s.Event(&e); serr == Done { //nolint:errorlint // joined with an error it is a failure
				err = Done
			} else if serr != nil {
				return errors.Join(serr, r.end(s))
			}
		}
		if err != nil {
			return r.end(nil)
		}
	}
}

// next returns the next event of the source, counted.
func (r *run) next() (meter.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return meter.Event{}, io.EOF
	}
	e, err := r.src.Next()
	if err != nil {
		return e, err
	}
	switch e.Kind {
	case meter.WindowEvent:
		r.out.Measured += e.Window.Length
		if e.Window.Bridged {
			r.out.Bridged++
		} else {
			r.out.Windows++
		}
	case meter.GapEvent:
		r.out.Gaps++
		r.out.Lost += e.Gap.To.Sub(e.Gap.From)
	}
	return e, nil
}

// end lets the sinks finish, but for one that failed.
func (r *run) end(failed Sink) error {
	var errs []error
	for _, s := range r.sinks {
		if s != failed {
			errs = append(errs, s.End())
		}
	}
	return errors.Join(errs...)
}
