package bench

import (
	"context"
	"math"
	"time"
)

// A session is one time that a plan is carried out.
type session struct {
	*Engine
	clock   Clock
	outcome Outcome
	ready   []bool // commands that were set up, and not cleaned up

	energies []running // of each command, whole runs
	paces    []pace    // of each command
	warmups  []int     // of each command that are done
	last     Step
	done     int

	executed []int        // runs of each command that are done, but for those to be repeated
	pending  []unmeasured // in the order in which they were carried out
	again    []Step       // to be repeated

	kept   time.Time     // when Keep was called last
	rest   time.Duration // for how long it is not called then
	unkept bool          // there are runs that it was not called with

	// hopeless: repeating did not help the last run, so it is not tried again until
	// one is whole at once.
	hopeless bool
}

func newSession(e *Engine) *session {
	n := len(e.Plan.Commands)
	s := &session{
		Engine: e, clock: e.Clock, ready: make([]bool, n),
		energies: make([]running, n), paces: make([]pace, n), warmups: make([]int, n), executed: make([]int, n),
	}
	if s.clock == nil {
		s.clock = systemClock{}
	}
	s.kept = s.clock.Now()
	for _, c := range e.Plan.Commands {
		s.outcome.Series = append(s.outcome.Series, Series{Command: c.Clone()})
	}
	return s
}

// carryOut carries out the plan: the groups of commands that share rounds, one
// after the other.
func (s *session) carryOut(ctx context.Context) error {
	p := &s.Plan
	if p.Order.Rounds() {
		all := make([]int, len(p.Commands))
		for i := range all {
			all[i] = i
		}
		return s.group(ctx, all)
	}
	for command := range p.Commands {
		if err := s.group(ctx, []int{command}); err != nil {
			return err
		}
	}
	return nil
}

// group carries out the rounds of some commands.
func (s *session) group(ctx context.Context, commands []int) error {
	p := &s.Plan
	for _, command := range commands {
		s.ready[command] = true // also where setting up ends halfway
		if err := s.Executor.Setup(ctx, command); err != nil {
			return err
		}
	}
	for round := range p.Warmups {
		for _, i := range p.Order.round(len(commands), round, p.Seed) {
			if _, _, err := s.step(ctx, Step{Command: commands[i], Round: round, Warmup: true}); err != nil {
				return err
			}
			s.warmups[commands[i]]++
		}
	}
	for round := range p.MaxRuns {
		if round >= p.MinRuns {
			if enough, err := s.enough(ctx, commands); err != nil || enough {
				if err != nil {
					return err
				}
				break
			}
		}
		for _, i := range p.Order.round(len(commands), round, p.Seed) {
			s.again = append(s.again, Step{Command: commands[i], Round: round})
			if err := s.carry(ctx); err != nil {
				return err
			}
		}
	}
	if err := s.settleUp(ctx); err != nil {
		return err
	}
	for _, command := range commands {
		if err := s.cleanup(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// enough says whether the commands need no more runs. It goes by what is known by now,
// and waits for the rest only where that is enough.
func (s *session) enough(ctx context.Context, commands []int) (bool, error) {
	if !s.precise(commands) {
		return false, nil
	}
	err := s.settleUp(ctx)
	return s.precise(commands), err
}

func (s *session) precise(commands []int) bool {
	for _, command := range commands {
		if p := s.Plan.Precision; p > 0 && !s.energies[command].reached(p) {
			return false
		}
	}
	return true
}

// An unmeasured run is one of which it is not known what the meter says.
type unmeasured struct {
	step Step
	run  Run
}

// mostPending bounds how many runs wait for the meter.
const mostPending = 1000

// carry carries out the runs of s.again, to which those come that have to be repeated.
func (s *session) carry(ctx context.Context) error {
	for len(s.again) > 0 {
		step := s.again[0]
		s.again = s.again[1:]
		r, executed, err := s.step(ctx, step)
		if executed {
			r.Round, r.Executions = step.Round, max(r.Executions, 1)
			s.pending = append(s.pending, unmeasured{step, r})
			s.executed[step.Command]++
		}
		if err != nil {
			return err
		}
		if err := s.collect(ctx, len(s.pending) > mostPending, true); err != nil {
			return err
		}
		if err := s.keep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settleUp waits until all runs so far are known, and repeats those that have to be.
func (s *session) settleUp(ctx context.Context) error {
	for {
		if err := s.collect(ctx, true, true); err != nil || len(s.again) == 0 {
			return err
		}
		if err := s.carry(ctx); err != nil {
			return err
		}
	}
}

// collect asks what the meter says of the runs that wait for it, in their order.
func (s *session) collect(ctx context.Context, wait, repeat bool) error {
	for len(s.pending) > 0 {
		r, step := &s.pending[0].run, s.pending[0].step
		known, err := s.Executor.Measure(ctx, r, wait)
		if err != nil || !known {
			return err
		}
		series := &s.outcome.Series[step.Command]
		if repeat && !r.Whole() && step.Attempt < s.Plan.Repeats && !s.hopeless {
			series.Repeated++
			s.executed[step.Command]--
			step.Attempt++
			s.again = append(s.again, step)
		} else {
			s.hopeless = !r.Whole()
			series.Runs = append(series.Runs, *r)
			s.unkept = true
			if v := Energy.Value(r); !math.IsNaN(v) {
				s.energies[step.Command].add(v)
			}
		}
		s.pending = s.pending[1:]
	}
	return nil
}

// step carries out a run or a warm-up with what belongs to it. A run may have been
// executed although there is an error.
func (s *session) step(ctx context.Context, step Step) (r Run, executed bool, err error) {
	s.tell(step)
	if s.done > 0 && s.Plan.CoolDown > 0 {
		if err := s.clock.Sleep(ctx, s.Plan.CoolDown); err != nil {
			return Run{}, false, err
		}
	}
	if err := ctx.Err(); err != nil {
		return Run{}, false, err
	}
	start := s.clock.Now()
	if err := s.Executor.Prepare(ctx, step); err != nil {
		return Run{}, false, err
	}
	if !step.Warmup {
		if err := s.Executor.Settle(ctx, step); err != nil {
			return Run{}, false, err
		}
	}
	r, err = s.Executor.Execute(ctx, step)
	if err == nil && !s.Plan.accepts(r.ExitCode) {
		err = &FailedError{Step: step, Name: s.Plan.Commands[step.Command].Name, Code: r.ExitCode}
	}
	if err != nil {
		return Run{}, false, err
	}
	err = s.Executor.Conclude(ctx, step)
	s.done++
	s.last = step
	p := &s.paces[step.Command]
	p.steps++
	p.spent += s.clock.Now().Sub(start)
	return r, true, err
}

// cleanup cleans up after a command that was set up.
func (s *session) cleanup(ctx context.Context, command int) error {
	s.ready[command] = false
	return s.Executor.Cleanup(context.WithoutCancel(ctx), command)
}

// tell tells the progress.
func (s *session) tell(step Step) {
	if s.Progress == nil {
		return
	}
	steps := s.left(step)
	p := Progress{Step: step, Done: s.done, Total: s.done, Left: left(s.paces, steps, s.Plan.CoolDown)}
	for _, n := range steps {
		p.Total += n
	}
	e := &s.energies[step.Command]
	p.Mean, p.Half = e.value(), e.half()
	s.Progress(p)
}

// left returns how many steps of each command are likely to come, that of now
// included.
func (s *session) left(now Step) []int {
	p := &s.Plan
	runs := make([]int, len(p.Commands))
	most := 0
	for i := range runs {
		runs[i] = s.energies[i].needed(p.Precision, p.MinRuns, p.MaxRuns)
		most = max(most, runs[i])
	}
	for i := range runs {
		if p.Order.Rounds() {
			runs[i] = most // a round has one of each
		}
		runs[i] = max(runs[i]-s.executed[i], 0)
		if !p.Order.Rounds() && i < now.Command {
			runs[i] = 0
		}
		runs[i] += p.Warmups - s.warmups[i]
	}
	return runs
}

// finish says how it ended.
func (s *session) finish() {
	if p := s.Plan.Precision; p > 0 {
		for i := range s.energies {
			if !s.energies[i].reached(p) {
				s.outcome.Missed = append(s.outcome.Missed, i)
			}
		}
	}
	if s.Progress != nil {
		e := &s.energies[s.last.Command]
		s.Progress(Progress{Step: s.last, Ended: true, Done: s.done, Total: s.done, Mean: e.value(), Half: e.half()})
	}
}
