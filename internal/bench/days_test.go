package bench_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/result"
)

func TestCompareDays(t *testing.T) {
	day := func(factor float64, names ...string) *bench.Result {
		r := &bench.Result{Reference: -1, Host: "desk", Meter: result.Meter{Name: "PowerSpy", Serial: 7, Calibration: "2025-11-03"}}
		for _, name := range names {
			r.Series = append(r.Series, *series(name, 100*factor, 102*factor, 98*factor, 101*factor, 99*factor))
		}
		return r
	}
	first, second := day(1, "a", "b", "b", "gone"), day(0.9, "b", "b", "a", "new", "b")
	second.Series[1].Runs = second.Series[1].Runs[:1]
	d := bench.CompareDays(first, second)
	if len(d.Comparisons) != 3 || len(d.Time) != 3 || d.Net != nil || d.Warnings != nil || !slices.Equal(d.Missing, []string{"new", "b", "gone"}) {
		t.Fatalf("%+v", d)
	}
	for i, c := range d.Comparisons {
		want := bench.Less
		if i == 1 {
			want = bench.Undecided // one run
		}
		if c.Verdict != want || c.Method == bench.ByRounds || c.Command != c.Reference {
			t.Errorf("%+v", c)
		}
	}

	for _, tt := range []struct {
		name string
		edit func(*bench.Result)
		want string
	}{
		{"meter", func(r *bench.Result) { r.Meter.Serial = 8; r.Meter.Name = "\x1b[2J" }, `different meters: PowerSpy, serial number 7, and \x1b[2J, serial number 8`},
		{"simulated", func(r *bench.Result) { r.Meter.Simulated = true }, "simulated"},
		{"calibration", func(r *bench.Result) { r.Meter.Calibration = "2026-02-01" }, "calibrated in between: 2025-11-03, then 2026-02-01"},
		{"host", func(r *bench.Result) { r.Host = "" }, "different machines: desk, then one without a name"},
		{"baseline", func(r *bench.Result) { r.Baseline = &bench.Baseline{Power: 12} }, "only one has a baseline"},
		{"time", func(r *bench.Result) { r.MinTime = 3 * time.Second }, "0s, then 3s"},
	} {
		other := day(1, "a")
		tt.edit(other)
		if w := bench.CompareDays(first, other).Warnings; len(w) != 1 || !strings.Contains(w[0], tt.want) {
			t.Errorf("%s: %q", tt.name, w)
		}
	}

	// Net energies are compared where both have a baseline; it is told that it differs
	// only where it does by more than it is uncertain.
	for power, warnings := range map[float64]int{12.05: 0, 13: 1} {
		a, b := day(1, "a"), day(1, "a")
		for r, p := range map[*bench.Result]float64{a: 12, b: power} {
			r.Baseline = &bench.Baseline{Power: p, Uncertainty: 0.03}
			for i := range r.Series[0].Runs {
				x := &r.Series[0].Runs[i]
				x.Net, x.BaselineUncertainty = x.Energy-3*p, 3*0.03
			}
		}
		d := bench.CompareDays(a, b)
		if len(d.Net) != 1 || d.Net[0].Systematic == 0 || len(d.Warnings) != warnings {
			t.Errorf("%g W: %+v", power, d)
		}
	}

	// Another meter is off by another amount: its class is part of the interval.
	for serial, part := range map[uint16]bool{7: false, 8: true} {
		a, b := day(1, "a"), day(1, "a")
		b.Meter.Serial = serial
		for _, r := range []*bench.Result{a, b} {
			for i := range r.Series[0].Runs {
				r.Series[0].Runs[i].Uncertainty.Meter = 0.01 * r.Series[0].Runs[i].Energy
			}
		}
		c := bench.CompareDays(a, b).Comparisons[0]
		if (c.Systematic > 0) != part || part && c.Interval.High-c.Interval.Low < 0.05 {
			t.Errorf("meter %d: %+v", serial, c)
		}
	}
}
