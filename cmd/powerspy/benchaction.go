package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"powerspy2/internal/baseline"
	"powerspy2/internal/bench"
	"powerspy2/internal/cli"
	"powerspy2/internal/result"
	"powerspy2/measure"
	"powerspy2/meter"
)

// interruptedStatus is the exit status of a bench that was told to end, as that of any
// program that Ctrl-C ends: its results are not all that was asked for.
const interruptedStatus = 130

// missingStatus is that of one that finished, but with runs that were not measured as a
// whole.
const missingStatus = 7

// bench runs commands, and tells which takes less energy.
func (a *app) bench(c *cli.Context) error {
	if c.IsSet(compareFlag) {
		return a.benchCompare(c)
	}
	p, err := a.parseBench(c)
	if err != nil {
		return err
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	style := newBenchStyle(a.env, p, s.progress)
	r, err := s.benchResult(c, a, p, style)
	switch {
	case r == nil && interrupted(c.Context, err):
		s.progress.Line("interrupted before the first run")
		return &jobExit{interruptedStatus, nil}
	case r == nil:
		return err
	}
	// What there is is told in any case.
	told := io.Writer(a.env.stdout)
	if style.silent {
		told = io.Discard
	}
	_, terr := io.WriteString(told, style.text(p, r))
	var eerr error
	if hasRuns(r) {
		eerr = a.export(p, r) // otherwise files of an earlier bench are worth more
	}
	if err != nil && eerr != nil {
		a.env.warn("%s", sentence(eerr))
	}
	for _, e := range []error{err, eerr, terr} {
		if e != nil {
			return e
		}
	}
	return benchStatus(r)
}

func hasRuns(r *bench.Result) bool {
	return slices.ContainsFunc(r.Series, func(s bench.Series) bool { return len(s.Runs) > 0 })
}

// benchStatus is how a bench ended that nothing failed in.
func benchStatus(r *bench.Result) error {
	runs, whole := 0, 0
	for i := range r.Series {
		for j := range r.Series[i].Runs {
			runs++
			if r.Series[i].Runs[j].Whole() {
				whole++
			}
		}
	}
	switch {
	case r.Interrupted:
		return &jobExit{interruptedStatus, nil}
	case runs > 0 && whole == 0:
		return &meter.Error{Kind: meter.ErrNoAnswer, Op: "bench", Err: errors.New("no run was measured as a whole")}
	case whole < runs:
		return &jobExit{missingStatus, fmt.Errorf("finished, but %d of %d runs were not measured as a whole", runs-whole, runs)}
	}
	return nil
}

// benchResult carries the plan out. There is a result as soon as a run may have begun,
// also with an error.
func (s *session) benchResult(c *cli.Context, a *app, p *benchPlan, style *benchStyle) (r *bench.Result, err error) {
	base, err := p.baseline.load()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	rec, err := s.recording(c)
	if err != nil {
		return nil, err
	}
	defer rec.closing(&err)
	run := &benchRunner{plan: p, base: base, null: null, tap: new(powerTap)}
	run.progress = &benchProgress{progress: s.progress, commands: p.commands}
	calm := baseline.NewCollector(p.calm)
	p.sinks = []measure.Sink{run.tap, calm, &benchEvents{s.progress, &s.gaps}}
	m, err := s.watchMeter(c.Context, &p.watchPlan, rec)
	if err != nil {
		return nil, err
	}
	run.meter = m
	defer m.stop(s)
	if p.baseline.measure > 0 {
		if run.base, err = s.idle(c.Context, m, p.baseline.measure); err != nil {
			return nil, err
		}
	}
	warnings := m.baselineWarnings(run.base, p.baseline.path != "")
	restless, err := s.watchCalm(c.Context, run, calm)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, restless...)
	for _, text := range warnings {
		s.progress.Line("warning: %s", text)
	}
	if !s.progress.quiet {
		style.told = len(warnings)
	}
	return s.carryOut(c.Context, a, run, style, warnings)
}

// unquoted tells a command whose arguments were taken for more commands, as those of
// `powerspy run` are not: it looks like several without any argument.
func (p *benchPlan) unquoted() bool {
	return len(p.commands) > 1 && !slices.ContainsFunc(p.commands, func(c benchCommand) bool { return strings.ContainsAny(c.line, " \t\n") })
}

// carryOut runs the engine.
func (s *session) carryOut(ctx context.Context, a *app, run *benchRunner, style *benchStyle, warnings []string) (*bench.Result, error) {
	p := run.plan
	bctx, signals := a.takeBenchSignals(ctx)
	run.signals = signals
	defer signals.release()
	if style.bar {
		run.progress.begin()
	}
	engine := &bench.Engine{Plan: p.plan, Executor: run, Progress: run.progress.tell}
	outcome, err := engine.Run(bctx)
	run.progress.end()
	r := &bench.Result{
		Series: outcome.Series, Reference: p.reference, Order: p.plan.Order, Seed: p.plan.Seed,
		Precision: p.plan.Precision, MinTime: p.minTime, Interrupted: outcome.Interrupted,
		Meter: *result.MeterOf(run.meter.src), Accuracy: p.accuracy, Delay: p.stream.Delay, DelayKnown: p.stream.Delay > 0,
		Tool: versionText(), Warnings: warnings,
	}
	r.Host, _ = os.Hostname() // a machine without a name has none to tell
	if run.base != nil {
		r.Baseline = &bench.Baseline{Power: run.base.Power, Uncertainty: run.base.Uncertainty}
	}
	if run.unsettled > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the power was not back within %s %% of %.2f W before %d runs, which began after %v all the same",
			percentText(p.settle), run.rest, run.unsettled, longestSettle))
	}
	for _, i := range outcome.Missed {
		if !outcome.Interrupted && err == nil {
			r.Warnings = append(r.Warnings, missedText(p, &outcome.Series[i]))
		}
	}
	if failed, ok := errors.AsType[*bench.FailedError](err); ok {
		next := "-i goes on all the same, --show-output shows what it writes"
		if failed.Code == bench.Killed {
			next = "--show-output shows what it writes"
		}
		if p.unquoted() {
			next = "each argument is a command: put a command with its arguments into quotes; " + next
		}
		err = advise(err, next)
	}
	if helper, ok := errors.AsType[*helperError](err); ok {
		err = advise(err, "add `|| true` to the --"+helper.flag+" command if that does not matter; --show-output shows what it writes")
	}
	return r, err
}
