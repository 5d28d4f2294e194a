// Package energy says what a job took: the energy of its time and of its phases, how
// uncertain that is, what of it was not measured, and what it costs. A [Result] is
// made of what a meter measured while the job ran; it is written as text for people,
// as JSON and CSV for programs, and its phases as actions for KDE's OSCAR.
package energy

import (
	"context"
	"fmt"
	"math"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/figures"
	"powerspy2/internal/job"
	"powerspy2/internal/result"
	"powerspy2/measure"
)

// A Result is what became of a job. What comes before Span is set by who runs the
// job; [Result.Settle] or [Result.Unmeasured] sets the rest.
type Result struct {
	Command  []string    // none: a process or a time was measured
	Job      *job.Result // nil: there was no command
	From, To time.Time   // when the job began and ended
	Marks    []measure.Mark
	Baseline *baseline.Baseline // nil: nothing is subtracted
	Meter    *result.Meter      // nil: there was none
	Tool     string             // version of the program

	Cost   *Factor // nil: not asked for
	Carbon *Factor // in g; nil: not asked for
	Work   *Work   // nil: not asked for

	Span     measure.Span
	Phases   []measure.PhaseEnergy
	Totals   []measure.PhaseTotal
	Gaps     []Gap
	Net      float64 // energy above Baseline, J
	Warnings []string

	netUncertainty float64 // standard, J
}

// A Gap is a part of a job that was not measured.
type Gap struct {
	From, To time.Time
	Reason   string
}

// A Factor is what something costs by the energy.
type Factor struct {
	PerKWh float64
	Unit   string // of what it costs; may be empty
	Text   string // as it was given
}

// Of returns what so many joules cost.
func (f *Factor) Of(joules float64) float64 { return f.PerKWh * joules / (1000 * figures.JoulesPerWh) }

// Work is how much a job does, such as 1000 requests.
type Work struct {
	Count float64 // above 0
	Unit  string
}

// Warn adds a warning.
func (r *Result) Warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Measured says whether anything was.
func (r *Result) Measured() bool { return r.Span.Covered > 0 }

// NetExpanded returns the expanded uncertainty of Net in J, for a level of confidence
// of about 95 %.
func (r *Result) NetExpanded() float64 { return 2 * r.netUncertainty }

// Unmeasured makes the result of a job that no meter measured, and says why.
func (r *Result) Unmeasured(reason error) {
	r.Gaps = []Gap{{r.From, r.To, fmt.Sprint(reason)}}
	r.Span = measure.Span{From: r.From, To: r.To}
}

// Settle waits for the windows that cover the end of the job, and makes the result of
// what was measured.
func (r *Result) Settle(ctx context.Context, w *measure.Watch) {
	w.Settle(ctx, r.To, measure.Patience)
	h := w.History
	r.Span = h.Span(r.From, r.To)
	r.Phases = h.Phases(measure.Phases(r.Marks, r.From, r.To))
	r.Totals = measure.Totals(r.Phases)
	for _, g := range h.Gaps(r.From, r.To) {
		r.Gaps = append(r.Gaps, Gap{g.From, g.To, g.Reason})
	}
	if reached := h.Reached(); reached.Before(r.To) {
		reason := "the meter had not measured it two seconds after the end"
		if w.Context().Err() != nil && ctx.Err() == nil {
			if _, err := w.Stop(); err != nil {
				reason = err.Error()
			}
		}
		if reached.Before(r.From) {
			reached = r.From
		}
		r.Gaps = append(r.Gaps, Gap{reached, r.To, reason})
	}
	r.warnShort()
	r.warnAtOnce()
	if r.Baseline != nil {
		r.Net, r.netUncertainty = r.Baseline.Net(&r.Span)
	}
}

// fewWindows is up to how many windows on a job is short.
const fewWindows = 10

// warnShort says how little the energy of a short job says.
func (r *Result) warnShort() {
	n := r.Span.Windows + r.Span.Bridged
	if r.Job == nil || n == 0 || n >= fewWindows {
		return
	}
	u := r.Span.Uncertainty.Expanded()
	how := fmt.Sprintf("its energy is uncertain by %s J", figures.Significant(u))
	if r.Span.Energy != 0 {
		how += fmt.Sprintf(", %s %%", figures.Significant(100*u/math.Abs(r.Span.Energy)))
	}
	// For the meter no more than some windows tell it from what was before and after.
	r.Warn("the command took %s, within %d of the meter's windows: %s; `powerspy bench --min-time 3s` runs it often enough", figures.Duration(r.Job.Duration()), n, how)
}

// warnAtOnce says that phases took no time, which their marks rarely mean.
func (r *Result) warnAtOnce() {
	n := 0
	for i, p := range r.Phases {
		if p.Duration() == 0 && i+1 < len(r.Phases) {
			n++
		}
	}
	if n == 0 {
		return
	}
	what := "1 phase took no time, since its mark came with the next one"
	if n > 1 {
		what = fmt.Sprintf("%d phases took no time, since their marks came with the next ones", n)
	}
	r.Warn("%s: a program that keeps its output for a while should write at once (python3 -u, stdbuf -oL)", what)
}
