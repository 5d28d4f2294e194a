package bench

import (
	"errors"
	"fmt"
	"time"
)

// Defaults, and bounds of what a Plan may ask for.
const (
	DefaultRuns    = 10
	DefaultWarmups = 1
	DefaultMaxRuns = 100 // with a precision
	DefaultRepeats = 3

	// MaxRuns, of all commands together, and MaxCommands bound memory and the file of
	// a result: a run takes about 250 bytes in the one and 1000 in the other.
	MaxRuns     = 100_000
	MaxCommands = 10_000
)

// A Plan says how often commands are run, and in which order. The zero value but
// for Commands is a plan without warm-ups: see [NewPlan].
type Plan struct {
	Commands []Command
	Order    Order
	Seed     uint64 // of the random order
	Warmups  int    // of each command

	// MinRuns are carried out in any case; more, up to MaxRuns, until Precision is
	// reached. Without a precision there are MinRuns.
	MinRuns, MaxRuns int

	// Precision is the relative half width of the 95 % interval of a mean energy, by
	// the scatter of the runs, that is to be reached for each command; 0: none.
	// What is off alike in all runs does not count: more runs don't help.
	Precision float64

	// Repeats is how often a run that was not measured as a whole is repeated. After
	// one that none of them helped, no run is repeated until one is whole at once.
	Repeats int

	// CoolDown is waited after each run but the last.
	CoolDown time.Duration

	// Accept says with which exit status a command may end. nil: only with 0.
	Accept func(code int) bool
}

// NewPlan returns a plan with the usual numbers: 10 runs, one warm-up.
func NewPlan(commands ...Command) Plan {
	return Plan{Commands: commands, Warmups: DefaultWarmups, MinRuns: DefaultRuns, MaxRuns: DefaultRuns, Repeats: DefaultRepeats}
}

// SetRuns sets how often: runs exactly, or at least and at most so often; 0 leaves
// the usual number. Precision is set before, since it allows for more runs.
func (p *Plan) SetRuns(runs, least, most int) {
	if runs > 0 {
		least, most = runs, runs
	}
	p.MinRuns, p.MaxRuns = DefaultRuns, DefaultRuns
	if p.Precision > 0 {
		p.MaxRuns = DefaultMaxRuns
	}
	if least > 0 {
		p.MinRuns = least
		p.MaxRuns = max(p.MaxRuns, least)
	}
	if most > 0 {
		p.MaxRuns = most
		if least == 0 {
			p.MinRuns = min(p.MinRuns, most)
		}
	}
}

// Errors of Check.
var (
	ErrNoCommand = errors.New("there is no command")
	ErrPlan      = errors.New("the plan is impossible")
)

// Check says what is wrong with a plan. Errors match ErrNoCommand or ErrPlan.
func (p *Plan) Check() error {
	switch {
	case len(p.Commands) == 0:
		return ErrNoCommand
	case len(p.Commands) > MaxCommands:
		return fmt.Errorf("%w: %d commands are more than %d", ErrPlan, len(p.Commands), MaxCommands)
	case p.MinRuns < 1 || p.MaxRuns < p.MinRuns:
		return fmt.Errorf("%w: at least %d runs and at most %d", ErrPlan, p.MinRuns, p.MaxRuns)
	case p.MaxRuns > MaxRuns/len(p.Commands) || p.Warmups > MaxRuns:
		return fmt.Errorf("%w: more than %d runs in all", ErrPlan, MaxRuns)
	case p.Warmups < 0 || p.Repeats < 0 || p.CoolDown < 0:
		return fmt.Errorf("%w: a negative number", ErrPlan)
	case !(p.Precision >= 0 && p.Precision < 1):
		return fmt.Errorf("%w: a precision of %g", ErrPlan, p.Precision)
	case p.Precision > 0 && p.MaxRuns < 2:
		return fmt.Errorf("%w: one run has no interval", ErrPlan)
	}
	return nil
}

// accepts says whether a run that ended so may count.
func (p *Plan) accepts(code int) bool {
	if p.Accept == nil {
		return code == 0
	}
	return code == 0 || p.Accept(code)
}
