package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/bench/commands"
	"powerspy2/internal/cli"
	"powerspy2/internal/figures"
	"powerspy2/internal/result"
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
	_, terr := io.WriteString(told, p.report(r, style))
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

// report returns what is told of a result.
func (p *benchPlan) report(r *bench.Result, style *benchStyle) string {
	t := bench.Text{
		Table: p.table(r), Color: style.color, Shell: p.Shell != nil, Exported: len(p.exports) > 0, Told: style.told,
	}
	return t.String()
}

// table returns the tables that a result is exported as.
func (p *benchPlan) table(r *bench.Result) bench.Table {
	return bench.Table{Result: r, Sort: p.sort, Unit: p.unit}
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
	calm := p.calm
	if p.baseline.measure > 0 {
		calm = 0 // the machine is watched while the baseline is measured
	}
	run, err := commands.NewRunner(&p.Plan, calm)
	if err != nil {
		return nil, err
	}
	defer run.Close() // nothing is written to what it holds
	rec, err := s.recording(c)
	if err != nil {
		return nil, err
	}
	defer rec.closing(&err)
	p.sinks = append(run.Sinks(), &benchEvents{s.progress, &s.gaps})
	m, err := s.watchMeter(c.Context, &p.watchPlan, rec)
	if err != nil {
		return nil, err
	}
	defer m.stop(s)
	if p.baseline.measure > 0 {
		if base, err = s.idle(c.Context, m, p.baseline.measure); err != nil {
			return nil, err
		}
		run.Rest = base.Power
	}
	run.Watch, run.Baseline, run.Recorder = m.watch, base, m.rec
	warnings := m.baselineWarnings(base, p.baseline.path != "")
	restless, err := run.Calm(c.Context, func(d time.Duration) { s.progress.Working(fmt.Sprintf("watching the machine for %v", d)) })
	s.progress.End()
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, restless...)
	for _, text := range warnings {
		s.progress.Line("warning: %s", text)
	}
	if !s.progress.Quiet {
		style.told = len(warnings)
	}
	return s.carryOut(c.Context, a, p, run, m, style, warnings)
}

// unquoted tells a command whose arguments were taken for more commands, as those of
// `powerspy run` are not: it looks like several without any argument.
func (p *benchPlan) unquoted() bool {
	return len(p.Commands) > 1 && !slices.ContainsFunc(p.Commands, func(c commands.Command) bool { return strings.ContainsAny(c.Line, " \t\n") })
}

// carryOut runs the engine.
func (s *session) carryOut(ctx context.Context, a *app, p *benchPlan, run *commands.Runner, m *jobMeter, style *benchStyle, warnings []string) (*bench.Result, error) {
	bctx, signals := a.env.signals.ForBench(ctx, a.env.interrupt)
	defer signals.Release()
	shown := &benchProgress{progress: s.progress, commands: p.Commands}
	run.Signals, run.Waiting = signals, shown.say
	if style.bar {
		shown.begin()
	}
	resultOf := func(o *bench.Outcome) *bench.Result {
		r := &bench.Result{
			Series: o.Series, Reference: p.reference, Order: p.runs.Order, Seed: p.runs.Seed,
			Precision: p.runs.Precision, MinTime: p.MinTime, Interrupted: o.Interrupted,
			Meter: *result.MeterOf(m.src), Accuracy: p.accuracy, Delay: p.stream.Delay, DelayKnown: p.stream.Delay > 0,
			Tool: versionText(), Warnings: slices.Clone(warnings),
		}
		r.Host, _ = os.Hostname() // a machine without a name has none to tell
		if base := run.Baseline; base != nil {
			r.Baseline = &bench.Baseline{Power: base.Power, Uncertainty: base.Uncertainty}
		}
		if n := run.Unsettled(); n > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the power was not back within %s %% of %.2f W before %d runs, which began after %v all the same",
				figures.Significant(100*p.Settle), run.Rest, n, commands.LongestSettle))
		}
		return r
	}
	keeper := newBenchKeeper(a, p, func(err error) { s.progress.Line("warning: %s; it is tried again", sentence(err)) })
	engine := &bench.Engine{Plan: p.runs, Executor: run, Progress: shown.tell}
	if keeper != nil {
		engine.Keep = func(o *bench.Outcome) { keeper.keep(resultOf(o)) }
	}
	outcome, err := engine.Run(bctx)
	keeper.end()
	shown.end()
	r := resultOf(&outcome)
	for _, i := range outcome.Missed {
		if !outcome.Interrupted && err == nil {
			r.Warnings = append(r.Warnings, outcome.Series[i].Missed(p.runs.Precision))
		}
	}
	if _, ok := errors.AsType[*bench.FailedError](err); ok {
		next := "-i goes on all the same, --show-output shows what it writes"
		if p.unquoted() {
			next = "each argument is a command: put a command with its arguments into quotes; " + next
		}
		err = advise(err, next)
	}
	if helper, ok := errors.AsType[*commands.HelperError](err); ok {
		err = advise(err, "add `|| true` to the --"+helper.Kind+" command if that does not matter; --show-output shows what it writes")
	}
	return r, err
}
