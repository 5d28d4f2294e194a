package sim

import (
	"math"
	"testing"
	"time"
)

func TestMains(t *testing.T) {
	for seed := range random(20) {
		m := newMains(50, 500e-6, seed)
		low, high := math.Inf(1), math.Inf(-1)
		for s := 0.0; s < 3000; s += 3.7 {
			// The phase is the frequency's integral: compare with Simpson's rule.
			const h = 0.5
			want := h / 6 * (m.hertz(s) + 4*m.hertz(s+h/2) + m.hertz(s+h))
			if got := m.periods(s+h) - m.periods(s); math.Abs(got-want) > 1e-9 {
				t.Fatalf("seed %d: %g periods from %g s on, want %g", seed, got, s, want)
			}
			if got := m.seconds(m.periods(s)); math.Abs(got-s) > 1e-9 {
				t.Fatalf("seed %d: %g s are %g s", seed, s, got)
			}
			low, high = min(low, m.hertz(s)), max(high, m.hertz(s))
		}
		if low < 50*(1-500e-6) || high > 50*(1+500e-6) || high-low < 50*500e-6 {
			t.Errorf("seed %d: mains between %g and %g Hz", seed, low, high)
		}
	}
	// Bounded also in how fast it moves: 5 % of the largest wander in a second.
	m := newMains(50, 500e-6, 1)
	for s := 0.0; s < 1000; s++ {
		if d := math.Abs(m.hertz(s+1) - m.hertz(s)); d > 50*500e-6*0.05 {
			t.Fatalf("mains moves %g Hz in a second", d)
		}
	}
}

// The loads' integrals agree with sums of short pieces, and with one another.
func TestLoads(t *testing.T) {
	for _, shape := range []Load{LoadConstant, LoadStep, LoadWave, LoadServer, LoadInrush, LoadZero} {
		t.Run(string(shape), func(t *testing.T) {
			cfg := Config{Load: shape, Power: 300, LowPower: 30}.withDefaults()
			l := newLoad(&cfg, 1, time.Time{})
			for from := 0.0; from < 30; from += 0.731 {
				const pieces = 2000
				length := 0.02 + math.Mod(from*3.3, 4)
				var sum drawn
				for i := range pieces {
					a := from + length*float64(i)/pieces
					d := l.over(a, a+length/pieces)
					sum.mean += d.mean / pieces
					sum.square += d.square / pieces
					sum.peak = max(sum.peak, d.peak)
				}
				got := l.over(from, from+length)
				if math.Abs(got.mean-sum.mean) > 1e-6 || !near(got.square, sum.square, 1e-6) || !near(got.peak, sum.peak, 1e-6) {
					t.Fatalf("from %g s for %g s: got %+v, the pieces give %+v", from, length, got, sum)
				}
				if got.mean*got.mean > got.square*(1+1e-12) || got.square > got.peak*got.peak*(1+1e-12) {
					t.Fatalf("from %g s for %g s: %+v is not possible", from, length, got)
				}
				if shape != LoadZero && (got.mean < 30*0.96 || (got.peak > 300*1.04 && shape != LoadInrush)) {
					t.Fatalf("from %g s for %g s: %+v is out of bounds", from, length, got)
				}
			}
		})
	}
}
