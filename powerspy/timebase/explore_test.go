package timebase

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

type outcome struct {
	deviation
	off    float64 // share a half period or more off
	honest float64 // share within 2 sigma
	count  int     // windows counted - true
}

func measure(frames []frame, windows []Window, period, from float64) outcome {
	var errs, sig []float64
	n := 0
	for i, w := range windows {
		n += 1 + w.LeftOut
		if frames[i].end >= from {
			errs = append(errs, since(w.End)-frames[i].end)
			sig = append(sig, w.Error.Seconds())
		}
	}
	o := outcome{deviation: deviate(slices.Clone(errs))}
	for i, e := range errs {
		e -= o.median
		if math.Abs(e) > period*0.75 {
			o.off++
		}
		if math.Abs(e) <= 2*sig[i] {
			o.honest++
		}
	}
	o.off /= float64(len(errs))
	o.honest /= float64(len(errs))
	o.count = n - 1 - (frames[len(frames)-1].window - frames[0].window)
	return o
}

func pct(x []float64, ps ...float64) string {
	slices.Sort(x)
	s := ""
	for _, p := range ps {
		s += fmt.Sprintf(" %.1f", x[min(len(x)-1, int(p*float64(len(x))))]*1e3)
	}
	return s
}

func TestExploreLinks(t *testing.T) {
	for _, r := range []struct {
		name string
		c    radio
	}{{"A", regimeA}, {"B", regimeB}, {"C", regimeC}} {
		rnd := random(1)
		ends := grid{hertz: 49.99, drift: 100e-6}.ends(rnd, 90000, 1)
		frames := r.c.carry(rnd, ends)
		var delays, gaps []float64
		runs := map[int]int{}
		under := 0
		for i, f := range frames {
			delays = append(delays, f.arrival-f.end)
			if i > 0 {
				g := f.arrival - frames[i-1].arrival
				gaps = append(gaps, g)
				if g < 0.003 {
					under++
				}
				runs[f.window-frames[i-1].window-1]++
			}
		}
		t.Logf("%s: left out %.2f%% runs %v delays%s gaps%s under 3 ms %.0f%%", r.name, 100*(1-float64(len(frames))/float64(len(ends))), runs,
			pct(delays, 0, .05, .25, .5, .75, .95, .99, 1), pct(gaps, .1, .25, .5, .75, .9, .99), 100*float64(under)/float64(len(gaps)))
	}
}

func TestExplore(t *testing.T) {
	for _, r := range []struct {
		name    string
		c       carrier
		periods int
	}{{"A", regimeA, 1}, {"B", regimeB, 1}, {"C", regimeC, 1}, {"exp", exponential, 1},
		{"A", regimeA, 5}, {"exp", exponential, 5}, {"A", regimeA, 50}, {"exp", exponential, 50}} {
		rnd := random(1)
		hours := 1.
		ends := grid{hertz: 49.985, drift: 200e-6}.ends(rnd, int(hours*3600*50/float64(r.periods)), r.periods)
		frames := r.c.carry(rnd, ends)
		for _, lag := range []float64{0, 0.25, 0.5} {
			f, err := NewFilter(Config{Periods: r.periods, Frequency: 50, Lag: time.Duration(lag * 1e9)})
			if err != nil {
				t.Fatal(err)
			}
			t0 := time.Now()
			causal, settled := feed(f, frames)
			dt := time.Since(t0)
			if len(settled) != len(frames) {
				t.Fatal(len(settled), len(frames))
			}
			period := float64(r.periods) / 50
			c, s := measure(frames, causal, period, 10), measure(frames, settled, period, 10)
			fm := func(o outcome) string {
				return fmt.Sprintf("p50 %.3f p95 %.3f worst %.1f off %.2f%% honest %.1f%% count %+d med %.2f", o.p50*1e3, o.p95*1e3, o.worst*1e3, o.off*100, o.honest*100, o.count, o.median*1e3)
			}
			t.Logf("%s/%d lag %.2f: causal %s | settled %s | %.2f us | %v", r.name, r.periods, lag, fm(c), fm(s), float64(dt.Microseconds())/float64(len(frames)), f.Suspect())
		}
	}
}
