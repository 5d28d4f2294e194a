package timebase

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// thin leaves windows out, by a rule, of those that a carrier brings.
type thin struct {
	carrier
	out func(rnd *rand.Rand, window int) bool
}

func (t thin) carry(rnd *rand.Rand, ends []float64) []frame {
	var kept []float64
	var number []int
	for i, end := range ends {
		if !t.out(rnd, i) {
			kept = append(kept, end)
			number = append(number, i)
		}
	}
	frames := t.carrier.carry(rnd, kept)
	for i := range frames {
		frames[i].window = number[frames[i].window]
	}
	return frames
}

func TestPatterns(t *testing.T) {
	every := func(n, of int) func(*rand.Rand, int) bool {
		return func(_ *rand.Rand, i int) bool { return i%of >= n }
	}
	atRandom := func(p float64) func(*rand.Rand, int) bool {
		return func(rnd *rand.Rand, _ int) bool { return rnd.Float64() < p }
	}
	burst := false
	patterns := []struct {
		name string
		out  func(*rand.Rand, int) bool
	}{
		{"none", func(*rand.Rand, int) bool { return false }},
		{"1 in 2", every(1, 2)},
		{"2 in 3", every(1, 3)},
		{"1 in 3", every(2, 3)},
		{"4 in 5", every(1, 5)},
		{"half at random", atRandom(0.5)},
		{"80 % at random", atRandom(0.8)},
		{"20 % at random", atRandom(0.2)},
		{"bursts of ten", func(rnd *rand.Rand, i int) bool {
			if i%100 == 0 {
				burst = true
			}
			if i%100 == 10 {
				burst = false
			}
			return burst
		}},
	}
	prompt := link{constant: 0.005, jitter: func(rnd *rand.Rand) float64 { return 0.002 * rnd.ExpFloat64() }}
	for _, l := range []struct {
		name string
		c    carrier
	}{{"prompt", prompt}, {"exponential", exponential}, {"A", regimeA}, {"C", regimeC}} {
		for _, p := range patterns {
			for _, periods := range []int{1, 5} {
				name := fmt.Sprintf("%s, %s, %d periods", l.name, p.name, periods)
				rnd := random(3)
				ends := grid{hertz: 49.985, drift: 100e-6}.ends(rnd, 60*50/periods, periods)
				frames := thin{l.c, p.out}.carry(rnd, ends)
				f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: 500 * time.Millisecond})
				causal, settled := feed(f, frames)
				for which, ws := range map[string][]Window{"causal": causal, "settled": settled} {
					counted := 0
					for i, w := range ws {
						if i > 0 && !w.Surplus {
							counted += 1 + w.LeftOut
						}
					}
					truth := frames[len(frames)-1].window - frames[0].window
					t.Logf("%-30s %-8s %5d of %5d windows, %v", name, which, counted, truth, rateWindows(frames, ws, 2))
					if math.Abs(float64(counted-truth)) > max(0.01*float64(truth), 2) {
						t.Errorf("%s: %s: %d windows for %d", name, which, counted, truth)
					}
				}
			}
		}
	}
}
