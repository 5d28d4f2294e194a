package main

import (
	"context"
	"time"

	"powerspy2/internal/output"
	"powerspy2/internal/stats"
	"powerspy2/meter"
)

// stream copies events from the meter to the sink. All of it happens in this
// goroutine: a reading is written as soon as its last frame has been read.
func (s *session) stream(ctx context.Context, stream *meter.Supervised, want *measurement, sink output.Sink, service *notifier) (err error) {
	defer func() {
		service.Close()
		if serr := stopMeter(ctx, stream); serr != nil && (err == nil || interrupted(ctx, err)) {
			err = serr
		}
	}()

	var run *stats.Run
	if want.summary {
		run = stats.NewRun()
		defer func() { s.progress.write([]byte(run.Summary())) }()
	}
	var gaps gapsError
	gaps.silent = s.progress.quiet
	var measured time.Duration
	for n := uint64(0); want.more(n, measured); {
		e, err := stream.Next()
		if err != nil {
			if interrupted(ctx, err) && gaps.count > 0 {
				return &gaps
			}
			return err
		}
		switch e.Kind {
		case meter.ReadingEvent:
			n++
			measured += e.Reading.Length
		case meter.GapEvent:
			gaps.count++
			gaps.total += e.Gap.To.Sub(e.Gap.From)
			s.tellGap(e.Gap)
		case meter.StatusEvent:
			s.tell(e.Status)
		}
		if err := sink.Event(e); err != nil {
			return err
		}
		service.Event(&e)
		if run != nil {
			run.Event(e)
		}
	}
	if gaps.count > 0 {
		return &gaps
	}
	return nil
}

// stopMeter tells the meter to stop also, and above all, when ctx has ended.
func stopMeter(ctx context.Context, stream *meter.Supervised) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return stream.Stop(ctx)
}

// tellGap tells what is missing.
func (s *session) tellGap(g meter.Gap) {
	s.progress.Line("nothing was measured from %s to %s: %s", g.From.Format(gapTime), g.To.Format(gapTime), g.Reason)
}

// tell tells a status of the stream.
func (s *session) tell(st meter.Status) {
	if st.Phase == meter.Recovering {
		s.progress.Report(st)
		return
	}
	s.progress.End()
	s.progress.Line("%s", st.Text)
}

const gapTime = "15:04:05.000"

// more tells whether there is more to measure after n readings that cover so
// much time. A last reading that would overshoot by more than it fills is left.
func (want *measurement) more(n uint64, measured time.Duration) bool {
	if want.count > 0 && n >= want.count {
		return false
	}
	return want.duration == 0 || want.duration-measured > want.interval/2
}
