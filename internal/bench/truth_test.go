package bench_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"powerspy2/internal/bench"
)

// TestTruth compares commands whose difference is known, with a spread of 2 % from
// run to run.
func TestTruth(t *testing.T) {
	for i, tt := range []struct {
		difference float64
		runs       int
		order      bench.Order
		found      float64 // at least so many find it, %
	}{
		{0, 10, bench.Interleaved, 0},
		{0, 30, bench.Interleaved, 0},
		{-0.005, 30, bench.Interleaved, 10},
		{-0.02, 30, bench.Interleaved, 90},
		{0.1, 30, bench.Interleaved, 100},
		{0, 10, bench.Sequential, 0},
		{-0.02, 30, bench.Sequential, 90},
		{0, 5, bench.Random, 0},
		{0.02, 30, bench.Random, 90},
	} {
		t.Run(fmt.Sprintf("%g %%, %d runs, %v", 100*tt.difference, tt.runs, tt.order), func(t *testing.T) {
			ratio := 1 + tt.difference
			p := plan(2, tt.runs, tt.order)
			c := many(t, uint64(i), p, bench.Energy, ratio, func(seed uint64) *lab { return newLab(seed, 300, 300*ratio) })
			rate(t, "the interval holds the truth", c.held, 92, 98)
			if slack == 0 && tt.order == bench.Interleaved {
				onPage(t, fmt.Sprintf("| %g %% | %d | %.0f %% | %.0f %% | %.0f %% | %.0f %% |", 100*tt.difference, tt.runs,
					percent(c.less), percent(c.more), percent(c.none), percent(c.held)))
			}
			switch {
			case tt.difference < 0:
				rate(t, "less", c.less, tt.found, 100)
				rate(t, "more", c.more, 0, 1)
			case tt.difference > 0:
				rate(t, "more", c.more, tt.found, 100)
				rate(t, "less", c.less, 0, 1)
			default:
				rate(t, "less or more", c.less+c.more, 0, 7.5)
			}
		})
	}
}

// TestOrder: the room warms up, so that energies rise by 5 % over the bench. Runs of
// the same round meet the same room.
func TestOrder(t *testing.T) {
	const runs = 30
	for i, difference := range []float64{0, -0.02} {
		ratio := 1 + difference
		of := func(seed uint64) *lab {
			l := newLab(seed, 300, 300*ratio)
			l.drift, l.over = 0.05, 2*runs*3*time.Second
			return l
		}
		together := many(t, uint64(10+i), plan(2, runs, bench.Interleaved), bench.Energy, ratio, of)
		drawn := many(t, uint64(12+i), plan(2, runs, bench.Random), bench.Energy, ratio, of)
		apart := many(t, uint64(14+i), plan(2, runs, bench.Sequential), bench.Energy, ratio, of)
		for order, c := range map[bench.Order]*tally{bench.Interleaved: &together, bench.Random: &drawn, bench.Sequential: &apart} {
			if slack == 0 { // as many benches as the page is about
				onPage(t, fmt.Sprintf("| %g %% | %v | %.0f %% | %.0f %% | %.0f %% | %.0f %% |", 100*difference, order,
					percent(c.less), percent(c.more), percent(c.none), percent(c.held)))
			}
		}
		for _, c := range []*tally{&together, &drawn} {
			rate(t, "rounds: the interval holds the truth", c.held, 92, 99)
			if difference != 0 {
				rate(t, "rounds: less", c.less, 90, 100)
			} else {
				rate(t, "rounds: less or more", c.less+c.more, 0, 7.5)
			}
		}
		rate(t, "one after the other: the interval holds the truth", apart.held, 0, 10)
		rate(t, "one after the other: less", apart.less, 0, 5)
	}
}

// TestDriftTold: a drift is told, and none where there is none.
func TestDriftTold(t *testing.T) {
	told := func(drift float64, seed uint64, order bench.Order) (n int) {
		for i := range uint64(benches) {
			l := newLab(1000*seed+i, 300, 300)
			l.drift, l.over = drift, 2*30*3*time.Second
			o := l.carryOut(t, plan(2, 30, order))
			any := false
			for k := range o.Series {
				s := bench.Summarize(&o.Series[k], bench.Energy)
				if any = any || s.Drift.Told; s.Drift.Told && math.Abs(s.Drift.Change-drift) > 0.05 {
					t.Errorf("a drift of %g %% is told as %g %%", 100*drift, 100*s.Drift.Change)
				}
			}
			if any {
				n++
			}
		}
		return n
	}
	rate(t, "told without a drift", told(0, 20, bench.Interleaved), 0, 5)
	rate(t, "told of 5 %", told(0.05, 21, bench.Interleaved), 90, 100)
	rate(t, "told of 5 %, of which each command has seen half", told(0.05, 22, bench.Sequential), 20, 60)
}

// TestPrecision: runs go on until the mean is known to 1 %.
func TestPrecision(t *testing.T) {
	p := plan(1, 0, bench.Interleaved)
	p.Precision = 0.01
	p.SetRuns(0, 0, 0)
	held, runs := 0, 0
	for seed := range uint64(benches) {
		o := newLab(30_000+seed, 300).carryOut(t, p)
		s := bench.Summarize(&o.Series[0], bench.Energy)
		runs += s.Runs
		if !(s.Precision() < p.Precision) || o.Missed != nil {
			t.Errorf("it stopped after %d runs at %g %%", s.Runs, 100*s.Precision())
		}
		if s.Interval.Low <= 300 && 300 <= s.Interval.High {
			held++
		}
	}
	rate(t, "the interval holds the truth", held, 90, 98)
	if mean := float64(runs) / benches; mean < 12 || mean > 30 {
		t.Errorf("it took %.1f runs", mean)
	}

	p.MaxRuns = 12
	l := newLab(1, 300)
	l.spread = 0.1
	o := l.carryOut(t, p)
	if n := len(o.Series[0].Runs); n != 12 || len(o.Missed) != 1 {
		t.Errorf("%d runs, missed %v", n, o.Missed)
	}
}

// TestSystematic: what the meter is off by the same in all runs widens the interval
// of a mean, and cancels in a ratio.
func TestSystematic(t *testing.T) {
	const ratio, idle = 0.98, 40.
	p := plan(2, 30, bench.Interleaved)
	held := map[bench.Quantity]int{}
	blind := 0
	ratios := map[bench.Quantity]*tally{bench.Energy: {}, bench.Net: {}}
	for seed := range uint64(benches) {
		l := newLab(40_000+seed, 300, 300*ratio)
		l.length = []float64{3, 3.3}
		l.class, l.gain = 0.01, 0.01*(2*l.rnd.Float64()-1)
		l.shift, l.late = 1.5*(2*l.rnd.Float64()-1), 1.5/math.Sqrt(3)
		l.idleOff = 0.5
		l.idle = idle + l.idleOff*l.rnd.NormFloat64()
		l.idle *= 1 + l.gain // by the same meter
		o := l.carryOut(t, p)
		for q, truth := range map[bench.Quantity]float64{bench.Energy: 300, bench.Net: 300 - 3*idle, bench.Power: 100, bench.Time: 3} {
			s := bench.Summarize(&o.Series[0], q)
			if s.Interval.Low <= truth && truth <= s.Interval.High {
				held[q]++
			}
			if q == bench.Energy && math.Abs(s.Mean-truth) <= s.Scatter {
				blind++
			}
			if (s.Systematic > 0) != (q != bench.Time) {
				t.Fatalf("%v is off by %g", q, s.Systematic)
			}
		}
		for q, c := range ratios {
			truth := ratio
			if q == bench.Net {
				truth = (300*ratio - 3.3*idle) / (300 - 3*idle)
			}
			c.add(bench.Compare(&o.Series[1], &o.Series[0], q, true), truth)
		}
	}
	for q, n := range held {
		rate(t, q.String()+": the interval of the mean holds the truth", n, 92, 100)
	}
	rate(t, "energy: the scatter alone holds the truth", blind, 0, 75) // or this shows nothing
	for q, c := range ratios {
		rate(t, "ratio of "+q.String()+": the interval holds the truth", c.held, 92, 99)
	}
	rate(t, "a difference of 2 % is told, since what is off alike cancels", ratios[bench.Energy].less, 90, 100)
}

// TestCorrelated: where each run is like the one before, as that of a machine whose
// temperature wanders, rounds still tell the truth.
func TestCorrelated(t *testing.T) {
	c := many(t, 50, plan(2, 30, bench.Interleaved), bench.Energy, 1, func(seed uint64) *lab {
		l := newLab(seed, 300, 300)
		l.memory = 0.8
		return l
	})
	rate(t, "the interval holds the truth", c.held, 92, 98)
}

// TestOutliers: they are told and stay in the means; the truth is rarely missed for
// them.
func TestOutliers(t *testing.T) {
	var c tally
	found, odd := 0, 0
	for seed := range uint64(benches) {
		l := newLab(60_000+seed, 300, 300)
		l.odd = 0.03
		o := l.carryOut(t, plan(2, 30, bench.Interleaved))
		for i := range o.Series {
			for _, r := range o.Series[i].Runs {
				if r.Energy > 400 {
					odd++
				}
			}
			for _, out := range bench.Summarize(&o.Series[i], bench.Energy).Outliers {
				if found++; o.Series[i].Runs[out.Run].Energy != out.Value || out.Value < 400 {
					t.Fatalf("unexpected outlier %+v", out)
				}
			}
		}
		c.add(bench.Compare(&o.Series[1], &o.Series[0], bench.Energy, true), 1)
	}
	if found < odd*9/10 || odd < benches {
		t.Errorf("%d of %d outliers were found", found, odd)
	}
	rate(t, "the interval holds the truth", c.held, 92, 98)
}

// TestRunsFor1: so many runs as a bench asks for tell 1 % four times in five.
func TestRunsFor1(t *testing.T) {
	for i, order := range []bench.Order{bench.Interleaved, bench.Sequential} {
		o := newLab(3, 300, 300).carryOut(t, plan(2, 3000, order))
		need := bench.Compare(&o.Series[1], &o.Series[0], bench.Energy, order.Rounds()).RunsFor1
		c := many(t, uint64(70+i), plan(2, need, order), bench.Energy, 0.99, func(seed uint64) *lab { return newLab(seed, 300, 297) })
		rate(t, fmt.Sprintf("%v, %d runs of each: less", order, need), c.less, 73, 87)
	}
}
