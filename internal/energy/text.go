package energy

import (
	"fmt"
	"io"
	"strings"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
)

// mostTold bounds the phases and gaps that are listed for a person.
const mostTold = 30

// timeOfDay is the layout of a moment in local time.
const timeOfDay = "15:04:05.000"

// Text writes the report for people, as perf stat and time have theirs.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", label, fmt.Sprintf(format, args...))
	}
	s, u := &r.Span, r.Span.Uncertainty.Expanded()
	b.WriteString("\n")
	if r.Measured() {
		line("energy", "%s = %s", figures.WithUncertainty(s.Energy, u, "J"), figures.WithUncertainty(s.Energy/figures.JoulesPerWh, u/figures.JoulesPerWh, "Wh"))
		if r.Baseline != nil {
			line("net", "%s above %s when idle", figures.WithUncertainty(r.Net, r.NetExpanded(), "J"), figures.WithUncertainty(r.Baseline.Power, 2*r.Baseline.Uncertainty, "W"))
		}
		line("power", "mean %.2f W, lowest %.2f W, highest %.2f W", s.Power(), s.PowerMin, s.PowerMax)
	} else {
		line("energy", "nothing was measured")
	}
	line("duration", "%s", figures.Duration(s.Duration()))
	if j := r.Job; j != nil {
		line("processor", "%.3f s user, %.3f s system", j.User.Seconds(), j.System.Seconds())
		if size := float64(j.MaxRSS) / (1 << 20); j.Small {
			line("memory", "under %.1f MiB, what powerspy itself has", size)
		} else {
			line("memory", "%.1f MiB at its peak", size)
		}
		if j.Signal != 0 {
			line("ended by", "signal %d, %v", int(j.Signal), j.Signal)
		} else if j.Code != 0 {
			line("exit status", "%d", j.Code)
		}
	}
	if r.Measured() {
		if r.Cost != nil {
			line("cost", "%s at %s", strings.TrimSpace(figures.Significant(r.Cost.Of(s.Energy))+" "+r.Cost.Unit), r.Cost.Text)
		}
		if r.Carbon != nil {
			line("carbon", "%s g at %s", figures.Significant(r.Carbon.Of(s.Energy)), r.Carbon.Text)
		}
		if r.Work != nil {
			line("per "+r.Work.Unit, "%s", figures.WithUncertainty(s.Energy/r.Work.Count, u/r.Work.Count, "J"))
		}
	}
	r.tellPhases(&b)
	if len(r.Gaps) > 0 || s.Coverage() < 1 {
		what := ": the energy is that of the rest"
		if !r.Measured() {
			what = ""
		}
		line("not measured", "%s of %s (coverage %.2f %%)%s", figures.Duration(s.Duration()-s.Covered), figures.Duration(s.Duration()), 100*s.Coverage(), what)
		for i, g := range r.Gaps {
			if i == mostTold {
				line("", "and %d more times", len(r.Gaps)-i)
				break
			}
			line("", "%s to %s: %s", g.From.Format(timeOfDay), g.To.Format(timeOfDay), g.Reason)
		}
	}
	if n := s.Windows + s.Bridged; s.Bridged > 0 {
		line("left out", "%d of %d windows by the meter (bridged)", s.Bridged, n)
	}
	if r.Meter != nil && r.Meter.Simulated {
		line("meter", "simulated: no real energy was measured")
	}
	for _, text := range r.Warnings {
		line("warning", "%s", text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tellPhases writes a table of the totals of phases.
func (r *Result) tellPhases(b *strings.Builder) {
	if len(r.Totals) == 0 {
		return
	}
	width := len("phase")
	names := make([]string, min(len(r.Totals), mostTold))
	for i := range names {
		names[i] = harmless.Text(r.Totals[i].Name)
		if short := []rune(names[i]); len(short) > 40 {
			names[i] = string(short[:39]) + "~"
		}
		width = max(width, len([]rune(names[i])))
	}
	fmt.Fprintf(b, "\n  %-*s %5s %12s %14s %10s %10s\n", width, "phase", "times", "duration/s", "energy/J", "+-/J", "power/W")
	for i, name := range names {
		t := &r.Totals[i]
		if t.Duration == 0 {
			fmt.Fprintf(b, "  %-*s %5d %12.3f %14.3f %10.3f %10s\n", width, name, t.Times, 0., 0., 0., "-")
			continue
		}
		if t.Covered <= 0 {
			fmt.Fprintf(b, "  %-*s %5d %12.3f %14s\n", width, name, t.Times, t.Duration.Seconds(), "not measured")
			continue
		}
		u := t.Uncertainty.Expanded()
		d := figures.Decimals(t.Energy, u)
		fmt.Fprintf(b, "  %-*s %5d %12.3f %14.*f %10.*f %10.2f\n", width, name, t.Times, t.Duration.Seconds(), d, t.Energy, d, u, t.Power())
	}
	if more := len(r.Totals) - len(names); more > 0 {
		fmt.Fprintf(b, "  and %d more names; --format json has all of them\n", more)
	}
	b.WriteString("\n")
}
