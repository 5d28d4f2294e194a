package main

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"time"

	"powerspy2/internal/shell"
	"powerspy2/measure"
)

// The report for programs: JSON, one object, and CSV.

// unixTime is a moment as UNIX seconds with six decimals.
type unixTime time.Time

func (t unixTime) MarshalJSON() ([]byte, error) { return []byte(unixText(time.Time(t))), nil }

func unixText(t time.Time) string {
	us := t.UnixMicro()
	return strconv.FormatInt(us/1e6, 10) + "." + strconv.FormatInt(1e6+us%1e6, 10)[1:]
}

// resultJSON is the object of a job. Its keys are a contract.
type resultJSON struct {
	Version     int       `json:"version"`
	Command     []string  `json:"command"`
	ExitCode    *int      `json:"exit_code"`
	Signal      *int      `json:"signal"`
	Start       unixTime  `json:"start_s"`
	End         unixTime  `json:"end_s"`
	Duration    float64   `json:"duration_s"`
	Energy      *float64  `json:"energy_J"`
	Uncertainty *float64  `json:"energy_uncertainty_J"`
	Parts       partsJSON `json:"energy_uncertainty_parts_J"`
	Coverage    float64   `json:"coverage"`
	Windows     int       `json:"windows"`
	Bridged     int       `json:"bridged"`
	PowerMean   *float64  `json:"power_mean_W"`
	PowerMin    *float64  `json:"power_min_W"`
	PowerMax    *float64  `json:"power_max_W"`

	Baseline       *float64  `json:"baseline_W"`
	Net            *float64  `json:"net_energy_J"`
	NetUncertainty *float64  `json:"net_energy_uncertainty_J"`
	Cost           *costJSON `json:"cost,omitempty"`
	Carbon         *float64  `json:"carbon_g,omitempty"`
	Per            *perJSON  `json:"per,omitempty"`

	User   *float64 `json:"user_s"`
	System *float64 `json:"system_s"`
	MaxRSS *int64   `json:"max_rss_byte"`

	Gaps        []gapJSON   `json:"gaps"`
	Phases      []phaseJSON `json:"phases"`
	PhaseTotals []totalJSON `json:"phase_totals"`
	Warnings    []string    `json:"warnings"`
	Meter       *meterJSON  `json:"meter"`
	Tool        toolJSON    `json:"tool"`
}

// partsJSON are standard uncertainties.
type partsJSON struct {
	Edges      float64 `json:"edges"`
	LeftOut    float64 `json:"left_out"`
	Time       float64 `json:"time"`
	Resolution float64 `json:"resolution"`
	Meter      float64 `json:"meter"`
}

type costJSON struct {
	Amount float64 `json:"amount"`
	Factor string  `json:"factor"`
}

type perJSON struct {
	Count       float64 `json:"count"`
	Unit        string  `json:"unit"`
	Energy      float64 `json:"energy_J"`
	Uncertainty float64 `json:"energy_uncertainty_J"`
}

type gapJSON struct {
	Start  unixTime `json:"start_s"`
	End    unixTime `json:"end_s"`
	Reason string   `json:"reason"`
}

type phaseJSON struct {
	Name        string   `json:"name"`
	Start       unixTime `json:"start_s"`
	End         unixTime `json:"end_s"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"`
	Coverage    float64  `json:"coverage"`
	PowerMean   *float64 `json:"power_mean_W"`
}

type totalJSON struct {
	Name        string   `json:"name"`
	Times       int      `json:"times"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"`
	PowerMean   *float64 `json:"power_mean_W"`
}

type meterJSON struct {
	Name        string  `json:"name"`
	Address     *string `json:"address"`
	Serial      uint16  `json:"serial"`
	Hardware    uint8   `json:"hardware"`
	Firmware    uint8   `json:"firmware"`
	Calibration string  `json:"calibration"` // its date, ISO 8601
	Simulated   bool    `json:"simulated"`
}

type toolJSON struct {
	Version string `json:"version"`
}

// where returns v, or nil where it was not measured.
func where(measured bool, v float64) *float64 {
	if !measured {
		return nil
	}
	return number(v)
}

func meterOf(src measure.Source) *meterJSON {
	t, info := src.Target(), src.Info()
	m := &meterJSON{
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
	o := resultJSON{
		Version: 1, Command: append([]string{}, r.plan.command...), Start: unixTime(r.from), End: unixTime(r.to), Duration: s.Duration().Seconds(),
		Energy: where(ok, s.Energy), Uncertainty: where(ok, u.Expanded()), Parts: partsJSON(*u),
		Coverage: s.Coverage(), Windows: s.Windows, Bridged: s.Bridged,
		PowerMean: where(ok, s.Power()), PowerMin: where(ok, s.PowerMin), PowerMax: where(ok, s.PowerMax),
		Gaps: []gapJSON{}, Phases: []phaseJSON{}, PhaseTotals: []totalJSON{}, Warnings: append([]string{}, r.warnings...),
		Tool: toolJSON{versionText()},
	}
	if j := r.job; j != nil {
		o.ExitCode = new(j.Status())
		if j.Signal != 0 {
			o.Signal = new(int(j.Signal))
		}
		o.User, o.System, o.MaxRSS = number(j.User.Seconds()), number(j.System.Seconds()), &j.MaxRSS
	}
	if r.base != nil {
		o.Baseline, o.Net, o.NetUncertainty = number(r.base.Power), where(ok, r.net), where(ok, r.netExpanded())
	}
	if p := r.plan; ok {
		if p.cost != nil {
			o.Cost = &costJSON{p.cost.of(s.Energy), p.cost.text}
		}
		if p.carbon != nil {
			o.Carbon = number(p.carbon.of(s.Energy))
		}
		if p.per != nil {
			o.Per = &perJSON{p.per.count, p.per.unit, s.Energy / p.per.count, u.Expanded() / p.per.count}
		}
	}
	for _, g := range r.gaps {
		o.Gaps = append(o.Gaps, gapJSON{unixTime(g.from), unixTime(g.to), g.reason})
	}
	for _, p := range r.phases {
		ok := p.Covered > 0
		o.Phases = append(o.Phases, phaseJSON{
			p.Name, unixTime(p.From), unixTime(p.To), p.Duration().Seconds(),
			where(ok, p.Energy), where(ok, p.Uncertainty.Expanded()), p.Coverage(), where(ok, p.Power()),
		})
	}
	for _, t := range r.totals {
		ok := t.Covered > 0
		o.PhaseTotals = append(o.PhaseTotals, totalJSON{
			t.Name, t.Times, t.Duration.Seconds(), where(ok, t.Energy), where(ok, t.Uncertainty.Expanded()), where(ok, t.Power()),
		})
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
			kind, name, unixText(s.From), unixText(s.To), cell(s.Duration().Seconds(), 6), cell(energy, 6), cell(u, 6), cell(s.Coverage(), 6),
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
