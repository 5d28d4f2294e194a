package main

import (
	"context"
	"errors"

	"powerspy2/internal/output"
	"powerspy2/internal/stats"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// stream makes readings of what the meter yields, and hands them to the sink.
func (s *session) stream(ctx context.Context, src measure.Source, want *measurement, sink output.Sink, service *notifier, more ...measure.Sink) error {
	var run *stats.Run
	if want.summary {
		run = stats.NewRun()
		defer func() { s.progress.Tell([]byte(run.Summary())) }()
	}
	defer service.Close()
	readings := &measure.Every{
		Interval: want.interval, Count: want.count, Duration: want.duration,
		Out: func(e *measure.Event) error {
			s.tell(e)
			if err := sink.Event(e); err != nil {
				return err
			}
			service.Event(e)
			if run != nil {
				run.Event(e)
			}
			return nil
		},
	}
	// What keeps windows comes first: it has the last one, too, when all has been
	// measured that was asked for.
	outcome, err := measure.Run(ctx, src, append(more, readings)...)
	s.lastGaps(err)
	if rec, ok := src.(*record.Recording); ok {
		n, d := rec.Skipped()
		outcome.Gaps, outcome.Lost = outcome.Gaps-n, outcome.Lost-d
	}
	if share := outcome.BridgedShare(); share > 0 {
		s.progress.Line("%.2g %% of windows were left out by the meter (bridged)", 100*share)
	}
	switch {
	case err != nil:
		return err
	case outcome.Windows == 0 && !outcome.Interrupted:
		return errTooShort
	case outcome.Windows == 0:
		return errNothing
	case outcome.Gaps > 0:
		return &gapsError{count: outcome.Gaps, total: outcome.Lost, silent: s.progress.Quiet}
	}
	return nil
}

// errNothing is a measurement that ended before anything was measured.
var errNothing = &meter.Error{Kind: meter.ErrNoAnswer, Op: "measure", Err: errors.New("nothing was measured: it was stopped before the first reading")}

// errTooShort is a recording that holds nothing.
var errTooShort = &meter.Error{Kind: meter.ErrNoAnswer, Op: "measure", Err: errors.New("the recording has too few frames for a reading")}

// lastGaps tells the gaps that are still to be told after measure.Run returned err.
// One that left a sink behind may still be using them.
func (s *session) lastGaps(err error) {
	if !errors.Is(err, measure.ErrHeldUp) {
		s.gaps.Flush(true)
	}
}

// unmeasured returns the error of a measurement that did not begin: errNothing if
// ctx ended it.
func unmeasured(ctx context.Context, err error) error {
	if interrupted(ctx, err) {
		return errNothing
	}
	return err
}

// tell tells a person what goes on beside readings.
func (s *session) tell(e *measure.Event) {
	if e.Kind == measure.GapEvent {
		if e.Gap.Reason != record.NotChosen {
			s.gaps.Add(&e.Gap)
		}
		return
	}
	s.gaps.Flush(false)
	if e.Kind != measure.StatusEvent {
		return
	}
	if e.Status.Phase == meter.Recovering {
		s.progress.Report(e.Status)
		return
	}
	s.progress.End()
	s.progress.Line("%s", statusText(&e.Status))
}
