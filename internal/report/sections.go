package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
	"powerspy2/measure"
)

// What is listed in tables at most.
const (
	shownPhases = 500
	shownGaps   = 200
	shownRuns   = 2000
)

const joulesPerWh = 3600

// plusMinus writes a value with its expanded uncertainty.
func plusMinus(v, u float64, unit string) string {
	return strings.Replace(figures.WithUncertainty(v, u, unit), "+-", "±", 1)
}

// watts writes a power.
func watts(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.2f W", v)
}

// wattHours writes an energy for those who think of bills.
func wattHours(joules, u float64) string {
	if wh := joules / joulesPerWh; math.Abs(wh) >= 1000 {
		return plusMinus(wh/1000, u/joulesPerWh/1000, "kWh")
	}
	return plusMinus(joules/joulesPerWh, u/joulesPerWh, "Wh")
}

// moment writes a time with its offset from UTC.
func (r *Report) moment(t time.Time) string { return t.In(r.Zone).Format("2006-01-02 15:04:05 -07:00") }

// clock writes a time of the day to the millisecond.
func (r *Report) clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(r.Zone).Format("15:04:05.000")
}

// stretch writes a stretch of time, with the date once.
func (r *Report) stretch(from, to time.Time) string {
	a, b := from.In(r.Zone), to.In(r.Zone)
	text := a.Format("2006-01-02 15:04:05") + " to "
	if a.Format(time.DateOnly) == b.Format(time.DateOnly) {
		return text + b.Format("15:04:05 -07:00")
	}
	return text + b.Format("2006-01-02 15:04:05 -07:00")
}

// span returns from when to when all of it was measured.
func (r *Report) span() (from, to time.Time) {
	take := func(a, b time.Time) {
		if from.IsZero() || a.Before(from) {
			from = a
		}
		if b.After(to) {
			to = b
		}
	}
	for _, recording := range r.Recordings {
		take(recording.from, recording.to)
	}
	for _, b := range r.Benches {
		for _, s := range b.Result.Series {
			for i := range s.Runs {
				if run := &s.Runs[i]; !run.Start.IsZero() { // a file may not tell it
					take(run.Start, run.Start.Add(run.Duration*time.Duration(max(run.Executions, 1))))
				}
			}
		}
	}
	for _, j := range r.Jobs {
		take(time.Time(j.result.Start), time.Time(j.result.End))
	}
	return from, to
}

// intro says when it was measured.
func (r *Report) intro() string {
	from, to := r.span()
	if from.IsZero() {
		return ""
	}
	return "Measured " + r.stretch(from, to)
}

const simulatedNotice = "The meter was simulated: no real energy was measured."

func (r *Report) recordingSection(rec *Recording, index int) section {
	t := &rec.total
	u := t.Uncertainty.Expanded()
	s := section{
		ID: fmt.Sprintf("recording-%d", index+1), Title: rec.name,
		About: meterText(rec.meterData()) + ", " + r.stretch(rec.from, rec.to),
	}
	if rec.simulated {
		s.Notices = append(s.Notices, simulatedNotice)
	}
	if rec.chosen {
		s.Notices = append(s.Notices, "This is a part of the recording.")
	}
	if rec.torn {
		s.Notices = append(s.Notices, "The recording ends in the midst of a line, which was left out: it was still being written, or a crash has cut it short.")
	}
	if rec.dropped > 0 {
		s.Notices = append(s.Notices, fmt.Sprintf("%s more marks, phases and jobs are in the recording than are shown here.", grouped(rec.dropped)))
	}
	for i := 1; i < len(rec.headers); i++ {
		if m := &rec.headers[i].Meter; !m.Same(&rec.header.Meter) {
			s.Notices = append(s.Notices, fmt.Sprintf("The recording is of several meters: %s, serial number %d, too.", harmless.Text(m.Name), m.Serial))
			break
		}
	}
	s.Notices = append(s.Notices, baselineNotices(rec)...)
	s.Cards = []card{
		{"Energy", plusMinus(t.Energy, u, "J"), wattHours(t.Energy, u)},
		{"Mean power", watts(t.Power()), ""},
		{"Lowest and highest", fmt.Sprintf("%.2f and %s", rec.low, watts(rec.high)), "of a window of " + windowText(rec)},
		{"Duration", figures.Duration(t.Duration), coverageText(rec.coverage())},
	}
	if rec.baseline != nil {
		net := card{"Net energy", plusMinus(rec.net, 2*rec.netError, "J"), "above " + plusMinus(rec.baseline.Power, 2*rec.baseline.Uncertainty, "W") + " when idle"}
		s.Cards = slices.Insert(s.Cards, 1, net)
	}
	s.Plots = []plotView{{Kind: "power", Index: index, Title: "Power over time", Summary: r.pictureSummary(rec), Zooms: true, Key: pictureKey(rec)}}
	s.Tables = append(s.Tables, rec.figuresTable())
	if len(rec.totals) > 0 {
		s.Tables = append(s.Tables, rec.totalsTable())
	}
	if len(rec.phases) > len(rec.totals) {
		s.Tables = append(s.Tables, r.spansTable("Each phase, in the order of time", "Phase", rec.phases))
	}
	if len(rec.jobs) > 0 {
		rows := make([]measure.PhaseEnergy, len(rec.jobs))
		for i, j := range rec.jobs {
			rows[i] = measure.PhaseEnergy{Name: j.command, Span: j.Span}
			if j.command == "" {
				rows[i].Name = "(a time without a command)"
			}
		}
		s.Tables = append(s.Tables, r.spansTable("Jobs that ran while it was recorded", "Command", rows))
	}
	if len(rec.gaps) > 0 {
		s.Tables = append(s.Tables, r.gapsTable(rec))
	}
	s.Tables = append(s.Tables, budgetTable(t))
	s.Method = r.recordingMethod(rec)
	return s
}

func baselineNotices(rec *Recording) (list []string) {
	b := rec.baseline
	if b == nil || b.Duration == 0 {
		return nil // nobody has measured it
	}
	if b.Meter.Serial != rec.header.Meter.Serial {
		list = append(list, fmt.Sprintf("The baseline is of another meter: %s, serial number %d.", harmless.Text(b.Meter.Name), b.Meter.Serial))
	}
	if !b.Calm() {
		list = append(list, fmt.Sprintf("The machine was not calm when its baseline was measured: means of a second went from %.2f to %.2f W.", b.Low, b.High))
	}
	if b.Drifts() {
		list = append(list, fmt.Sprintf("The power of the idle machine drifted by %+.2f W over %v.", b.Drift*b.Duration.Hours(), b.Duration.Round(time.Second)))
	}
	return list
}

func coverageText(c float64) string {
	switch {
	case c >= 1:
		return "all of it was measured"
	case c > 0.9999:
		return "over 99.99 % of it was measured"
	}
	return fmt.Sprintf("%.2f %% of it was measured", 100*c)
}

// windowText says how long windows were.
func windowText(rec *Recording) string {
	shortest, longest := rec.shortest.Round(100*time.Microsecond), rec.longest.Round(100*time.Microsecond)
	if float64(longest-shortest) < 0.05*float64(longest) {
		return fmt.Sprintf("%.1f ms", float64(rec.longest.Microseconds())/1e3)
	}
	return fmt.Sprintf("%.1f to %.1f ms", float64(shortest.Microseconds())/1e3, float64(longest.Microseconds())/1e3)
}

// pictureSummary tells what the picture shows to who does not see it.
func (r *Report) pictureSummary(rec *Recording) string {
	var top *point
	for i := range rec.trace.points {
		if p := &rec.trace.points[i]; top == nil || p.high > top.high {
			top = p
		}
	}
	text := fmt.Sprintf("Power from %s to %s: lowest %.2f W, mean %.2f W", r.clock(rec.from), r.clock(rec.to), rec.low, rec.total.Power())
	if top != nil {
		text += fmt.Sprintf(", highest %.2f W at %s", top.high, r.clock(rec.trace.origin.Add(top.start)))
	}
	text += "; " + count(rec.gapsCount, "gap")
	if n := len(rec.totals); n > 0 {
		text += fmt.Sprintf("; %s of %s", count(len(rec.phases), "phase"), count(n, "name"))
	}
	return text + "."
}

// pictureKey tells what the signs of the picture mean.
func pictureKey(rec *Recording) string {
	list := []string{"The area goes from the lowest to the highest power of each pixel, the line is the mean; zoomed in, it goes from window to window."}
	if rec.gapsCount > 0 {
		list = append(list, "Hatched: not measured.")
	}
	if len(rec.phases) > 0 {
		list = append(list, "Bands: phases.")
	}
	if rec.baseline != nil {
		list = append(list, "Dashed: the idle machine.")
	}
	if rec.trace.merged() {
		list = append(list, fmt.Sprintf("Of this long recording the picture has %s points, with the lowest and the highest of their windows; energies are those of all windows.", grouped(len(rec.trace.points))))
	}
	return strings.Join(list, " ")
}

func (r *Recording) figuresTable() table {
	t := &r.total
	u := t.Uncertainty.Expanded()
	rows := [][]string{
		{"Energy", plusMinus(t.Energy, u, "J")},
		{"", wattHours(t.Energy, u)},
	}
	if r.baseline != nil {
		rows = append(rows, []string{"Net energy", plusMinus(r.net, 2*r.netError, "J")}, []string{"Baseline", plusMinus(r.baseline.Power, 2*r.baseline.Uncertainty, "W")})
	}
	rows = append(rows,
		[]string{"Mean power", watts(t.Power())},
		[]string{"Median power", watts(r.summary.Median())},
		[]string{"Lowest power of a window", watts(r.low)},
		[]string{"Highest power of a window", watts(r.high)},
		[]string{"Standard deviation of windows", watts(r.summary.Deviation())},
		[]string{"Duration", figures.Duration(t.Duration)},
		[]string{"Measured of it", fmt.Sprintf("%s (coverage %.4f)", figures.Duration(t.Covered), r.coverage())},
		[]string{"Windows", fmt.Sprintf("%s measured, %s left out by the meter and bridged", grouped(r.windows), grouped(r.bridged))},
		[]string{"Gaps", grouped(r.gapsCount)},
		[]string{"Mains", fmt.Sprintf("%.1f V, %.3f Hz", math.Sqrt(r.voltage/r.weight), r.summary.Frequency())},
	)
	rows[1][0] = "Energy in watt-hours"
	return table{Caption: "Figures", Columns: []string{"Quantity", "Value"}, Rows: rows}
}

func (r *Recording) totalsTable() table {
	totals := slices.SortedStableFunc(slices.Values(r.totals), measure.ByEnergy)
	t := table{Caption: "Phases, by their energy", Columns: []string{"Phase", "Times", "Duration", "Energy", "Share", "Mean power"}}
	for i := range totals {
		if i == shownPhases {
			t.Note = fmt.Sprintf("And %s more names, which the data have.", grouped(len(totals)-i))
			break
		}
		p := &totals[i]
		energy, share := "not measured", "–"
		if p.Covered > 0 {
			energy = plusMinus(p.Energy, p.Uncertainty.Expanded(), "J")
			if r.total.Energy != 0 {
				share = fmt.Sprintf("%.1f %%", 100*p.Energy/r.total.Energy)
			}
		}
		t.Rows = append(t.Rows, []string{harmless.Text(p.Name), fmt.Sprint(p.Times), figures.Duration(p.Duration), energy, share, watts(p.Power())})
	}
	return t
}

func (r *Report) spansTable(caption, name string, spans []measure.PhaseEnergy) table {
	t := table{Caption: caption, Columns: []string{name, "From", "To", "Duration", "Energy", "Mean power", "Coverage"}, Folded: len(spans) > 20}
	for i := range spans {
		if i == shownPhases {
			t.Note = fmt.Sprintf("And %s more, which the data have.", grouped(len(spans)-i))
			break
		}
		s := &spans[i].Span
		energy := "not measured"
		if s.Covered > 0 {
			energy = plusMinus(s.Energy, s.Uncertainty.Expanded(), "J")
		}
		t.Rows = append(t.Rows, []string{
			harmless.Text(spans[i].Name), r.clock(s.From), r.clock(s.To), figures.Duration(s.Duration()), energy, watts(s.Power()), fmt.Sprintf("%.4f", s.Coverage()),
		})
	}
	return t
}

func (r *Report) gapsTable(rec *Recording) table {
	t := table{Caption: "Not measured", Columns: []string{"From", "To", "Length", "Why"}, Folded: len(rec.gaps) > 20}
	for i, g := range rec.gaps {
		if i == shownGaps {
			t.Note = fmt.Sprintf("And %s more gaps.", grouped(rec.gapsCount-i))
			break
		}
		t.Rows = append(t.Rows, []string{r.moment(g.From), r.clock(g.To), figures.Duration(g.To.Sub(g.From)), harmless.Text(g.Reason)})
	}
	return t
}

// budgetTable tells where an uncertainty comes from.
func budgetTable(t *measure.PhaseTotal) table {
	u := t.Uncertainty
	class := "not counted: the meter's class was not given"
	if u.Meter > 0 {
		class = joules(u.Meter)
	}
	return table{
		Caption: "Uncertainty of the energy, by its causes (standard uncertainties)", Columns: []string{"Cause", "Standard uncertainty"},
		Rows: [][]string{
			{"Windows that the ends of the time cut", joules(u.Edges)},
			{"Windows that the meter left out", joules(u.LeftOut)},
			{"Times of the windows, and the constant delay of the link", joules(u.Time)},
			{"Steps in which the meter counts", joules(u.Resolution)},
			{"The meter's accuracy class", class},
			{"All together", joules(u.Standard())},
			{"Expanded (k = 2, about 95 %)", joules(u.Expanded())},
		},
	}
}

func joules(v float64) string { return figures.Significant(v) + " J" }

// meterText names a meter.
func meterText(m result.Meter) string {
	if m.Simulated {
		return "simulated meter"
	}
	return fmt.Sprintf("%s, serial number %d", harmless.Text(m.Name), m.Serial)
}

func (r *Report) jobSection(j *Job, index int) section {
	o := &j.result
	s := section{ID: fmt.Sprintf("job-%d", index+1), Title: j.command(), About: j.name + ", " + r.stretch(time.Time(o.Start), time.Time(o.End))}
	if o.Meter != nil && o.Meter.Simulated {
		s.Notices = append(s.Notices, simulatedNotice)
	}
	for _, w := range o.Warnings {
		s.Notices = append(s.Notices, harmless.Text(w))
	}
	d := time.Duration(o.Duration * float64(time.Second))
	rows := [][]string{}
	if o.Energy == nil {
		rows = append(rows, []string{"Energy", "not measured"})
	} else {
		s.Cards = append(s.Cards, card{"Energy", plusMinus(*o.Energy, *o.Uncertainty, "J"), wattHours(*o.Energy, *o.Uncertainty)})
		rows = append(rows, []string{"Energy", plusMinus(*o.Energy, *o.Uncertainty, "J")}, []string{"Energy in watt-hours", wattHours(*o.Energy, *o.Uncertainty)})
	}
	if o.Net != nil && o.NetUncertainty != nil && o.Baseline != nil {
		s.Cards = append(s.Cards, card{"Net energy", plusMinus(*o.Net, *o.NetUncertainty, "J"), "above " + watts(*o.Baseline) + " when idle"})
		rows = append(rows, []string{"Net energy", plusMinus(*o.Net, *o.NetUncertainty, "J")}, []string{"Baseline", watts(*o.Baseline)})
	}
	for _, p := range []struct {
		label string
		v     *float64
	}{{"Mean power", o.PowerMean}, {"Lowest power of a window", o.PowerMin}, {"Highest power of a window", o.PowerMax}} {
		if p.v != nil {
			rows = append(rows, []string{p.label, watts(*p.v)})
		}
	}
	s.Cards = append(s.Cards, card{"Duration", figures.Duration(d), coverageText(o.Coverage)})
	rows = append(rows, []string{"Duration", figures.Duration(d)}, []string{"Coverage", fmt.Sprintf("%.4f", o.Coverage)},
		[]string{"Windows", fmt.Sprintf("%s measured, %s left out by the meter and bridged", grouped(o.Windows), grouped(o.Bridged))})
	if o.User != nil && o.System != nil {
		rows = append(rows, []string{"Processor time", fmt.Sprintf("%.3f s user, %.3f s system", *o.User, *o.System)})
	}
	if o.ExitCode != nil {
		rows = append(rows, []string{"Exit status", fmt.Sprint(*o.ExitCode)})
	}
	s.Tables = append(s.Tables, table{Caption: "Figures", Columns: []string{"Quantity", "Value"}, Rows: rows})
	if len(o.PhaseTotals) > 0 {
		t := table{Caption: "Phases", Columns: []string{"Phase", "Times", "Duration", "Energy", "Mean power"}}
		for i, p := range o.PhaseTotals {
			if i == shownPhases {
				t.Note = fmt.Sprintf("And %s more names, which the data have.", grouped(len(o.PhaseTotals)-i))
				break
			}
			energy, power := "not measured", "–"
			if p.Energy != nil && p.Uncertainty != nil {
				energy = plusMinus(*p.Energy, *p.Uncertainty, "J")
			}
			if p.PowerMean != nil {
				power = watts(*p.PowerMean)
			}
			t.Rows = append(t.Rows, []string{harmless.Text(p.Name), fmt.Sprint(p.Times), figures.Duration(time.Duration(p.Duration * float64(time.Second))), energy, power})
		}
		s.Tables = append(s.Tables, t)
	}
	if o.Parts != nil {
		s.Tables = append(s.Tables, budgetTable(&measure.PhaseTotal{Uncertainty: measure.Uncertainty(*o.Parts)}))
	}
	s.Method = r.jobMethod(o)
	return s
}

// calibrated says when a meter was calibrated.
func calibrated(date string) string {
	if date == "" {
		return "calibration unknown"
	}
	return "calibrated " + harmless.Text(date)
}
