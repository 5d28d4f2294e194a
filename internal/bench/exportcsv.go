package bench

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"

	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
)

// CSV writes hyperfine's columns, times in s, and the energies behind them. A cell
// without a value is empty.
func (t *Table) CSV(w io.Writer) error {
	r := t.Result
	indices := t.Sort.Apply(r.Series, true)
	var parameters []string
	for _, i := range indices {
		for name := range r.Series[i].Parameters {
			parameters = append(parameters, name)
		}
	}
	slices.Sort(parameters)
	parameters = slices.Compact(parameters)

	head := []string{"command", "mean", "stddev", "median", "user", "system", "min", "max"}
	for _, name := range parameters {
		head = append(head, cell("parameter_"+name))
	}
	quantities := []struct {
		name string
		Quantity
	}{{"energy_J", Energy}, {"net_energy_J", Net}, {"power_W", Power}}
	if r.Baseline == nil {
		quantities = slices.Delete(quantities, 1, 2)
	}
	head = append(head, "runs")
	for _, q := range quantities {
		for _, what := range []string{"mean", "stddev", "median", "min", "max", "ci95_low", "ci95_high", "systematic"} {
			head = append(head, q.name+"_"+what)
		}
	}
	head = append(head, "energy_ratio", "energy_ratio_ci95_low", "energy_ratio_ci95_high", "p", "verdict")

	c := csv.NewWriter(w)
	_ = c.Write(head) // Error tells
	reference := r.Compared()
	for _, i := range indices {
		s := &r.Series[i]
		long := Summarize(s, Time)
		var user, system running
		for i := range s.Runs {
			user.add(s.Runs[i].User.Seconds())
			system.add(s.Runs[i].System.Seconds())
		}
		line := []string{cell(s.Name)}
		add := func(values ...float64) {
			for _, v := range values {
				line = append(line, numeral(v))
			}
		}
		add(long.Mean, long.Deviation, long.Median, user.value(), system.value(), long.Min, long.Max)
		for _, name := range parameters {
			line = append(line, cell(s.Parameters[name]))
		}
		line = append(line, strconv.Itoa(len(s.Runs)))
		for _, q := range quantities {
			t := Summarize(s, q.Quantity)
			add(t.Mean, t.Deviation, t.Median, t.Min, t.Max, t.Interval.Low, t.Interval.High, t.Systematic)
		}
		if i == reference || reference < 0 {
			line = append(line, "", "", "", "", "")
		} else {
			c := Compare(s, &r.Series[reference], Energy, r.Order.Rounds())
			add(c.Ratio, c.Interval.Low, c.Interval.High, c.P)
			line = append(line, string(c.Verdict))
		}
		_ = c.Write(line)
	}
	c.Flush()
	return c.Error()
}

func numeral(v float64) string {
	if result.Number(v) == nil {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// cell makes a text harmless to spreadsheets: what looks like a formula is marked as
// text, unless it is a number.
func cell(s string) string {
	s = harmless.Text(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return "'" + s
		}
	}
	return s
}
