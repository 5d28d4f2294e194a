package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/figures"
	"powerspy2/internal/job"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// resultFormats are the formats of a report.
var resultFormats = []string{"text", "json", "csv"}

// A jobResult is what became of a job.
type jobResult struct {
	plan  *jobPlan
	meter *jobMeter
	base  *baseline.Baseline // nil: nothing is subtracted
	job   *job.Result        // nil: there was no command

	from, to time.Time
	marks    []measure.Mark
	span     measure.Span
	phases   []measure.PhaseEnergy
	totals   []measure.PhaseTotal
	gaps     []jobGap

	net, netUncertainty float64 // J, standard
	warnings            []string
}

// A jobGap is a part of a job that was not measured.
type jobGap struct {
	from, to time.Time
	reason   string
}

func (r *jobResult) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// measured says whether anything was.
func (r *jobResult) measured() bool { return r.span.Covered > 0 }

// netExpanded returns the expanded uncertainty of the net energy in J.
func (r *jobResult) netExpanded() float64 { return 2 * r.netUncertainty }

// settle waits for the windows that cover the end of the job, and makes the result
// of what was measured.
func (r *jobResult) settle(ctx context.Context) {
	m := r.meter
	if m.watch == nil {
		r.gaps = []jobGap{{r.from, r.to, fmt.Sprint(m.lost)}}
		r.span = measure.Span{From: r.from, To: r.to}
		return
	}
	m.watch.Settle(ctx, r.to, measure.Patience)
	h := m.watch.History
	r.span = h.Span(r.from, r.to)
	r.phases = h.Phases(measure.Phases(r.marks, r.from, r.to))
	r.totals = measure.Totals(r.phases)
	for _, g := range h.Gaps(r.from, r.to) {
		r.gaps = append(r.gaps, jobGap{later(g.From, r.from), earlier(g.To, r.to), g.Reason})
	}
	if reached := h.Reached(); reached.Before(r.to) {
		reason := "the meter had not measured it two seconds after the end"
		if m.watch.Context().Err() != nil && ctx.Err() == nil {
			if _, err := m.watch.Stop(); err != nil {
				reason = err.Error()
			}
		}
		r.gaps = append(r.gaps, jobGap{later(reached, r.from), r.to, reason})
	}
	r.warnShort()
	if r.base != nil {
		r.net, r.netUncertainty = r.base.Net(&r.span)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// warnBaseline says what is odd about a baseline.
func (r *jobResult) warnBaseline() {
	b := r.base
	if r.plan.baseline.given {
		return
	}
	if src := r.meter.src; src != nil && r.plan.baseline.path != "" {
		if now := baselineMeter(src); b.Meter.Serial != now.Serial {
			r.warn("the baseline is of another meter: %s, serial number %d; this is %s, %d", b.Meter.Name, b.Meter.Serial, now.Name, now.Serial)
		}
	}
	for _, text := range baselineWarnings(b) {
		r.warn("baseline: %s", text)
	}
}

// baselineMeter tells which meter a baseline is of.
func baselineMeter(src measure.Source) baseline.Meter {
	return baseline.Meter{Name: meterName(src.Target()), Serial: src.Info().Identity.Serial}
}

func meterName(t meter.Target) string { return cmp.Or(t.Alias, t.Name, t.Device()) }

// baselineWarnings says where a machine was not idle.
func baselineWarnings(b *baseline.Baseline) (list []string) {
	if !b.Calm() {
		list = append(list, fmt.Sprintf("the machine was not calm: means of a second went from %.2f to %.2f W", b.Low, b.High))
	}
	if b.Drifts() {
		list = append(list, fmt.Sprintf("the power of the idle machine drifted by %+.2f W over %v", b.Drift*b.Duration.Hours(), b.Duration.Round(time.Second)))
	}
	return list
}

// fewWindows is up to how many windows on a job is long.
const fewWindows = 10

// warnShort says how little the energy of a short job says.
func (r *jobResult) warnShort() {
	n := r.span.Windows + r.span.Bridged
	if r.job == nil || n == 0 || n >= fewWindows {
		return
	}
	u := r.span.Uncertainty.Expanded()
	how := fmt.Sprintf("its energy is uncertain by %s J", figures.Significant(u))
	if r.span.Energy != 0 {
		how += fmt.Sprintf(", %s %%", figures.Significant(100*u/math.Abs(r.span.Energy)))
	}
	// For the meter no more than some windows tell it from what was before and after.
	r.warn("the command took %s, within %d of the meter's windows: %s; `powerspy bench --min-time 3s` runs it often enough", figures.Duration(r.job.Duration()), n, how)
}

// writeResult writes the report where it is to go, and the actions.
func (a *app) writeResult(p *jobPlan, r *jobResult) error {
	write := map[string]func(io.Writer, *jobResult) error{"text": writeText, "json": writeJobJSON, "csv": writeCSV}[p.format]
	if p.actions.name != "" {
		if err := p.actions.write(a.env, func(w io.Writer) error { return writeActions(w, r) }); err != nil {
			return err
		}
	}
	if p.output.name != "" {
		return p.output.write(a.env, func(w io.Writer) error { return write(w, r) })
	}
	var b strings.Builder
	if err := write(&b, r); err != nil {
		return err
	}
	_, err := io.WriteString(a.env.stderr, b.String())
	return err
}

// recorded returns the job as a recording has it at its end.
func (r *jobResult) recorded() record.Job {
	j := record.Job{Command: r.plan.command, Start: r.from, End: r.to}
	var b bytes.Buffer
	if err := writeJobJSON(&b, r); err == nil { // a buffer takes all
		j.Result = bytes.TrimSpace(b.Bytes())
	}
	return j
}

// writeActions writes the phases as the log of actions that KDE's OSCAR reads
// beside a power file: local time, what happened, and the name.
func writeActions(w io.Writer, r *jobResult) error {
	line := func(at time.Time, what string) string {
		return at.Local().Format(time.DateTime) + ";" + what + "\n"
	}
	name := strings.NewReplacer(";", ",", "\n", " ")
	var b strings.Builder
	b.WriteString(line(r.from, "startTestrun"))
	for _, p := range r.phases {
		b.WriteString(line(p.From, "startAction;"+name.Replace(p.Name)))
		b.WriteString(line(p.To, "stopAction"))
	}
	b.WriteString(line(r.to, "stopTestrun"))
	_, err := io.WriteString(w, b.String())
	return err
}
