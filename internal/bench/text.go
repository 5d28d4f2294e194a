package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
)

// Colors of a terminal (ECMA-48, SGR).
const (
	bold   = "1"
	green  = "32"
	yellow = "33"
)

// A Text is the report of a bench for people: energy first, then what hyperfine tells.
type Text struct {
	Table
	Color    bool // for a terminal
	Shell    bool // commands were run by a shell
	Exported bool // files were asked for
	Told     int  // how many of the warnings were told before the runs
}

func (t *Text) paint(color, text string) string {
	if !t.Color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// String returns the whole report.
func (t *Text) String() string {
	var b strings.Builder
	r := t.Result
	n := 0
	for i := range r.Series {
		if len(r.Series[i].Runs) == 0 {
			continue
		}
		if n++; n == 1 {
			b.WriteString("mean +- standard deviation of the runs; intervals are 95 % intervals of the mean\n\n")
		}
		t.series(&b, i)
		b.WriteString("\n")
	}
	if n == 0 {
		b.WriteString("no run was completed")
		if t.Exported {
			b.WriteString(", so nothing is exported")
		}
		b.WriteString("\n")
		return b.String()
	}
	t.comparison(&b)
	if r.Interrupted {
		b.WriteString("The bench was interrupted: these are the runs until then.\n")
	}
	if t.Shell {
		b.WriteString("The start of the shell is part of each run; -N does without.\n")
	}
	if r.Meter.Simulated {
		b.WriteString("The meter is simulated: no real energy was measured.\n")
	}
	for _, text := range r.Warnings[t.Told:] {
		fmt.Fprintf(&b, "%s: %s\n", t.paint(yellow, "warning"), text)
	}
	return b.String()
}

// series tells of a command.
func (t *Text) series(b *strings.Builder, i int) {
	r := t.Result
	series := &r.Series[i]
	fmt.Fprintf(b, "%s %s\n", t.paint(bold, fmt.Sprintf("Benchmark %d:", i+1)), harmless.Text(series.Name))
	line := func(label, format string, args ...any) {
		fmt.Fprintf(b, "  %-11s %s\n", label, fmt.Sprintf(format, args...))
	}
	energy, duration, power := Summarize(series, Energy), Summarize(series, Time), Summarize(series, Power)
	if energy.Runs == 0 {
		line("energy", "no run was measured as a whole")
	} else {
		line("energy", "%s", t.quantity(&energy))
		if r.Baseline != nil {
			net := Summarize(series, Net)
			line("net", "%s, above %s", t.quantity(&net), figures.WithUncertainty(r.Baseline.Power, 2*r.Baseline.Uncertainty, "W"))
		}
		line("power", "%s", spread(&power))
	}
	unit := t.Unit
	if unit == 0 {
		unit = UnitFor(duration.Mean)
	}
	in := func(v float64) string {
		number, symbol := FormatTime(v, unit)
		return number + " " + symbol
	}
	user, system := processorTimes(series)
	mean := in(duration.Mean)
	if duration.Runs > 1 {
		mean += " +- " + in(duration.Deviation)
	}
	line("time", "%s, user %s, system %s", mean, in(user), in(system))
	if duration.Runs > 1 {
		low, _ := FormatTime(duration.Min, unit)
		text := fmt.Sprintf("%s to %s", low, in(duration.Max))
		if energy.Runs > 1 {
			d := figures.Decimals(energy.Mean, energy.Deviation)
			text = fmt.Sprintf("%.*f to %.*f J, %s", d, energy.Min, d, energy.Max, text)
		}
		line("range", "%s", text)
	}
	line("runs", "%s", runsText(series))
	if energy.Runs > 0 {
		line("measuring", "%s", measuringText(series, &energy, r))
	}
	for _, text := range t.remarks(series, &energy, &duration) {
		line(t.paint(yellow, "warning")+strings.Repeat(" ", 4), "%s", text)
	}
}

// quantity writes a mean with its spread and interval.
func (t *Text) quantity(s *Statistics) string {
	text := t.paint(green, spread(s))
	if s.Interval.None() {
		return text
	}
	d := figures.Decimals(s.Mean, half(s.Interval))
	return fmt.Sprintf("%s, interval %.*f to %.*f %s", text, d, s.Interval.Low, d, s.Interval.High, s.Quantity.Unit())
}

// spread writes a mean with its standard deviation; of one run the value alone.
func spread(t *Statistics) string {
	if math.IsNaN(t.Deviation) {
		return figures.Significant(t.Mean) + " " + t.Quantity.Unit()
	}
	return figures.WithUncertainty(t.Mean, t.Deviation, t.Quantity.Unit())
}

// processorTimes returns the means in s.
func processorTimes(s *Series) (user, system float64) {
	n := float64(len(s.Runs))
	for i := range s.Runs {
		user += s.Runs[i].User.Seconds() / n
		system += s.Runs[i].System.Seconds() / n
	}
	return user, system
}

// runsText tells how many runs there were, of how many executions.
func runsText(s *Series) string {
	least, most := s.Runs[0].Executions, s.Runs[0].Executions
	for i := range s.Runs {
		least, most = min(least, s.Runs[i].Executions), max(most, s.Runs[i].Executions)
	}
	text := strconv.Itoa(len(s.Runs))
	switch {
	case most == 1:
	case least == most:
		text += fmt.Sprintf(", of %d executions each: what stands here is of one", most)
	default:
		text += fmt.Sprintf(", of %d to %d executions: what stands here is of one", least, most)
	}
	switch s.Repeated {
	case 0:
	case 1:
		text += "; 1 was repeated, since it was not measured as a whole"
	default:
		text += fmt.Sprintf("; %d were repeated, since they were not measured as a whole", s.Repeated)
	}
	return text
}

// measuringText tells the uncertainty of measuring apart from the spread of the runs.
func measuringText(s *Series, energy *Statistics, r *Result) string {
	var squares float64
	n := 0
	for i := range s.Runs {
		if run := &s.Runs[i]; run.Whole() {
			u := Energy.Uncertainty(run)
			squares += u * u
			n++
		}
	}
	text := fmt.Sprintf("a run is known to +- %s J", figures.Significant(2*math.Sqrt(squares/float64(n))))
	text += fmt.Sprintf(", of which +- %s J is alike in all", figures.Significant(energy.Systematic))
	if r.Accuracy == 0 {
		text += ", without the meter's class"
	}
	return text
}

// fewWindows is up to how many windows on a run is short.
const fewWindows = 10

// remarks says what is odd about the runs of a command.
func (t *Text) remarks(series *Series, energy, duration *Statistics) []string {
	var list []string
	failed, first := 0, 0
	windows := math.MaxInt
	whole := 0
	for i := range series.Runs {
		run := &series.Runs[i]
		if run.ExitCode != 0 {
			if failed++; first == 0 {
				first = run.ExitCode
			}
		}
		if run.Whole() {
			whole++
			windows = min(windows, run.Windows+run.Bridged)
		}
	}
	n := len(series.Runs)
	if failed > 0 {
		which := fmt.Sprintf("%d of %d runs failed", failed, n)
		if failed == n {
			which = "all runs failed"
		}
		list = append(list, fmt.Sprintf("%s: %s", which, statusText(first)))
	}
	if whole < n {
		list = append(list, fmt.Sprintf("%d of %d runs were not measured as a whole, and are not part of the energy", n-whole, n))
	}
	if n == 1 {
		list = append(list, "of one run there is no telling how far another one would be from it: --runs 10")
	}
	if whole > 0 && windows < fewWindows && t.Result.MinTime == 0 {
		list = append(list, fmt.Sprintf("a run lasts no more than %d of the meter's windows: --min-time 3s repeats the command within each run", windows))
	}
	if energy.Runs > 0 {
		list = append(list, energy.Remarks()...)
	}
	return append(list, duration.Remarks()...)
}

// comparison tells which commands take less.
func (t *Text) comparison(b *strings.Builder) {
	r := t.Result
	reference := r.Compared()
	if reference < 0 {
		return
	}
	quantities := []Quantity{Energy}
	if r.Baseline != nil {
		quantities = append(quantities, Net)
	}
	order := t.Sort.Apply(r.Series, false)
	for _, q := range quantities {
		by := map[int]*Comparison{}
		list := r.Comparisons(q)
		n := 0
		for i := range r.Series {
			if i != reference && len(r.Series[i].Runs) > 0 {
				by[i] = &list[n]
				n++
			}
		}
		if n == 0 {
			return
		}
		fmt.Fprintf(b, "%s\n", t.paint(bold, "Comparison of "+q.String()))
		for _, i := range order {
			if c := by[i]; c != nil {
				fmt.Fprintf(b, "  %s\n", c.Sentence())
			}
		}
		b.WriteString("\n")
	}
}

// Missed says that the mean of a series is less certain than a precision that was
// asked for, a share.
func (s *Series) Missed(precision float64) string {
	energy := Summarize(s, Energy)
	got := "it is not known"
	if v := energy.Precision(); !math.IsNaN(v) {
		got = fmt.Sprintf("it is %s %%", figures.Significant(100*v))
	}
	return fmt.Sprintf("the precision of %s %% was not reached for %s in %d runs: %s; --max-runs allows for more",
		figures.Significant(100*precision), quoted(s.Name), len(s.Runs), got)
}

// quoted makes the name of a command harmless in a message.
func quoted(name string) string { return strconv.Quote(harmless.Text(name)) }
