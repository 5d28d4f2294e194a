package bench

import (
	"context"
	"fmt"
)

// An Executor carries out what a plan consists of. Its calls come one after the
// other, from the goroutine that called [Engine.Run]. Errors end the bench.
type Executor interface {
	// Setup comes once for each command: in a sequential order before its first
	// run, else before the first run of all.
	Setup(ctx context.Context, command int) error

	// Prepare comes before each run and each warm-up, Conclude after it.
	Prepare(ctx context.Context, s Step) error

	// Settle comes after Prepare and right before each measured run, for the power
	// to go back to what it was. It is not called before a warm-up.
	Settle(ctx context.Context, s Step) error

	// Execute runs the command: once, or for as long as a run has to last. A command
	// that fails is no error: the run has its exit status. Round is set by the
	// engine. Of a warm-up, only the exit status and the duration count. What the
	// meter says of the run may come later: see Measure.
	Execute(ctx context.Context, s Step) (Run, error)

	// Measure sets what the meter says of a run that Execute returned, by
	// [Run.Measured], and says whether that is known by now. A meter tells it some
	// time after a run, for which the next ones need not wait. With wait it is waited
	// for; what is not known then never will be, and is not covered. It is called
	// until it is known, before anything depends on it, and not for warm-ups.
	Measure(ctx context.Context, r *Run, wait bool) (known bool, err error)

	Conclude(ctx context.Context, s Step) error

	// Cleanup comes once for each command that was set up, after its last run,
	// also where the bench was ended early: ctx is not canceled by that.
	Cleanup(ctx context.Context, command int) error
}

// An Engine carries out a plan.
type Engine struct {
	Plan     Plan
	Executor Executor

	// Progress, if not nil, is called before each run and warm-up, and once at the
	// end, from the goroutine of Run.
	Progress func(Progress)

	// Keep, if not nil, is called between runs with what is known by then, for it to
	// be kept where a bench is killed: some seconds apart, and for less than a
	// hundredth of the time. What it gets is only valid until it returns. It is called
	// from the goroutine of Run, so that no run is measured meanwhile.
	Keep func(*Outcome)

	Clock Clock // nil: the system's
}

// An Outcome is what came of a plan.
type Outcome struct {
	Series []Series // one for each command, in the order of the plan; some may have no runs

	// Interrupted: the context ended it.
	Interrupted bool

	// Missed are the commands whose mean energy is less certain than the plan's
	// precision.
	Missed []int
}

// A FailedError is a command that ended with an exit status that the plan does not
// accept.
type FailedError struct {
	Step Step
	Name string // of the command
	Code int    // as that of a [Run]
}

func (e *FailedError) Error() string {
	what := "a run"
	if e.Step.Warmup {
		what = "a warm-up"
	}
	return fmt.Sprintf("%s of %s failed with %s", what, quoted(e.Name), statusText(e.Code))
}

// Run carries out the plan. What there is so far comes back also with an error: of
// Plan.Check, of the executor, a *FailedError. The end of ctx is none: the outcome
// says so.
func (e *Engine) Run(ctx context.Context) (Outcome, error) {
	if err := e.Plan.Check(); err != nil {
		return Outcome{}, err
	}
	s := newSession(e)
	err := s.carryOut(ctx)
	if ctx.Err() != nil {
		// What failed, failed because of that: a command gets the Ctrl-C itself.
		s.outcome.Interrupted, err = true, nil
	}
	// What was carried out is kept, also where the bench was ended early.
	if merr := s.collect(context.WithoutCancel(ctx), true, false); err == nil {
		err = merr
	}
	for command, ready := range s.ready {
		if !ready {
			continue
		}
		if cleanup := s.cleanup(ctx, command); err == nil {
			err = cleanup
		}
	}
	s.finish()
	return s.outcome, err
}
