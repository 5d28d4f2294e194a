package timebase

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAccuracy measures the time error of windows around its median, after the
// first 10 s, and prints the tables of docs/accuracy.md with -v.
func TestAccuracy(t *testing.T) {
	const drift = 200e-6
	europe := mains{hertz: 49.985, drift: drift}
	rates := []struct {
		periods    int
		span       float64 // of the hull
		hours      float64
		seeds      int
		p95, worst float64 // limits, seconds
	}{
		{periods: 1, span: 10, hours: 0.5, seeds: 4, p95: 0.4e-3, worst: 5e-3},
		{periods: 2, span: 10, hours: 0.5, seeds: 4, p95: 0.45e-3, worst: 5e-3},
		{periods: 5, span: 10, hours: 1, seeds: 4, p95: 0.7e-3, worst: 5e-3},
		{periods: 10, span: 10, hours: 1, seeds: 4, p95: 1e-3, worst: 8e-3},
		{periods: 25, span: 20, hours: 2, seeds: 4, p95: 1.7e-3, worst: 10e-3},
		{periods: 50, span: 30, hours: 3, seeds: 8, p95: 2.4e-3, worst: 10e-3},
	}
	methods := []struct {
		name string
		make func(periods int, span float64) Base
	}{
		{"arrival", func(periods int, _ float64) Base { return mustArrival(t, periods) }},
		{"hull", func(periods int, span float64) Base { return &hull{Arrival: *mustArrival(t, periods), span: span} }},
		{"filter", func(periods int, _ float64) Base { return mustFilter(t, Config{Periods: periods, Frequency: 50}) }},
	}
	t.Logf("%-10s %-8s %10s %10s %10s  (ms)", "windows/s", "method", "p50", "p95", "worst")
	for _, r := range rates {
		got := map[string]deviation{}
		for _, m := range methods {
			var errs []float64
			for seed := range seeds(r.seeds) {
				rnd := random(seed)
				n := int(r.hours * 3600 * 50 / float64(r.periods))
				if m.name == "hull" {
					n = min(n, 20000) // it is slow
				}
				ends := europe.ends(rnd, n, r.periods)
				errs = append(errs, timeErrors(m.make(r.periods, r.span), ends, usual.arrivals(rnd, ends), 10)...)
			}
			d := deviate(errs)
			got[m.name] = d
			t.Logf("%-10d %-8s %10.3f %10.3f %10.2f", 50/r.periods, m.name, d.p50*1e3, d.p95*1e3, d.worst*1e3)
		}
		f := got["filter"]
		if f.p95 > r.p95 || f.worst > r.worst {
			t.Errorf("%d windows/s: 95th percentile %.3f ms, worst %.2f ms: want at most %.3f and %.2f",
				50/r.periods, f.p95*1e3, f.worst*1e3, r.p95*1e3, r.worst*1e3)
		}
		if h := got["hull"]; f.p95 > 0.8*h.p95 {
			t.Errorf("%d windows/s: 95th percentile %.3f ms is no better than the hull's %.3f ms", 50/r.periods, f.p95*1e3, h.p95*1e3)
		}
		if a := got["arrival"]; a.p95 < 20e-3 {
			t.Errorf("%d windows/s: the link is so prompt (95th percentile %.2f ms) that the test shows nothing", 50/r.periods, a.p95*1e3)
		}
		// Without a round trip the bias is the link's constant delay.
		if bias := f.median - usual.constant; math.Abs(bias) > 0.5e-3 {
			t.Errorf("%d windows/s: median error %.3f ms beyond the constant delay", 50/r.periods, bias*1e3)
		}
	}
}

// TestAccuracyElsewhere does so for other mains and links than those which the
// filter was made for.
func TestAccuracyElsewhere(t *testing.T) {
	const ms = 1e-3
	europe := mains{hertz: 49.985, drift: 200e-6}
	exponential := func(mean float64) func(*rand.Rand) float64 {
		return func(rnd *rand.Rand) float64 { return mean * rnd.ExpFloat64() }
	}
	tests := []struct {
		name  string
		mains mains
		link  link
		// Limits of the 95th percentile at 50, 10 and 1 windows/s.
		p95 [3]float64
	}{
		{"calm mains", mains{hertz: 49.985}, usual, [3]float64{0.2 * ms, 0.4 * ms, 1.8 * ms}},
		{"host clock 50 ppm off", mains{hertz: 50 * (1 + 50e-6)}, usual, [3]float64{0.2 * ms, 0.4 * ms, 1.8 * ms}},
		{"walking mains", mains{hertz: 50, walk: 10e-6}, usual, [3]float64{0.4 * ms, 0.7 * ms, 2.5 * ms}},
		{"wild mains", mains{hertz: 50, walk: 25e-6}, usual, [3]float64{0.5 * ms, 1 * ms, 3.2 * ms}},
		{"60 Hz island", mains{hertz: 60.1, drift: 400e-6, walk: 10e-6}, usual, [3]float64{0.6 * ms, 1.2 * ms, 4 * ms}},
		{"jitter 3 ms", europe, link{jitter: exponential(3 * ms), stall: 0.02}, [3]float64{0.2 * ms, 0.4 * ms, 1.2 * ms}},
		{"jitter 30 ms", europe, link{jitter: exponential(30 * ms), stall: 0.02}, [3]float64{1.4 * ms, 1.4 * ms, 5 * ms}},
		{"uniform jitter to 40 ms", europe, link{jitter: func(rnd *rand.Rand) float64 { return 0.04 * rnd.Float64() }, stall: 0.02}, [3]float64{1.5 * ms, 1.5 * ms, 6 * ms}},
		{"seldom prompt", europe, link{jitter: func(rnd *rand.Rand) float64 { return 0.006 * (rnd.ExpFloat64() + rnd.ExpFloat64()) }, stall: 0.02}, [3]float64{1.2 * ms, 1.6 * ms, 3.6 * ms}},
		{"log-normal jitter", europe, link{jitter: func(rnd *rand.Rand) float64 { return 0.008 * math.Exp(0.8*rnd.NormFloat64()) }, stall: 0.02}, [3]float64{1.1 * ms, 1.4 * ms, 3 * ms}},
		{"two ways through the link", europe, link{jitter: func(rnd *rand.Rand) float64 {
			y := 0.003 * rnd.ExpFloat64()
			if rnd.Float64() < 0.3 {
				y += 0.02
			}
			return y
		}, stall: 0.02}, [3]float64{0.4 * ms, 0.6 * ms, 1.6 * ms}},
		{"no jitter", europe, link{jitter: func(*rand.Rand) float64 { return 0 }}, [3]float64{0.1 * ms, 0.1 * ms, 0.3 * ms}},
		{"5 % stalls", europe, link{stall: 0.05}, [3]float64{0.8 * ms, 0.8 * ms, 3 * ms}},
	}
	t.Logf("%-28s %10s %10s %10s  (95th percentile, ms, at so many windows/s)", "", "50", "10", "1")
	for _, test := range tests {
		var got [3]float64
		for i, periods := range []int{1, 5, 50} {
			var errs []float64
			for seed := range seeds(2) {
				rnd := random(seed)
				ends := test.mains.ends(rnd, 45000/periods+3000, periods)
				b := mustFilter(t, Config{Periods: periods, Frequency: math.Round(test.mains.hertz)})
				errs = append(errs, timeErrors(b, ends, test.link.arrivals(rnd, ends), 30)...)
				if b.Missed() != 0 {
					t.Errorf("%s: a window missed that was not", test.name)
				}
			}
			d := deviate(errs)
			got[i] = d.p95
			if d.p95 > test.p95[i] || d.worst > 50*ms {
				t.Errorf("%s, windows of %d periods: 95th percentile %.3f ms, worst %.3f ms: want at most %.1f and 50",
					test.name, periods, d.p95*1e3, d.worst*1e3, test.p95[i]*1e3)
			}
		}
		t.Logf("%-28s %10.3f %10.3f %10.3f", test.name, got[0]*1e3, got[1]*1e3, got[2]*1e3)
	}
}

func mustArrival(t testing.TB, periods int) *Arrival {
	t.Helper()
	a, err := NewArrival(epoch, periods, 50)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustFilter(t testing.TB, cfg Config) *Filter {
	t.Helper()
	f, err := NewFilter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestAccuracyBias measures what the constant part of the error is when half
// the shortest of 30 round trips, as many as an initialisation has, is taken
// for the constant delay.
func TestAccuracyBias(t *testing.T) {
	var biases []float64
	for seed := range seeds(200) {
		rnd := random(seed)
		way := func() float64 {
			d := usual.constant + 0.012*rnd.ExpFloat64()
			if rnd.Float64() < usual.stall {
				d += 0.2 + 0.4*rnd.Float64()
			}
			return d
		}
		shortest := math.Inf(1)
		for range 30 {
			shortest = min(shortest, way()+way())
		}
		ends := ordinary.ends(rnd, 1200, 5)
		f := mustFilter(t, Config{
			Periods: 5, Frequency: 50,
			Sent: at(-way()), Acknowledged: at(way()), RoundTrip: seconds(shortest),
		})
		biases = append(biases, deviate(timeErrors(f, ends, usual.arrivals(rnd, ends), 10)).median)
	}
	slices.Sort(biases)
	n := len(biases)
	t.Logf("constant error (ms): 5th percentile %.2f, median %.2f, 95th percentile %.2f",
		biases[n*5/100]*1e3, biases[n/2]*1e3, biases[n*95/100]*1e3)
	if m := biases[n/2]; m < -2.5e-3 || m > 0 {
		t.Errorf("median %.2f ms: want -2.5 to 0", m*1e3)
	}
	if biases[n*5/100] < -5e-3 || biases[n*95/100] > 0.5e-3 {
		t.Errorf("from %.2f to %.2f ms: want -5 to 0.5", biases[n*5/100]*1e3, biases[n*95/100]*1e3)
	}
}

// seeds returns how many of n seeds to try.
func seeds(n int) int {
	if underRace {
		return (n + 3) / 4
	}
	return n
}
