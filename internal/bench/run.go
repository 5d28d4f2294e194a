package bench

import (
	"fmt"
	"math"
	"syscall"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/measure"
)

// A Run is one measured run of a command. A short command is executed again and
// again within it: times and energies are then those of one execution.
type Run struct {
	Round      int       // from 0
	Start      time.Time // of the first execution
	End        time.Time // of the last one; not part of a file
	Executions int       // at least 1

	Duration     time.Duration // of an execution
	User, System time.Duration // processor time of an execution
	MaxRSS       int64         // largest resident set in bytes, at least that of powerspy itself; 0: not known
	ExitCode     int           // exit status, the first that was not 0; of a signal: see Killed

	// Energy of an execution in J, that of the covered time; NaN: nothing was
	// measured.
	Energy float64

	// Uncertainty is the standard uncertainty of Energy in J, by its causes.
	Uncertainty measure.Uncertainty

	// Net is Energy above the baseline in J; NaN without a baseline. It is negative
	// where the machine drew less.
	Net float64

	// BaselineUncertainty is what the baseline's standard uncertainty makes of Net, J.
	BaselineUncertainty float64

	Power    float64 // mean over the covered time, W; NaN: nothing was measured
	Coverage float64 // measured share of the time, 0 to 1
	Windows  int     // of the meter, in all executions together
	Bridged  int     // windows that the meter left out
}

// Killed and the number of a signal is the exit status of a command that it killed, as
// shells and hyperfine have it; Killed alone is that of a signal that is not known.
const Killed = 128

// statusText tells the exit status of a run, and the signal that it stands for.
func statusText(code int) string {
	text := fmt.Sprintf("exit status %d", code)
	if n := code - Killed; n > 0 && n <= lastSignal {
		signal := syscall.Signal(n).String()
		if number := fmt.Sprintf("signal %d", n); signal != number {
			signal = fmt.Sprintf("%s, %s", number, signal)
		}
		text += " (" + signal + ")"
	}
	return text
}

// lastSignal is the greatest number of a signal of Linux.
const lastSignal = 64

// whole is the coverage from which on a run was measured as a whole. What is
// missing then is less than a meter can tell.
const whole = 0.9999

// Whole says whether the run was measured from its start to its end. The energy of
// a run that was not is no sample of what the command takes.
func (r *Run) Whole() bool { return r.Coverage >= whole && !math.IsNaN(r.Energy) }

// Measured sets what the meter said of the run: s is the time from the start of
// the first execution to the end of the last one; Executions is set before. base
// may be nil.
func (r *Run) Measured(s *measure.Span, base *baseline.Baseline) {
	n := float64(max(r.Executions, 1))
	r.Coverage, r.Windows, r.Bridged = s.Coverage(), s.Windows, s.Bridged
	r.Energy, r.Power, r.Net = math.NaN(), s.Power(), math.NaN()
	if s.Covered <= 0 {
		r.Coverage = 0
		return
	}
	r.Energy = s.Energy / n
	r.Uncertainty = s.Uncertainty
	for _, u := range []*float64{
		&r.Uncertainty.Edges, &r.Uncertainty.LeftOut, &r.Uncertainty.Time, &r.Uncertainty.Resolution, &r.Uncertainty.Meter,
	} {
		*u /= n
	}
	if base != nil {
		covered := s.Covered.Seconds() / n
		r.Net = r.Energy - base.Power*covered
		r.BaselineUncertainty = covered * base.Uncertainty
	}
}
