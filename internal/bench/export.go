package bench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/figures"
	"powerspy2/internal/result"
)

// A Sort is the order of commands in a table.
type Sort int

// The orders of tables.
const (
	SortAuto    Sort = iota // comparisons by mean energy, exports as the commands were given
	SortCommand             // as the commands were given
	SortTime                // by mean time
	SortEnergy              // by mean energy
)

var sorts = [...]string{"auto", "command", "mean-time", "energy"}

// Sorts returns the names of the sorts.
func Sorts() []string { return slices.Clone(sorts[:]) }

// String returns the name of the sort.
func (s Sort) String() string { return sorts[s] }

// ParseSort returns the sort of a name.
func ParseSort(s string) (Sort, error) {
	if i := slices.Index(sorts[:], s); i >= 0 {
		return Sort(i), nil
	}
	return 0, fmt.Errorf("unknown order %q", s)
}

// Apply returns the indices of the series that have runs in the order of a table:
// of a comparison that people read, or of an export.
func (s Sort) Apply(list []Series, export bool) []int {
	if s == SortAuto {
		if s = SortEnergy; export {
			s = SortCommand
		}
	}
	var indices []int
	means := make([]float64, len(list))
	for i := range list {
		if len(list[i].Runs) == 0 {
			continue
		}
		indices = append(indices, i)
		q := Energy
		if s == SortTime {
			q = Time
		}
		if means[i] = Summarize(&list[i], q).Mean; math.IsNaN(means[i]) {
			means[i] = math.Inf(1)
		}
	}
	if s != SortCommand {
		slices.SortStableFunc(indices, func(i, j int) int { return cmp.Compare(means[i], means[j]) })
	}
	return indices
}

// TimeUnits are hyperfine's, by name.
var TimeUnits = []struct {
	Name, Symbol string
	Length       time.Duration
}{
	{"microsecond", "µs", time.Microsecond},
	{"millisecond", "ms", time.Millisecond},
	{"second", "s", time.Second},
}

// UnitFor returns the unit that suits a time in s.
func UnitFor(s float64) time.Duration {
	switch s = math.Abs(s); {
	case s < 1e-3:
		return time.Microsecond
	case s < 1:
		return time.Millisecond
	}
	return time.Second
}

// FormatTime returns a time in s as a number of a unit, with hyperfine's decimals,
// and the unit's symbol.
func FormatTime(s float64, unit time.Duration) (number, symbol string) {
	decimals, symbol := 1, "s"
	for _, u := range TimeUnits {
		if u.Length == unit {
			symbol = u.Symbol
		}
	}
	if unit == time.Second {
		decimals = 3
	}
	if math.IsNaN(s) {
		return "", symbol
	}
	return fmt.Sprintf("%.*f", decimals, s*float64(time.Second)/float64(unit)), symbol
}

// A Table is what tables are exported from.
type Table struct {
	Result *Result
	Sort   Sort
	Unit   time.Duration // of times: one of TimeUnits; 0: what suits the first command
}

// A row is a command in a table, its cells without the marks of a format: the
// name comes apart from the others.
type row struct {
	name  string
	cells []string
}

// rows returns the head of the columns and the rows: hyperfine's columns, and those
// of energy beside.
func (t *Table) rows() (head []string, rows []row) {
	r := t.Result
	indices := t.Sort.Apply(r.Series, true)
	if len(indices) == 0 {
		return nil, nil
	}
	unit := t.Unit
	if unit == 0 {
		unit = UnitFor(Summarize(&r.Series[indices[0]], Time).Mean)
	}
	_, symbol := FormatTime(0, unit)
	head = []string{
		"Command", "Mean [" + symbol + "]", "Min [" + symbol + "]", "Max [" + symbol + "]", "Relative",
		"Energy [J]", "Min [J]", "Max [J]", "Power [W]", "Relative energy",
	}
	if r.Baseline != nil {
		head = slices.Insert(head, 8, "Net energy [J]")
	}
	fastest := Best(r.Series, Time)
	reference := r.Compared()
	for _, i := range indices {
		s := &r.Series[i]
		long, energy := Summarize(s, Time), Summarize(s, Energy)
		timeOf := func(v float64) string { text, _ := FormatTime(v, unit); return text }
		mean := timeOf(long.Mean)
		if long.Runs > 1 {
			mean += " ± " + timeOf(long.Deviation)
		}
		cells := []string{mean, timeOf(long.Min), timeOf(long.Max), relativeTime(s, &r.Series[fastest], i == fastest)}
		low := []float64{energy.Min, energy.Max}
		cells = append(cells, withDeviation(&energy), digits(low[0], energy.Deviation), digits(low[1], energy.Deviation))
		if r.Baseline != nil {
			net := Summarize(s, Net)
			cells = append(cells, withDeviation(&net))
		}
		power := Summarize(s, Power)
		cells = append(cells, withDeviation(&power))
		relative := "1.000"
		switch {
		case reference < 0:
			relative = ""
		case i != reference:
			c := Compare(s, &r.Series[reference], Energy, r.Order.Rounds())
			relative = ratioText(&c)
		}
		rows = append(rows, row{s.Name, append(cells, relative)})
	}
	return head, rows
}

// relativeTime is hyperfine's: times the fastest, with the standard deviation of one
// run to another.
func relativeTime(s, fastest *Series, is bool) string {
	a, b := Summarize(s, Time), Summarize(fastest, Time)
	switch {
	case is:
		return "1.00"
	case !(b.Mean > 0):
		return ""
	case math.IsNaN(a.Deviation) || math.IsNaN(b.Deviation):
		return fmt.Sprintf("%.2f", a.Mean/b.Mean)
	}
	ratio := a.Mean / b.Mean
	return fmt.Sprintf("%.2f ± %.2f", ratio, ratio*math.Hypot(a.Deviation/a.Mean, b.Deviation/b.Mean))
}

// withDeviation returns a mean with the standard deviation of the runs, as hyperfine's
// columns and the report for people have it.
func withDeviation(t *Statistics) string {
	if math.IsNaN(t.Mean) || math.IsNaN(t.Deviation) {
		return digits(t.Mean, math.NaN())
	}
	d := figures.Decimals(t.Mean, t.Deviation)
	return fmt.Sprintf("%.*f ± %.*f", d, t.Mean, d, t.Deviation)
}

func ratioText(c *Comparison) string {
	switch {
	case math.IsNaN(c.Ratio):
		return ""
	case c.Interval.None():
		return fmt.Sprintf("%.3f", c.Ratio)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", c.Ratio, c.Interval.Low, c.Interval.High)
}

// digits writes v to the second digit of what it is uncertain by; where that is not
// known, with three digits. "" for no number.
func digits(v, off float64) string {
	switch off = math.Abs(off); {
	case result.Number(v) == nil:
		return ""
	case off > 0 && !math.IsInf(off, 0):
		return fmt.Sprintf("%.*f", figures.Decimals(v, off), v)
	}
	return figures.Significant(v)
}

// markup is how a format writes a table.
type markup struct {
	before, after string
	row           func(cells []string) string
	divider       func(columns int) string
	name          func(string) string
}

func (t *Table) write(w io.Writer, m *markup) error {
	head, rows := t.rows()
	if len(rows) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString(m.before)
	b.WriteString(m.row(head))
	b.WriteString(m.divider(len(head)))
	for _, r := range rows {
		b.WriteString(m.row(append([]string{m.name(r.name)}, r.cells...)))
	}
	b.WriteString(m.after)
	_, err := io.WriteString(w, b.String())
	return err
}
