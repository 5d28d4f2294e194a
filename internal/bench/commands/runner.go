package commands

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/bench"
	"powerspy2/internal/harmless"
	"powerspy2/internal/job"
	"powerspy2/measure"
	"powerspy2/record"
)

// A Runner carries out a plan with a meter. Its exported fields are set before the
// first run.
type Runner struct {
	Watch    *measure.Watch     // with the sinks of Sinks
	Baseline *baseline.Baseline // nil: nothing is subtracted
	Rest     float64            // power of the machine before the first run, W; [Runner.Calm] sets it
	Recorder Recorder           // not nil
	Signals  Signals
	Waiting  func(what string) // is told what the next run waits for

	plan *Plan
	null *os.File // /dev/null, for reading and writing
	tap  tap
	calm time.Duration
	idle *baseline.Collector

	unsettled int
}

// A Recorder notes in a recording what is run.
type Recorder interface {
	Mark(m measure.Mark)
	Job(j record.Job)
}

// Signals reach the command that runs.
type Signals interface {
	// PassTo passes signals to a job until done is called.
	PassTo(j *job.Job) (done func())
}

// NewRunner returns a runner of a plan that can watch the machine for a time before
// the first run. Close has to be called.
func NewRunner(p *Plan, calm time.Duration) (*Runner, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &Runner{plan: p, null: null, calm: calm, idle: baseline.NewCollector(calm)}, nil
}

// Close ends what a runner holds.
func (r *Runner) Close() error { return r.null.Close() }

// Sinks returns what is to see the windows of the meter.
func (r *Runner) Sinks() []measure.Sink { return []measure.Sink{&r.tap, r.idle} }

// Unsettled returns how many runs began although the power was not back at Rest within
// [LongestSettle].
func (r *Runner) Unsettled() int { return r.unsettled }

var _ bench.Executor = (*Runner)(nil)

// Environment variables of commands, with hyperfine's names. The second one has a
// random length, since where things lie in memory depends on it, and with that how
// fast some programs are.
const (
	iterationVariable = "HYPERFINE_ITERATION"
	offsetVariable    = "HYPERFINE_RANDOMIZED_ENVIRONMENT_OFFSET"
	mostOffset        = 4096
)

// A HelperError is a command around the runs that failed.
type HelperError struct {
	Kind   string // setup, prepare, conclude or cleanup
	line   string
	result job.Result
}

func (e *HelperError) Error() string {
	how := fmt.Sprintf("failed with exit status %d", e.result.Code)
	if e.result.Signal != 0 {
		how = fmt.Sprintf("was ended by signal %d, %v", int(e.result.Signal), e.result.Signal)
	}
	return fmt.Sprintf("the --%s command %s %s", e.Kind, strconv.Quote(harmless.Text(e.line)), how)
}

// Setup implements [bench.Executor].
func (r *Runner) Setup(ctx context.Context, command int) error {
	return r.helper(ctx, "setup", r.plan.Setup, command)
}

// Prepare implements [bench.Executor].
func (r *Runner) Prepare(ctx context.Context, s bench.Step) error {
	return r.helper(ctx, "prepare", of(r.plan.Prepare, s.Command), s.Command)
}

// Conclude implements [bench.Executor].
func (r *Runner) Conclude(ctx context.Context, s bench.Step) error {
	return r.helper(ctx, "conclude", of(r.plan.Conclude, s.Command), s.Command)
}

// Cleanup implements [bench.Executor].
func (r *Runner) Cleanup(ctx context.Context, command int) error {
	return r.helper(ctx, "cleanup", r.plan.Cleanup, command)
}

// helper runs what belongs to a command and is not measured.
func (r *Runner) helper(ctx context.Context, kind, line string, command int) error {
	if line == "" {
		return nil
	}
	line = r.plan.Commands[command].fill(line)
	result, err := r.run(ctx, line, command, "")
	switch {
	case err != nil:
		return err
	case result.Status() != 0:
		return &HelperError{kind, line, result}
	}
	return nil
}

// Execute implements [bench.Executor].
func (r *Runner) Execute(ctx context.Context, s bench.Step) (bench.Run, error) {
	if err := r.awaitMeter(ctx); err != nil {
		return bench.Run{}, err
	}
	command := &r.plan.Commands[s.Command]
	run := bench.Run{Round: s.Round, Energy: math.NaN(), Net: math.NaN(), Power: math.NaN()}
	var user, system time.Duration
	for {
		result, err := r.run(ctx, command.Line, s.Command, s.Iteration())
		if err != nil {
			return run, err
		}
		if run.Executions == 0 {
			run.Start = result.Start
			r.recordBegin(command, s, run.Start)
		}
		run.Executions++
		run.End = result.End
		user, system = user+result.User, system+result.System
		run.MaxRSS = max(run.MaxRSS, result.MaxRSS)
		code := result.Status()
		if run.ExitCode == 0 {
			run.ExitCode = code
		}
		if code != 0 && !r.accepts(code) || run.End.Sub(run.Start) >= r.plan.MinTime {
			break
		}
	}
	n := time.Duration(run.Executions)
	run.Duration, run.User, run.System = run.End.Sub(run.Start)/n, user/n, system/n
	r.recordEnd(command, s, &run)
	return run, nil
}

func (r *Runner) accepts(code int) bool {
	return r.plan.Accept != nil && r.plan.Accept(code)
}

// recordBegin notes a run in the recording: as a job, and as a phase of the name of its
// command.
func (r *Runner) recordBegin(c *Command, s bench.Step, at time.Time) {
	if s.Warmup {
		return
	}
	name := harmless.Text(c.Name)
	if len(name) > measure.MaxName {
		name = strings.ToValidUTF8(name[:measure.MaxName], "")
	}
	r.Recorder.Mark(measure.Mark{Time: at, Name: name})
	r.Recorder.Job(record.Job{Command: []string{c.Line}, Start: at})
}

func (r *Runner) recordEnd(c *Command, s bench.Step, run *bench.Run) {
	if s.Warmup {
		return
	}
	r.Recorder.Mark(measure.Mark{Time: run.End, End: true})
	r.Recorder.Job(record.Job{Command: []string{c.Line}, Start: run.Start, End: run.End})
}

// Measure implements [bench.Executor].
func (r *Runner) Measure(ctx context.Context, run *bench.Run, wait bool) (bool, error) {
	w := r.Watch
	if wait {
		// Also for the last runs of a bench that was told to end.
		w.Settle(context.WithoutCancel(ctx), run.End, measure.Patience+r.tap.lag())
	} else if w.Context().Err() == nil && w.History.Reached().Before(run.End) {
		return false, nil
	}
	span := w.History.Span(run.Start, run.End)
	run.Measured(&span, r.Baseline)
	return true, nil
}

// Settle implements [bench.Executor].
func (r *Runner) Settle(ctx context.Context, _ bench.Step) error {
	if r.plan.Settle == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, LongestSettle)
	defer cancel()
	back := r.tap.wait(bench.NewSettler(r.Rest, r.plan.Settle))
	select {
	case <-back:
	case <-bounded.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.unsettled++
	case <-r.Watch.Context().Done(): // Execute tells
	}
	return nil
}

// LongestSettle bounds how long a run waits for the power to come back.
const LongestSettle = time.Minute

// awayFor is how long after the last window a meter is taken to be lost.
const awayFor = 3 * time.Second

// awaitMeter waits for a meter that is lost: a run would not be measured.
func (r *Runner) awaitMeter(ctx context.Context) error {
	w := r.Watch
	if since := time.Since(w.History.Reached()); since > awayFor+r.tap.lag() && w.Context().Err() == nil {
		r.Waiting("waiting for the meter")
		if err := w.History.Wait(ctx, time.Now()); err != nil {
			return err
		}
	}
	if w.Context().Err() == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, err := w.Stop(); err != nil {
		return err
	}
	return errors.New("the meter's stream has ended")
}

// run runs a command once. The error is that it could not be started, or that of ctx.
func (r *Runner) run(ctx context.Context, line string, command int, iteration string) (job.Result, error) {
	if ctx.Err() != nil {
		return job.Result{}, ctx.Err()
	}
	args, err := r.plan.argv(line)
	if err != nil {
		return job.Result{}, err
	}
	c := job.Command{Args: args, Stdin: r.null, Stdout: r.null, Stderr: r.null}
	c.Env = []string{offsetVariable + "=" + strings.Repeat("X", rand.IntN(mostOffset))}
	if iteration != "" {
		c.Env = append(c.Env, iterationVariable+"="+iteration)
	}
	if r.plan.Input != "" {
		f, err := os.Open(r.plan.Input)
		if err != nil {
			return job.Result{}, err
		}
		defer f.Close()
		c.Stdin = f
	}
	switch where := of(r.plan.Output, command); where {
	case OutputNull:
	case OutputPipe:
		c.Lines = func(time.Time, []byte) {} // leads through a pipe
	case OutputInherit:
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
	default:
		f, err := os.Create(where)
		if err != nil {
			return job.Result{}, err
		}
		defer f.Close()
		c.Stdout = f
	}
	j, err := job.Start(c)
	if err != nil {
		return job.Result{}, err
	}
	done := r.Signals.PassTo(j)
	result, err := j.Wait()
	done()
	if err != nil {
		return result, err
	}
	switch result.Signal {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL:
		// What ended the command may be on its way to here.
		select {
		case <-ctx.Done():
		case <-time.After(lateSignal):
		}
	}
	return result, ctx.Err()
}

// lateSignal is how much later than a command this process may get a signal of the
// terminal.
const lateSignal = 200 * time.Millisecond
