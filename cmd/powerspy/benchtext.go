package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"powerspy2/internal/bench"
	"powerspy2/internal/bench/commands"
	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
)

// The report of a bench for people: energy first, then what hyperfine tells.

// A benchStyle is how a bench tells what it has to tell.
type benchStyle struct {
	bar    bool
	color  bool
	silent bool // of results; errors are told
	told   int  // how many warnings were told before the runs
}

// newBenchStyle returns the style that was asked for, or what suits.
func newBenchStyle(e env, p *benchPlan, progress *progress) *benchStyle {
	shown := slices.Contains(p.Output, commands.OutputInherit)
	s := &benchStyle{}
	switch p.style {
	case "basic":
	case "full":
		s.bar, s.color = true, true
	case "nocolor":
		s.bar = true
	case "color":
		s.color = true
	case "none":
		s.silent, progress.quiet = true, true
	default:
		s.bar = progress.terminal && !shown
		s.color = e.stdoutTerminal && !dumb(e.getenv) && !shown && e.getenv("NO_COLOR") == ""
		return s
	}
	progress.terminal = s.bar
	return s
}

// Colors of a terminal (ECMA-48, SGR).
const (
	bold   = "1"
	green  = "32"
	yellow = "33"
)

func (s *benchStyle) paint(color, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// text is the whole report.
func (s *benchStyle) text(p *benchPlan, r *bench.Result) string {
	var b strings.Builder
	n := 0
	for i := range r.Series {
		if len(r.Series[i].Runs) == 0 {
			continue
		}
		if n++; n == 1 {
			b.WriteString("mean +- standard deviation of the runs; intervals are 95 % intervals of the mean\n\n")
		}
		s.series(&b, p, r, i)
		b.WriteString("\n")
	}
	if n == 0 {
		b.WriteString("no run was completed")
		if len(p.exports) > 0 {
			b.WriteString(", so nothing is exported")
		}
		b.WriteString("\n")
		return b.String()
	}
	s.comparison(&b, p, r)
	if r.Interrupted {
		b.WriteString("The bench was interrupted: these are the runs until then.\n")
	}
	if p.Shell != nil {
		b.WriteString("The start of the shell is part of each run; -N does without.\n")
	}
	if r.Meter.Simulated {
		b.WriteString("The meter is simulated: no real energy was measured.\n")
	}
	for _, text := range r.Warnings[s.told:] {
		fmt.Fprintf(&b, "%s: %s\n", s.paint(yellow, "warning"), text)
	}
	return b.String()
}

// series tells of a command.
func (s *benchStyle) series(b *strings.Builder, p *benchPlan, r *bench.Result, i int) {
	series := &r.Series[i]
	fmt.Fprintf(b, "%s %s\n", s.paint(bold, fmt.Sprintf("Benchmark %d:", i+1)), harmless.Text(series.Name))
	line := func(label, format string, args ...any) {
		fmt.Fprintf(b, "  %-11s %s\n", label, fmt.Sprintf(format, args...))
	}
	energy, duration, power := bench.Summarize(series, bench.Energy), bench.Summarize(series, bench.Time), bench.Summarize(series, bench.Power)
	if energy.Runs == 0 {
		line("energy", "no run was measured as a whole")
	} else {
		line("energy", "%s", s.quantity(&energy))
		if r.Baseline != nil {
			net := bench.Summarize(series, bench.Net)
			line("net", "%s, above %s", s.quantity(&net), figures.WithUncertainty(r.Baseline.Power, 2*r.Baseline.Uncertainty, "W"))
		}
		line("power", "%s", spread(&power))
	}
	unit := p.unit
	if unit == 0 {
		unit = bench.UnitFor(duration.Mean)
	}
	in := func(v float64) string {
		number, symbol := bench.FormatTime(v, unit)
		return number + " " + symbol
	}
	user, system := processorTimes(series)
	mean := in(duration.Mean)
	if duration.Runs > 1 {
		mean += " +- " + in(duration.Deviation)
	}
	line("time", "%s, user %s, system %s", mean, in(user), in(system))
	if duration.Runs > 1 {
		low, _ := bench.FormatTime(duration.Min, unit)
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
	for _, text := range s.remarks(p, series, &energy, &duration) {
		line(s.paint(yellow, "warning")+strings.Repeat(" ", 4), "%s", text)
	}
}

// quantity writes a mean with its spread and interval.
func (s *benchStyle) quantity(t *bench.Statistics) string {
	text := s.paint(green, spread(t))
	if t.Interval.None() {
		return text
	}
	half := (t.Interval.High - t.Interval.Low) / 2
	d := figures.Decimals(t.Mean, half)
	return fmt.Sprintf("%s, interval %.*f to %.*f %s", text, d, t.Interval.Low, d, t.Interval.High, t.Quantity.Unit())
}

// spread writes a mean with its standard deviation; of one run the value alone.
func spread(t *bench.Statistics) string {
	if math.IsNaN(t.Deviation) {
		return figures.Significant(t.Mean) + " " + t.Quantity.Unit()
	}
	return figures.WithUncertainty(t.Mean, t.Deviation, t.Quantity.Unit())
}

// processorTimes returns the means in s.
func processorTimes(s *bench.Series) (user, system float64) {
	n := float64(len(s.Runs))
	for i := range s.Runs {
		user += s.Runs[i].User.Seconds() / n
		system += s.Runs[i].System.Seconds() / n
	}
	return user, system
}

// runsText tells how many runs there were, of how many executions.
func runsText(s *bench.Series) string {
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
func measuringText(s *bench.Series, energy *bench.Statistics, r *bench.Result) string {
	var squares float64
	n := 0
	for i := range s.Runs {
		if run := &s.Runs[i]; run.Whole() {
			u := bench.Energy.Uncertainty(run)
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
func (s *benchStyle) remarks(p *benchPlan, series *bench.Series, energy, duration *bench.Statistics) []string {
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
		how := fmt.Sprintf("exit status %d", first)
		if first == bench.Killed {
			how = "ended by a signal"
		}
		which := fmt.Sprintf("%d of %d runs failed", failed, n)
		if failed == n {
			which = "all runs failed"
		}
		list = append(list, fmt.Sprintf("%s: %s", which, how))
	}
	if whole < n {
		list = append(list, fmt.Sprintf("%d of %d runs were not measured as a whole, and are not part of the energy", n-whole, n))
	}
	if n == 1 {
		list = append(list, "of one run there is no telling how far another one would be from it: --runs 10")
	}
	if whole > 0 && windows < fewWindows && p.MinTime == 0 {
		list = append(list, fmt.Sprintf("a run lasts no more than %d of the meter's windows: --min-time 3s repeats the command within each run", windows))
	}
	if energy.Runs > 0 {
		list = append(list, energy.Remarks()...)
	}
	return append(list, duration.Remarks()...)
}

// comparison tells which commands take less.
func (s *benchStyle) comparison(b *strings.Builder, p *benchPlan, r *bench.Result) {
	reference := r.Compared()
	if reference < 0 {
		return
	}
	quantities := []bench.Quantity{bench.Energy}
	if r.Baseline != nil {
		quantities = append(quantities, bench.Net)
	}
	order := p.sort.Apply(r.Series, false)
	for _, q := range quantities {
		by := map[int]*bench.Comparison{}
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
		fmt.Fprintf(b, "%s\n", s.paint(bold, "Comparison of "+q.String()))
		for _, i := range order {
			if c := by[i]; c != nil {
				fmt.Fprintf(b, "  %s\n", c.Sentence())
			}
		}
		b.WriteString("\n")
	}
}

// percentText writes a share as a percentage without its sign.
func percentText(share float64) string { return figures.Significant(100 * share) }

// missedText says that a command's mean is less certain than it was to be.
func missedText(p *benchPlan, s *bench.Series) string {
	energy := bench.Summarize(s, bench.Energy)
	got := "it is not known"
	if v := energy.Precision(); !math.IsNaN(v) {
		got = fmt.Sprintf("it is %s %%", percentText(v))
	}
	return fmt.Sprintf("the precision of %s %% was not reached for %s in %d runs: %s; --max-runs allows for more",
		percentText(p.runs.Precision), strconv.Quote(harmless.Text(s.Name)), len(s.Runs), got)
}
