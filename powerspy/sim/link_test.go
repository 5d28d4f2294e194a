package sim

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// observed is what a stream through a link looked like.
type observed struct {
	delays, gaps []float64 // ms
	runs         map[int]int
	left, all    int
}

// observe reads a stream of so many frames and compares it with the truth.
func observe(t *testing.T, cfg Config, request string, frames int) (o observed) {
	t.Helper()
	o.runs = make(map[int]int)
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		c.want(request, "<K>")
		n, run := -1, 0
		var last time.Time
		for range frames {
			frame, at := c.frame(10 * time.Second)
			if !measurement(frame) {
				t.Fatalf("got %q", frame)
			}
			var truth Truth
			for {
				n++
				var ok bool
				if truth, ok = m.Truth(n); !ok {
					t.Fatalf("no window %d", n)
				}
				o.all++
				if !truth.LeftOut {
					break
				}
				o.left++
				run++
			}
			if run > 0 {
				o.runs[run]++
				run = 0
			}
			if want := string(appendFrame(nil, truth, m.scale)); frame != want || at.Before(truth.End) {
				t.Fatalf("window %d: got %q at %v, want %q after %v", n, frame, at, want, truth.End)
			}
			o.delays = append(o.delays, at.Sub(truth.End).Seconds()*1e3)
			if !last.IsZero() {
				o.gaps = append(o.gaps, at.Sub(last).Seconds()*1e3)
			}
			last = at
		}
	})
	slices.Sort(o.delays)
	slices.Sort(o.gaps)
	return o
}

func percentiles(sorted []float64, which ...float64) (values []float64) {
	for _, p := range which {
		values = append(values, sorted[int(p/100*float64(len(sorted)))])
	}
	return values
}

// The links of real meters look as the recordings do: the share of windows
// left out and how many in a row, delays, and gaps between arrivals.
func TestRegimes(t *testing.T) {
	tests := []struct {
		link           Link
		least, most    float64 // Share left out.
		doubles        float64 // Most of the runs.
		delays, gaps   []float64
		together, part float64 // Share of gaps under 3 ms.
	}{
		{LinkA, 0.030, 0.044, 0.08, []float64{0.5, 4.8, 13, 21.5, 34, 44}, []float64{0.9, 5.7, 13, 38, 39, 49}, 0.23, 0.05},
		{LinkB, 0.0065, 0.011, 0.12, []float64{1, 10, 17.7, 25.7, 36, 44}, []float64{1, 1, 31, 32, 33, 56}, 0.36, 0.05},
		{LinkC, 0.009, 0.014, 0.08, []float64{0, 2.2, 7.9, 13.3, 21, 27}, []float64{10, 12.6, 20, 26, 32, 39}, 0, 0.03},
	}
	for _, tt := range tests {
		t.Run(string(tt.link), func(t *testing.T) {
			cfg := Config{Load: LoadServer, Drift: 100e-6, Link: tt.link, Seed: 3}
			o := observe(t, cfg, "<J0001>", 30_000)
			share := float64(o.left) / float64(o.all)
			runs := 0
			for _, n := range o.runs {
				runs += n
			}
			delays := percentiles(o.delays, 5, 25, 50, 75, 95, 99)
			gaps := percentiles(o.gaps, 10, 25, 50, 75, 90, 99)
			near, _ := slices.BinarySearch(o.gaps, 3)
			together := float64(near) / float64(len(o.gaps))
			t.Logf("left out %.2f %%, runs %v, delays %.1f, longest %.1f, gaps %.1f, %.0f %% under 3 ms",
				share*100, o.runs, delays, o.delays[len(o.delays)-1], gaps, together*100)
			if share < tt.least || share > tt.most {
				t.Errorf("%.2f %% are left out", share*100)
			}
			if d := float64(o.runs[2]) / float64(runs); d > tt.doubles || o.runs[3]+o.runs[4] > runs/100 {
				t.Errorf("runs %v", o.runs)
			}
			if math.Abs(together-tt.together) > tt.part {
				t.Errorf("%.2f of the gaps are under 3 ms", together)
			}
			const tolerance = 3.6
			for i := range delays {
				if math.Abs(delays[i]-tt.delays[i]) > tolerance {
					t.Errorf("delays %.1f, want %.1f", delays, tt.delays)
				}
				if math.Abs(gaps[i]-tt.gaps[i]) > tolerance {
					t.Errorf("gaps %.1f, want %.1f", gaps, tt.gaps)
				}
			}
			// With windows of five periods nothing is left out.
			for seed := range uint64(3) {
				cfg.Seed = seed
				if o := observe(t, cfg, "<J0005>", 2000); o.left > 0 {
					t.Errorf("%d of %d windows of five periods are left out", o.left, o.all)
				}
			}
		})
	}
}
