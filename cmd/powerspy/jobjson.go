package main

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"

	"powerspy2/internal/result"
	"powerspy2/internal/shell"
	"powerspy2/measure"
)

// The report for programs: JSON, one object, and CSV.

func meterOf(src measure.Source) *result.Meter {
	t, info := src.Target(), src.Info()
	m := &result.Meter{
		Name: meterName(t), Serial: info.Identity.Serial, Hardware: info.Identity.Hardware, Firmware: info.Identity.Firmware,
		Simulated: t.IsSimulated(),
	}
	if !t.Address.IsZero() {
		m.Address = new(t.Address.String())
	}
	if cal, _, err := info.Calibrations.InForce(); err == nil {
		m.Calibration = cal.Date.String()
	}
	return m
}

// writeJobJSON writes the result as an object.
func writeJobJSON(w io.Writer, r *jobResult) error {
	s, u := &r.span, &r.span.Uncertainty
	ok := r.measured()
	o := result.Job{
		Version: result.JobVersion, Command: append([]string{}, r.plan.command...), Start: result.Moment(r.from), End: result.Moment(r.to), Duration: s.Duration().Seconds(),
		Energy: result.Where(ok, s.Energy), Uncertainty: result.Where(ok, u.Expanded()), Parts: new(result.Parts(*u)),
		Coverage: s.Coverage(), Windows: s.Windows, Bridged: s.Bridged,
		PowerMean: result.Where(ok, s.Power()), PowerMin: result.Where(ok, s.PowerMin), PowerMax: result.Where(ok, s.PowerMax),
		Gaps: []result.Gap{}, Phases: []result.Span{}, PhaseTotals: []result.Total{}, Warnings: append([]string{}, r.warnings...),
		Tool: result.Tool{Version: versionText()},
	}
	if j := r.job; j != nil {
		o.ExitCode = new(j.Status())
		if j.Signal != 0 {
			o.Signal = new(int(j.Signal))
		}
		o.User, o.System, o.MaxRSS = result.Number(j.User.Seconds()), result.Number(j.System.Seconds()), &j.MaxRSS
	}
	if r.base != nil {
		o.Baseline, o.Net, o.NetUncertainty = result.Number(r.base.Power), result.Where(ok, r.net), result.Where(ok, r.netExpanded())
	}
	if p := r.plan; ok {
		if p.cost != nil {
			o.Cost = &result.Cost{Amount: p.cost.of(s.Energy), Factor: p.cost.text}
		}
		if p.carbon != nil {
			o.Carbon = result.Number(p.carbon.of(s.Energy))
		}
		if p.per != nil {
			o.Per = &result.Per{Count: p.per.count, Unit: p.per.unit, Energy: s.Energy / p.per.count, Uncertainty: u.Expanded() / p.per.count}
		}
	}
	for _, g := range r.gaps {
		o.Gaps = append(o.Gaps, result.Gap{Start: result.Moment(g.from), End: result.Moment(g.to), Reason: g.reason})
	}
	for _, p := range r.phases {
		o.Phases = append(o.Phases, result.SpanOf(p.Name, &p.Span))
	}
	for _, t := range r.totals {
		o.PhaseTotals = append(o.PhaseTotals, result.TotalOf(t.Name, &t))
	}
	if r.meter.src != nil {
		o.Meter = meterOf(r.meter.src)
	}
	return writeJSON(w, o)
}

var csvHeader = []string{
	"kind", "name", "start_s", "end_s", "duration_s", "energy_J", "energy_uncertainty_J", "coverage",
	"power_mean_W", "power_min_W", "power_max_W", "baseline_W", "net_energy_J", "net_energy_uncertainty_J", "exit_code",
}

// writeCSV writes a row for the job and one for each phase.
func writeCSV(w io.Writer, r *jobResult) error {
	c := csv.NewWriter(w)
	cell := func(v float64, decimals int) string {
		if math.IsNaN(v) {
			return ""
		}
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
	row := func(kind, name string, s *measure.Span) []string {
		energy, u := s.Energy, s.Uncertainty.Expanded()
		if s.Covered <= 0 {
			energy, u = math.NaN(), math.NaN()
		}
		return []string{
			kind, name, result.Moment(s.From).String(), result.Moment(s.To).String(), cell(s.Duration().Seconds(), 6), cell(energy, 6), cell(u, 6), cell(s.Coverage(), 6),
			cell(s.Power(), 6), cell(s.PowerMin, 6), cell(s.PowerMax, 6),
		}
	}
	first := row("job", shell.Join(r.plan.command), &r.span)
	net := []string{"", "", "", ""}
	if r.base != nil {
		net[0] = cell(r.base.Power, 6)
		if r.measured() {
			net[1], net[2] = cell(r.net, 6), cell(r.netExpanded(), 6)
		}
	}
	if r.job != nil {
		net[3] = strconv.Itoa(r.job.Status())
	}
	rows := [][]string{csvHeader, append(first, net...)}
	for _, p := range r.phases {
		rows = append(rows, append(row("phase", p.Name, &p.Span), "", "", "", ""))
	}
	return c.WriteAll(rows)
}
