package bench_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/bench"
	"powerspy2/measure"
)

// series returns runs of these energies, a minute apart, each 3 s long.
func series(name string, energies ...float64) *bench.Series {
	s := &bench.Series{Command: bench.Command{Name: name}}
	for i, e := range energies {
		s.Runs = append(s.Runs, bench.Run{
			Round: i, Start: begin.Add(time.Duration(i) * time.Minute), Executions: 1, Duration: 3 * time.Second,
			Energy: e, Net: math.NaN(), Power: e / 3, Coverage: 1,
		})
	}
	return s
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) && !(math.IsNaN(got) && math.IsNaN(want)) {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

func TestSummarize(t *testing.T) {
	s := bench.Summarize(series("a", 1, 2, 3, 4, 5), bench.Energy)
	// 2.776 is the quantile of Student's distribution of 4 degrees of freedom.
	half := 2.7764451 * math.Sqrt(2.5/5)
	near(t, "mean", s.Mean, 3, 1e-12)
	near(t, "deviation", s.Deviation, math.Sqrt(2.5), 1e-12)
	near(t, "median", s.Median, 3, 0)
	near(t, "least", s.Min, 1, 0)
	near(t, "most", s.Max, 5, 0)
	near(t, "scatter", s.Scatter, half, 1e-6)
	near(t, "low", s.Interval.Low, 3-half, 1e-6)
	near(t, "high", s.Interval.High, 3+half, 1e-6)
	near(t, "systematic", s.Systematic, 0, 0)
	near(t, "drift", s.Drift.Change, 4./3, 1e-9)
	if !s.Drift.Told || s.Drift.P > 1e-6 {
		t.Errorf("the drift is not told: %+v", s.Drift)
	}

	one := series("a", 7)
	one.Runs[0].Uncertainty = measure.Uncertainty{Edges: 3, Meter: 0.5}
	s = bench.Summarize(one, bench.Energy)
	if s.Mean != 7 || s.Median != 7 || s.Systematic != 1 || !math.IsNaN(s.Deviation) || !math.IsNaN(s.Scatter) || !s.Interval.None() || len(s.Remarks()) > 0 {
		t.Errorf("of one run: %+v", s)
	}
	if u := bench.Energy.Uncertainty(&one.Runs[0]); math.Abs(u-math.Hypot(3, 0.5)) > 1e-12 {
		t.Errorf("one run is uncertain by %g J", u)
	}
	if s = bench.Summarize(series("a"), bench.Energy); s.Runs != 0 || !math.IsNaN(s.Mean) || !s.Interval.None() {
		t.Errorf("of none: %+v", s)
	}
	if s = bench.Summarize(series("a", 5, 5, 5, 5, 5, 5), bench.Energy); s.Scatter != 0 || s.Interval != (bench.Interval{Low: 5, High: 5}) || len(s.Remarks()) > 0 {
		t.Errorf("of runs that are alike: %+v", s)
	}
}

// TestRemarks: outliers, a drift and a first run that differs are told, in the mean all
// the same.
func TestRemarks(t *testing.T) {
	noise := []float64{0.1, -0.3, 0.2, -0.1, 0.3, -0.2, 0.25, -0.15, 0.05, -0.15}
	of := func(f func(i int) float64) *bench.Series {
		var list []float64
		for i, n := range noise {
			list = append(list, 100+n+f(i))
		}
		return series("a", list...)
	}
	for _, tt := range []struct {
		name string
		of   func(i int) float64
		want string
	}{
		{"none", func(int) float64 { return 0 }, ""},
		{"an outlier", func(i int) float64 {
			if i == 6 {
				return 20
			}
			return 0
		}, "run 7 is far from the others in energy: 120.2 J"},
		{"two", func(i int) float64 {
			if i == 6 || i == 8 {
				return 20 - float64(i)
			}
			return 0
		}, "2 runs are far from the others in energy, run 7 the farthest: 114.2 J"},
		{"a drift", func(i int) float64 { return float64(i) }, "the energy drifted by +8.6 % from the first run to the last"},
		{"a cold start", func(i int) float64 {
			if i == 0 {
				return 2
			}
			return 0
		}, "the first run differs from the others by +2.1 % in energy"},
	} {
		s := of(tt.of)
		sum := bench.Summarize(s, bench.Energy)
		if got := strings.Join(sum.Remarks(), "; "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if sum.Runs != len(noise) {
			t.Errorf("%s: %d runs count", tt.name, sum.Runs)
		}
	}
}

// TestOutliersByChance: of few runs without any outlier, one is told in no more than
// about 1 of 100 benches; one that is far off is told.
func TestOutliersByChance(t *testing.T) {
	const benches = 4000
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 2; n <= 10; n++ {
		told := 0
		for range benches {
			energies := make([]float64, n)
			for i := range energies {
				energies[i] = 100 + rng.NormFloat64()
			}
			if s := bench.Summarize(series("a", energies...), bench.Energy); len(s.Outliers) > 0 {
				told++
			}
		}
		if share := float64(told) / benches; share > 0.017 {
			t.Errorf("of %d runs one is an outlier in %.1f %% of the benches", n, 100*share)
		}
	}
	s := bench.Summarize(series("a", 100, 101, 99, 100.5, 99.5, 150), bench.Energy)
	if len(s.Outliers) != 1 || s.Outliers[0].Run != 5 {
		t.Errorf("of six runs one is far off, and %v is told", s.Outliers)
	}
}

// TestCompareMethods: where logarithms or ratios say nothing, another method does, and
// says so.
func TestCompareMethods(t *testing.T) {
	positive := []float64{10, 11, 10.5, 9.8, 10.2}
	tests := []struct {
		name    string
		a, b    []float64
		rounds  bool
		method  bench.Method
		verdict bench.Verdict
		reason  string
		ratio   float64
	}{
		{"by rounds", []float64{5, 5.4, 5.2, 4.9, 5.1}, positive, true, bench.ByRounds, bench.Less, "", 0.497},
		{"one after the other", []float64{5, 5.4, 5.2, 4.9, 5.1}, positive, false, bench.ByMeans, bench.Less, "", 0.497},
		{"a negative run", []float64{0.1, -0.1, 0.2, 0.3, 0.1}, positive, true, bench.ByMeans, bench.Less, "the energy of a run is 0 or less", 0.0117},
		{"a mean of zero", []float64{-1, 1, -2, 2, 0}, positive, true, bench.ByMeans, bench.Less, "the energy of a run is 0 or less", 0},
		{"a negative mean", []float64{-5, -5.1, -4.9, -5.2, -4.8}, positive, true, bench.ByMeans, bench.Less, "the energy of a run is 0 or less", -0.485},
		{"a reference around zero", positive, []float64{0.1, -0.2, 0.3, -0.1, 0}, true, bench.ByDifference, bench.More, "the energy of the reference is not clearly above 0", math.NaN()},
		{"a negative reference", positive, []float64{-5, -5.1, -4.9, -5.2, -4.8}, false, bench.ByDifference, bench.More, "the energy of the reference is not clearly above 0", math.NaN()},
		{"both around zero", []float64{0.2, -0.1, 0.1, -0.3, 0.2}, []float64{0.1, -0.2, 0.3, -0.1, 0}, true, bench.ByDifference, bench.NoDifference, "the energy of the reference is not clearly above 0", math.NaN()},
		{"the same numbers", positive, positive, true, bench.ByRounds, bench.NoDifference, "", 1},
		{"all alike", []float64{3, 3, 3}, []float64{2, 2, 2}, true, bench.ByRounds, bench.More, "", 1.5},
		{"all alike, one after the other", []float64{3, 3, 3}, []float64{2, 2, 2}, false, bench.ByMeans, bench.More, "", 1.5},
		{"all zero", []float64{0, 0, 0}, []float64{0, 0, 0}, true, bench.ByDifference, bench.NoDifference, "the energy of the reference is not clearly above 0", math.NaN()},
		{"one round", []float64{5}, positive, true, bench.NoMethod, bench.Undecided, "", 0.485},
		{"one run of each", []float64{5}, []float64{10}, false, bench.NoMethod, bench.Undecided, "", 0.5},
		{"no run", nil, positive, true, bench.NoMethod, bench.Undecided, "", math.NaN()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := bench.Compare(series("a", tt.a...), series("b", tt.b...), bench.Energy, tt.rounds)
			if c.Method != tt.method || c.Verdict != tt.verdict || !strings.HasPrefix(c.Reason, tt.reason) || tt.reason == "" && c.Reason != "" {
				t.Errorf("unexpected comparison %+v", c)
			}
			near(t, "ratio", c.Ratio, tt.ratio, 0.001)
			if c.Interval.None() != (c.Method != bench.ByRounds && c.Method != bench.ByMeans) || c.DifferenceInterval.None() != (c.Method != bench.ByDifference) {
				t.Errorf("unexpected intervals %+v", c)
			}
			if math.IsNaN(c.P) != (c.Verdict == bench.Undecided) {
				t.Errorf("p = %g", c.P)
			}
			if s := c.Sentence(); !strings.HasPrefix(s, "a") || strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("sentence: %s", s)
			} else {
				t.Log(s)
			}
		})
	}
}

// TestComparePartial: a run that was not measured as a whole has no part in it, nor has
// that of the other command in its round.
func TestComparePartial(t *testing.T) {
	a, b := series("a", 10, 11, 1000, 12, 11), series("b", 20, 22, 22, 24, 22)
	a.Runs[2].Coverage = 0.9
	c := bench.Compare(a, b, bench.Energy, true)
	if c.Runs != 4 || c.Ratio != 0.5 || c.Verdict != bench.Less {
		t.Errorf("unexpected comparison %+v", c)
	}
	if c := bench.Compare(a, b, bench.Time, true); c.Runs != 5 || c.Ratio != 1 {
		t.Errorf("of times: %+v", c)
	}
	if c := bench.Compare(a, b, bench.Net, true); c.Runs != 0 || c.Verdict != bench.Undecided || !math.IsNaN(c.Ratio) {
		t.Errorf("of net energies without a baseline: %+v", c)
	}
	// Rounds are matched, not counted: b has lost its first run.
	b.Runs = b.Runs[1:]
	if c := bench.Compare(a, b, bench.Energy, true); c.Runs != 3 || math.Abs(c.Ratio-0.5) > 1e-12 {
		t.Errorf("of later rounds: %+v", c)
	}
}

// TestVerdict: verdict, interval and probability say the same, whatever the numbers.
func TestVerdict(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	verdicts := map[bench.Verdict]int{}
	methods := map[bench.Method]int{}
	for range 2000 {
		n := 2 + rnd.IntN(8)
		of := func(name string) *bench.Series {
			mean, spread := 3*rnd.Float64(), math.Exp(3*rnd.NormFloat64()-2)
			var list []float64
			for range n {
				list = append(list, mean+spread*rnd.NormFloat64())
			}
			s := series(name, list...)
			for i := range s.Runs {
				s.Runs[i].Uncertainty = measure.Uncertainty{Time: 0.1 * mean, Meter: 0.1 * mean}
			}
			return s
		}
		c := bench.Compare(of("a"), of("b"), bench.Energy, rnd.IntN(2) == 0)
		verdicts[c.Verdict]++
		methods[c.Method]++
		i, same, at := c.Interval, 1., c.Ratio
		if c.Method == bench.ByDifference {
			i, same, at = c.DifferenceInterval, 0, c.Difference
		}
		told := i.Low > same || i.High < same
		right := c.Verdict == bench.NoDifference
		if told {
			right = c.Verdict == bench.More && at > same || c.Verdict == bench.Less && at < same
		}
		if !right || told != (c.P < 0.05) || !(i.Low <= at && at <= i.High) || !(c.P >= 0 && c.P <= 1) {
			t.Fatalf("unexpected comparison %+v", c)
		}
	}
	if len(verdicts) != 3 || len(methods) != 3 {
		t.Errorf("%v, %v", verdicts, methods)
	}
}

func TestBest(t *testing.T) {
	list := []bench.Series{*series("a", 5, 7), *series("b"), *series("c", 4, 6), *series("d", 9)}
	list[3].Runs[0].Coverage = 0
	if i := bench.Best(list, bench.Energy); i != 2 {
		t.Errorf("the best is %d", i)
	}
	if i := bench.Best(list[1:2], bench.Energy); i != -1 {
		t.Errorf("the best of none is %d", i)
	}
}

// TestMeasured: what the meter said is shared by the executions.
func TestMeasured(t *testing.T) {
	s := &measure.Span{
		From: begin, To: begin.Add(10 * time.Second), Covered: 8 * time.Second, Energy: 400, Windows: 390, Bridged: 10,
		Uncertainty: measure.Uncertainty{Edges: 1, LeftOut: 2, Time: 3, Resolution: 4, Meter: 5},
	}
	base := &baseline.Baseline{Power: 20, Uncertainty: 0.5}
	r := bench.Run{Executions: 4}
	r.Measured(s, base)
	if r.Energy != 100 || r.Power != 50 || r.Net != 60 || r.BaselineUncertainty != 1 || r.Coverage != 0.8 || r.Windows != 390 || r.Bridged != 10 ||
		r.Uncertainty != (measure.Uncertainty{Edges: 0.25, LeftOut: 0.5, Time: 0.75, Resolution: 1, Meter: 1.25}) {
		t.Errorf("unexpected run %+v", r)
	}
	if r.Whole() || !math.IsNaN(bench.Energy.Value(&r)) || bench.Power.Value(&r) != 50 {
		t.Error("80 % count as a whole")
	}
	r.Coverage = 1
	// The meter's class is in proportion to what is left of the energy.
	near(t, "uncertainty of the net energy", bench.Net.Uncertainty(&r), math.Sqrt(0.25*0.25+0.5*0.5+0.75*0.75+1+0.75*0.75+1), 1e-12)
	r.Measured(s, nil)
	if !math.IsNaN(r.Net) {
		t.Errorf("a net energy of %g J without a baseline", r.Net)
	}
	r.Measured(&measure.Span{From: begin, To: begin.Add(time.Second)}, base)
	if !math.IsNaN(r.Energy) || !math.IsNaN(r.Net) || !math.IsNaN(r.Power) || r.Coverage != 0 || r.Whole() {
		t.Errorf("of nothing: %+v", r)
	}
}
