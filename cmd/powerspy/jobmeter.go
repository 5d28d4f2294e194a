package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/cli"
	"powerspy2/internal/shell"
	"powerspy2/measure"
	"powerspy2/meter"
)

// What run, bench and baseline share: a meter that is watched while commands run.

// A watchPlan says how a meter is watched.
type watchPlan struct {
	stream   meter.StreamConfig
	recovery meter.Recovery
	accuracy float64 // 0: not counted
	baseline baselineSource
	keep     time.Duration  // as of a History
	sinks    []measure.Sink // that get the windows, too
}

const (
	baselineFlag = "baseline"
	accuracyFlag = "accuracy"
	delayFlag    = "delay"
)

func aboveIdle() *cli.Flag {
	return &cli.Flag{Name: baselineFlag, Category: answersCategory, Takes: baselineValue{}, Default: "none", Usage: "tell what is above `POWER`: 12.3W, FILE, measure[:30s] or none"}
}

func accuracyClass() *cli.Flag {
	return &cli.Flag{Name: accuracyFlag, Category: answersCategory, Takes: percentage{}, Default: "not counted", Usage: "count the meter's accuracy class in, `PERCENT` of the reading: 1%"}
}

func linkDelay() *cli.Flag {
	// No link is as late as that all the time, and the windows of a run come later by it.
	const most = time.Second
	return &cli.Flag{Name: delayFlag, Category: answersCategory, Takes: cli.Duration{Examples: "8ms, 12ms", Most: most}, Default: "unknown, 20ms at most", Usage: "the constant delay of the link, `TIME`, where it was measured"}
}

// jobStreamFlags are those of a stream that a job can use.
func jobStreamFlags() []*cli.Flag {
	var list []*cli.Flag
	for _, f := range streamFlags() {
		if f.Name != liveFlag {
			list = append(list, f)
		}
	}
	return append(list, serverFlags()...)
}

// parseWatch reads the flags, of which a command need not have all.
func parseWatch(c *cli.Context) (watchPlan, error) {
	p := watchPlan{
		stream: parseStream(c, 0), accuracy: c.Float64(accuracyFlag),
		baseline: cli.Value[baselineSource](c, baselineFlag),
	}
	p.stream.Delay = c.Duration(delayFlag)
	var err error
	p.recovery, err = parseRecovery(c)
	return p, err
}

// load returns the baseline that a file or a number says; nil: there is none, or it
// has to be measured.
func (b *baselineSource) load() (*baseline.Baseline, error) {
	if b.given {
		return new(baseline.Fixed(b.power)), nil
	}
	if b.path == "" {
		return nil, nil
	}
	f, err := os.Open(b.path)
	if err != nil {
		return nil, advise(fmt.Errorf("baseline: %w", err), "`powerspy baseline --output "+shell.Quote(b.path)+"` makes one; a power is given as 12.3W")
	}
	defer f.Close()
	base, err := baseline.Read(f)
	if err != nil {
		return nil, advise(fmt.Errorf("baseline %s: %w", b.path, err), "give the file of `powerspy baseline`, or a power such as 12.3W")
	}
	return &base, nil
}

// A jobMeter is the meter that commands are measured with.
type jobMeter struct {
	src   measure.Source // nil: there is none
	watch *measure.Watch
	idle  *baseline.Collector // nil: no baseline is measured
	lost  error               // why there is none
	rec   *recorder           // nil: none
}

// watchMeter connects to the meter, and returns when windows flow.
func (s *session) watchMeter(ctx context.Context, p *watchPlan, rec *recorder) (*jobMeter, error) {
	src, err := s.liveSource(ctx, p.stream, p.recovery)
	if err != nil {
		return nil, err
	}
	s.progress.End()
	s.rememberFirst(src.Target())
	if err := rec.Begin(src); err != nil {
		return nil, errors.Join(err, stopAndClose(ctx, src))
	}
	m := &jobMeter{src: src, rec: rec}
	sinks := append(rec.Sinks(), p.sinks...)
	if p.baseline.measure > 0 {
		m.idle = baseline.NewCollector(p.baseline.measure)
		sinks = append(sinks, m.idle)
	}
	m.watch = measure.StartWatch(ctx, src, &measure.History{Keep: p.keep, Accuracy: p.accuracy, DelayKnown: p.stream.Delay > 0}, sinks...)
	if err := m.watch.Flows(ctx); err != nil {
		m.stop(s)
		return nil, err
	}
	return m, nil
}

// stopAndClose ends a measurement that nobody wants.
func stopAndClose(ctx context.Context, src measure.Source) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err := measure.Run(ctx, src)
	return err
}

// baselineWarnings says what is odd about a baseline, which may be of another day.
func (m *jobMeter) baselineWarnings(b *baseline.Baseline, ofFile bool) (list []string) {
	if b == nil {
		return nil
	}
	if m.src != nil && ofFile {
		if now := baseline.MeterOf(m.src); b.Meter.Serial != now.Serial {
			list = append(list, fmt.Sprintf("the baseline is of another meter: %s, serial number %d; this is %s, %d", b.Meter.Name, b.Meter.Serial, now.Name, now.Serial))
		}
	}
	for _, text := range b.Warnings() {
		list = append(list, "baseline: "+text)
	}
	return list
}

// stop ends the measurement.
func (m *jobMeter) stop(s *session) {
	if m.watch == nil {
		return
	}
	_, err := m.watch.Stop()
	if stop, ok := errors.AsType[*measure.StopError](err); ok {
		s.progress.Line("%s", sentence(stop))
	}
}

// idle waits until the baseline before a command was measured.
func (s *session) idle(ctx context.Context, m *jobMeter, d time.Duration) (*baseline.Baseline, error) {
	s.progress.Report(meter.Status{Time: time.Now(), Text: fmt.Sprintf("measuring the idle machine for %v", d)})
	defer s.progress.End()
	select {
	case <-m.idle.Enough():
	case <-m.watch.Context().Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		_, err := m.watch.Stop()
		return nil, fmt.Errorf("measure the baseline: %w", err)
	}
	b, err := m.idle.Baseline()
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return &b, nil
}
