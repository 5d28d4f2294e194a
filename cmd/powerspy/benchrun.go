package main

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

// A benchRunner carries out the plan of a bench with a meter.
type benchRunner struct {
	plan     *benchPlan
	meter    *jobMeter
	base     *baseline.Baseline // nil: nothing is subtracted
	signals  *benchSignals
	progress *benchProgress
	null     *os.File // /dev/null, for reading and writing
	tap      *powerTap
	rest     float64 // power before the first run, W

	unsettled int // runs that began although the power was not back
}

var _ bench.Executor = (*benchRunner)(nil)

// Environment variables of commands, with hyperfine's names. The second one has a
// random length, since where things lie in memory depends on it, and with that how
// fast some programs are.
const (
	iterationVariable = "HYPERFINE_ITERATION"
	offsetVariable    = "HYPERFINE_RANDOMIZED_ENVIRONMENT_OFFSET"
	mostOffset        = 4096
)

// A helperError is a command around the runs that failed.
type helperError struct {
	flag, line string
	result     job.Result
}

func (e *helperError) Error() string {
	how := fmt.Sprintf("failed with exit status %d", e.result.Code)
	if e.result.Signal != 0 {
		how = fmt.Sprintf("was ended by signal %d, %v", int(e.result.Signal), e.result.Signal)
	}
	return fmt.Sprintf("the --%s command %s %s", e.flag, strconv.Quote(harmless.Text(e.line)), how)
}

// Setup implements [bench.Executor].
func (r *benchRunner) Setup(ctx context.Context, command int) error {
	return r.helper(ctx, "setup", r.plan.setup, command)
}

// Prepare implements [bench.Executor].
func (r *benchRunner) Prepare(ctx context.Context, s bench.Step) error {
	return r.helper(ctx, "prepare", of(r.plan.prepare, s.Command), s.Command)
}

// Conclude implements [bench.Executor].
func (r *benchRunner) Conclude(ctx context.Context, s bench.Step) error {
	return r.helper(ctx, "conclude", of(r.plan.conclude, s.Command), s.Command)
}

// Cleanup implements [bench.Executor].
func (r *benchRunner) Cleanup(ctx context.Context, command int) error {
	return r.helper(ctx, "cleanup", r.plan.cleanup, command)
}

// helper runs what belongs to a command and is not measured.
func (r *benchRunner) helper(ctx context.Context, flag, line string, command int) error {
	if line == "" {
		return nil
	}
	line = r.plan.commands[command].fill(line)
	result, err := r.run(ctx, line, command, "")
	switch {
	case err != nil:
		return err
	case result.Status() != 0:
		return &helperError{flag, line, result}
	}
	return nil
}

// Execute implements [bench.Executor].
func (r *benchRunner) Execute(ctx context.Context, s bench.Step) (bench.Run, error) {
	if err := r.awaitMeter(ctx); err != nil {
		return bench.Run{}, err
	}
	command := &r.plan.commands[s.Command]
	run := bench.Run{Round: s.Round, Energy: math.NaN(), Net: math.NaN(), Power: math.NaN()}
	var user, system time.Duration
	for {
		result, err := r.run(ctx, command.line, s.Command, s.Iteration())
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
		if !result.Small {
			run.MaxRSS = max(run.MaxRSS, result.MaxRSS)
		}
		code := result.Code
		if result.Signal != 0 {
			code = bench.Killed
		}
		if run.ExitCode == 0 {
			run.ExitCode = code
		}
		if code != 0 && !r.accepts(code) || run.End.Sub(run.Start) >= r.plan.minTime {
			break
		}
	}
	n := time.Duration(run.Executions)
	run.Duration, run.User, run.System = run.End.Sub(run.Start)/n, user/n, system/n
	r.recordEnd(command, s, &run)
	return run, nil
}

func (r *benchRunner) accepts(code int) bool {
	return r.plan.plan.Accept != nil && r.plan.plan.Accept(code)
}

// recordBegin notes a run in the recording: as a job, and as a phase of the name of its
// command.
func (r *benchRunner) recordBegin(c *benchCommand, s bench.Step, at time.Time) {
	if s.Warmup || r.meter.rec == nil {
		return
	}
	name := harmless.Text(c.name)
	if len(name) > measure.MaxName {
		name = strings.ToValidUTF8(name[:measure.MaxName], "")
	}
	r.meter.rec.Mark(measure.Mark{Time: at, Name: name})
	r.meter.rec.Job(record.Job{Command: []string{c.line}, Start: at})
}

func (r *benchRunner) recordEnd(c *benchCommand, s bench.Step, run *bench.Run) {
	if s.Warmup || r.meter.rec == nil {
		return
	}
	r.meter.rec.Mark(measure.Mark{Time: run.End, End: true})
	r.meter.rec.Job(record.Job{Command: []string{c.line}, Start: run.Start, End: run.End})
}

// Measure implements [bench.Executor].
func (r *benchRunner) Measure(ctx context.Context, run *bench.Run, wait bool) (bool, error) {
	w := r.meter.watch
	if wait {
		// Also for the last runs of a bench that was told to end.
		w.Settle(context.WithoutCancel(ctx), run.End, measure.Patience+r.tap.lag())
	} else if w.Context().Err() == nil && w.History.Reached().Before(run.End) {
		return false, nil
	}
	span := w.History.Span(run.Start, run.End)
	run.Measured(&span, r.base)
	return true, nil
}

// Settle implements [bench.Executor].
func (r *benchRunner) Settle(ctx context.Context, _ bench.Step) error {
	if r.plan.settle == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, longestSettle)
	defer cancel()
	back := r.tap.wait(bench.NewSettler(r.rest, r.plan.settle))
	select {
	case <-back:
	case <-bounded.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.unsettled++
	case <-r.meter.watch.Context().Done(): // Execute tells
	}
	return nil
}

// longestSettle bounds how long a run waits for the power to come back.
const longestSettle = time.Minute

// awayFor is how long after the last window a meter is taken to be lost.
const awayFor = 3 * time.Second

// awaitMeter waits for a meter that is lost: a run would not be measured.
func (r *benchRunner) awaitMeter(ctx context.Context) error {
	w := r.meter.watch
	if since := time.Since(w.History.Reached()); since > awayFor+r.tap.lag() && w.Context().Err() == nil {
		r.progress.say("waiting for the meter")
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
func (r *benchRunner) run(ctx context.Context, line string, command int, iteration string) (job.Result, error) {
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
	if r.plan.input != "" {
		f, err := os.Open(r.plan.input)
		if err != nil {
			return job.Result{}, err
		}
		defer f.Close()
		c.Stdin = f
	}
	switch where := of(r.plan.output, command); where {
	case outputNull:
	case outputPipe:
		c.Lines = func(time.Time, []byte) {} // leads through a pipe
	case outputInherit:
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
	done := r.signals.passTo(j)
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
