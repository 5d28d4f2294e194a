package bench

import (
	"fmt"
	"math"
	"strings"

	"powerspy2/internal/harmless"
)

// Days are two results, of different days say, compared.
type Days struct {
	Comparisons []Comparison // of the energies of commands that both have: the second to the first
	Net         []Comparison // of net energies, where both have a baseline
	Time        []Comparison
	Missing     []string // names of commands that only one of them has
	Warnings    []string // what else differs
}

// CompareDays compares the commands of the same name in two results: the second one
// to the first as its reference. There are no rounds that both have. What
// measuring is off cancels as far as meter and baseline are the same.
func CompareDays(first, second *Result) Days {
	var d Days
	d.Warnings = differences(first, second)
	common := shared{
		meter:    first.Meter.Same(&second.Meter),
		baseline: first.Baseline != nil && second.Baseline != nil && *first.Baseline == *second.Baseline,
	}
	// Several commands may have the same name: the first is compared with the first.
	type key struct {
		name  string
		times int
	}
	number := func(list []Series) map[key]*Series {
		seen, of := map[string]int{}, map[key]*Series{}
		for i := range list {
			name := list[i].Name
			of[key{name, seen[name]}] = &list[i]
			seen[name]++
		}
		return of
	}
	before, seen := number(first.Series), map[string]int{}
	for i := range second.Series {
		s := &second.Series[i]
		k := key{s.Name, seen[s.Name]}
		seen[s.Name]++
		reference := before[k]
		if reference == nil {
			d.Missing = append(d.Missing, s.Name)
			continue
		}
		delete(before, k)
		d.Comparisons = append(d.Comparisons, compare(s, reference, Energy, false, common))
		d.Time = append(d.Time, compare(s, reference, Time, false, common))
		if first.Baseline != nil && second.Baseline != nil {
			d.Net = append(d.Net, compare(s, reference, Net, false, common))
		}
	}
	seen = map[string]int{}
	for i := range first.Series {
		name := first.Series[i].Name
		if before[key{name, seen[name]}] != nil {
			d.Missing = append(d.Missing, name)
		}
		seen[name]++
	}
	return d
}

// differences says what differs between two results besides their commands.
func differences(a, b *Result) (list []string) {
	warn := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	switch m, n := &a.Meter, &b.Meter; {
	case m.Simulated != n.Simulated:
		warn("one was measured by a simulated meter")
	case m.Serial != n.Serial || m.Hardware != n.Hardware:
		warn("they were measured by different meters: %s, serial number %d, and %s, serial number %d", harmless.Text(m.Name), m.Serial, harmless.Text(n.Name), n.Serial)
	case m.Calibration != n.Calibration:
		warn("the meter was calibrated in between: %s, then %s", harmless.Text(m.Calibration), harmless.Text(n.Calibration))
	}
	if a.Host != b.Host {
		warn("they ran on different machines: %s, then %s", hostName(a.Host), hostName(b.Host))
	}
	switch p, q := a.Baseline, b.Baseline; {
	case (p == nil) != (q == nil):
		warn("only one has a baseline, so net energies can't be compared")
	case p != nil && math.Abs(p.Power-q.Power) > 2*math.Hypot(p.Uncertainty, q.Uncertainty) && math.Abs(p.Power-q.Power) > 0.005*math.Abs(p.Power):
		warn("the idle machine drew %.2f W, then %.2f W", p.Power, q.Power)
	}
	if a.MinTime != b.MinTime {
		warn("runs had to last different times: %v, then %v", a.MinTime, b.MinTime)
	}
	return list
}

func hostName(s string) string {
	if s == "" {
		return "one without a name"
	}
	return harmless.Text(s)
}

// Text tells a person what became of the commands from the first result to the second,
// by the names of their files.
func (d *Days) Text(first, second string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s against %s\n", harmless.Text(second), harmless.Text(first))
	for _, list := range [][]Comparison{d.Comparisons, d.Net, d.Time} {
		for _, c := range list {
			c.Reference = "the one of " + first // the names are the same
			fmt.Fprintf(&b, "  %s\n", c.Sentence())
		}
	}
	for _, name := range d.Missing {
		fmt.Fprintf(&b, "  %s: only one of them has it\n", harmless.Text(name))
	}
	if len(d.Comparisons) == 0 {
		b.WriteString("No command is in both: commands are compared by their names, which bench -n gives.\n")
	}
	for _, text := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", text)
	}
	return b.String()
}
