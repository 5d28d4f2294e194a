package timebase

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The simulated links look like the recordings of real meters: 134,831, 39,906 and
// 28,728 frames of three adapters.
func TestRegimes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		radio radio

		left   [2]float64 // bounds of the share that is left out, %
		delays [4]float64 // quartiles and 95th percentile over the grid, ms
		gaps   [3]float64 // quartiles, ms
	}{
		{"A", regimeA, [2]float64{3, 4.4}, [4]float64{4.8, 13, 21.5, 34}, [3]float64{5.7, 13, 38}},
		{"B", regimeB, [2]float64{0.65, 1.1}, [4]float64{10, 17.7, 25.7, 36}, [3]float64{1, 31, 32}},
		{"C", regimeC, [2]float64{0.9, 1.4}, [4]float64{2.2, 7.9, 13.3, 21}, [3]float64{12.6, 20, 26}},
	} {
		rnd := random(1)
		ends := ordinary.ends(rnd, 90000, 1)
		frames := tt.radio.carry(rnd, ends)
		var delays, gaps []float64
		runs := map[int]int{}
		for i, f := range frames {
			delays = append(delays, f.arrival-f.end-tt.radio.constant)
			if i > 0 {
				gaps = append(gaps, f.arrival-frames[i-1].arrival)
				runs[f.window-frames[i-1].window-1]++
			}
		}
		slices.Sort(delays)
		slices.Sort(gaps)
		at := func(x []float64, percent int) float64 { return x[len(x)*percent/100] * 1e3 }
		left := 100 * (1 - float64(len(frames))/float64(len(ends)))
		t.Logf("%s: %.2f %% left out, runs %v; delays %.1f %.1f %.1f %.1f ms; gaps %.1f %.1f %.1f ms", tt.name, left, runs,
			at(delays, 25), at(delays, 50), at(delays, 75), at(delays, 95), at(gaps, 25), at(gaps, 50), at(gaps, 75))
		if left < tt.left[0] || left > tt.left[1] {
			t.Errorf("%s: %.2f %% left out, want %v", tt.name, left, tt.left)
		}
		if runs[1] < 20*runs[2] {
			t.Errorf("%s: runs %v, want single ones nearly always", tt.name, runs)
		}
		for i, percent := range []int{25, 50, 75, 95} {
			if got := at(delays, percent); math.Abs(got-tt.delays[i]) > 6 {
				t.Errorf("%s: %d %% of delays below %.1f ms, want about %.1f", tt.name, percent, got, tt.delays[i])
			}
		}
		for i, percent := range []int{25, 50, 75} {
			if got := at(gaps, percent); math.Abs(got-tt.gaps[i]) > 6 {
				t.Errorf("%s: %d %% of gaps below %.1f ms, want about %.1f", tt.name, percent, got, tt.gaps[i])
			}
		}
	}
}

// A score is how well windows are placed.
type score struct {
	deviation         // of ends
	off       float64 // share that is more than half a window off
	honest    float64 // share within two standard errors
}

// rateWindows compares windows with the truth, from a time on.
func rateWindows(frames []frame, windows []Window, from float64) score {
	var errs, sigmas []float64
	for i, e := range errors(frames, windows, 0) {
		if frames[i].end >= from {
			errs = append(errs, e)
			sigmas = append(sigmas, windows[i].Error.Seconds())
		}
	}
	s := score{deviation: deviate(slices.Clone(errs))}
	n := float64(len(errs))
	for i, e := range errs {
		e -= s.median
		if math.Abs(e) > windows[0].Length.Seconds()/2 {
			s.off += 1 / n
		}
		if math.Abs(e) <= 2*sigmas[i] {
			s.honest += 1 / n
		}
	}
	return s
}

// TestAccuracy measures the time error of windows around its median, after the
// first 10 s, and prints the tables of docs/accuracy.md with -v.
func TestAccuracy(t *testing.T) {
	const ms = 1e-3
	mains := grid{hertz: 49.985, drift: 200e-6}
	t.Logf("%-12s %-9s | %-40s | %s", "", "", "settled after 0.5 s (ms, %)", "causal (ms, %)")
	t.Logf("%-12s %-9s | %7s %7s %7s %7s %7s | same", "link", "windows/s", "p50", "p95", "worst", "off", "2 sigma")
	for _, tt := range []struct {
		name    string
		link    carrier
		periods int
		hours   float64
		seeds   int
		p95     float64 // limits of settled ends, seconds
		off     float64 // and of the share that is off
	}{
		{"A", regimeA, 1, 0.5, 3, 1 * ms, 0.007},
		{"A", regimeA, 5, 1, 2, 1 * ms, 0},
		{"A", regimeA, 50, 3, 2, 3 * ms, 0},
		{"B", regimeB, 1, 0.5, 3, 1 * ms, 0.007},
		{"B", regimeB, 5, 1, 2, 1 * ms, 0},
		{"C", regimeC, 1, 0.5, 3, 1 * ms, 0.007},
		{"C", regimeC, 5, 1, 2, 1 * ms, 0.001},
		{"exponential", exponential, 1, 0.5, 3, 0.31 * ms, 0.001},
		{"exponential", exponential, 5, 1, 3, 0.58 * ms, 0.001},
		{"exponential", exponential, 50, 3, 5, 2.4 * ms, 0},
	} {
		var settled, causal score
		n := seeds(tt.seeds)
		for seed := range n {
			rnd := random(seed)
			frames := tt.link.carry(rnd, mains.ends(rnd, int(tt.hours*3600*50/float64(tt.periods)), tt.periods))
			f := mustFilter(t, Config{Periods: tt.periods, Frequency: 50, Lag: halfSecond})
			c, s := feed(f, frames)
			causal.merge(rateWindows(frames, c, 10), n)
			settled.merge(rateWindows(frames, s, 10), n)
			if err := f.Suspect(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		t.Logf("%-12s %-9d | %v | %v", tt.name, 50/tt.periods, settled, causal)
		if settled.p95 > tt.p95 {
			t.Errorf("%s, windows of %d periods: 95th percentile %.3f ms, want at most %.2f", tt.name, tt.periods, settled.p95/ms, tt.p95/ms)
		}
		if settled.off > tt.off {
			t.Errorf("%s, windows of %d periods: %.2f %% are placed wrongly, want at most %.2f", tt.name, tt.periods, settled.off*100, tt.off*100)
		}
		if settled.honest < 0.9 || settled.honest > 0.99 {
			t.Errorf("%s, windows of %d periods: %.1f %% of errors are within two standard errors", tt.name, tt.periods, settled.honest*100)
		}
		if causal.honest < 0.9 {
			t.Errorf("%s, windows of %d periods: causally, %.1f %% of errors are within two standard errors", tt.name, tt.periods, causal.honest*100)
		}
	}
}

// merge takes in one of n scores, whose mean is wanted.
func (s *score) merge(o score, n int) {
	s.p50 += o.p50 / float64(n)
	s.p95 += o.p95 / float64(n)
	s.off += o.off / float64(n)
	s.honest += o.honest / float64(n)
	s.worst = max(s.worst, o.worst)
}

func (s score) String() string {
	return fmt.Sprintf("%7.3f %7.3f %7.1f %7.2f %7.1f", s.p50*1e3, s.p95*1e3, s.worst*1e3, s.off*100, s.honest*100)
}

// TestAccuracyElsewhere does so for other mains and links.
func TestAccuracyElsewhere(t *testing.T) {
	const ms = 1e-3
	europe := grid{hertz: 49.985, drift: 200e-6}
	jitter := func(mean float64) func(*rand.Rand) float64 {
		return func(rnd *rand.Rand) float64 { return mean * rnd.ExpFloat64() }
	}
	tests := []struct {
		name  string
		mains grid
		link  link
		// Limits of the 95th percentile at 50, 10 and 1 windows/s.
		p95 [3]float64
	}{
		{"calm mains", grid{hertz: 49.985}, exponential, [3]float64{0.2 * ms, 0.4 * ms, 1.8 * ms}},
		{"host clock 50 ppm off", grid{hertz: 50 * (1 + 50e-6)}, exponential, [3]float64{0.2 * ms, 0.4 * ms, 1.8 * ms}},
		{"walking mains", grid{hertz: 50, walk: 10e-6}, exponential, [3]float64{0.4 * ms, 0.7 * ms, 2.5 * ms}},
		{"wild mains", grid{hertz: 50, walk: 25e-6}, exponential, [3]float64{0.6 * ms, 1 * ms, 4 * ms}},
		{"60 Hz island", grid{hertz: 60.1, drift: 400e-6, walk: 10e-6}, exponential, [3]float64{0.7 * ms, 1.2 * ms, 4 * ms}},
		{"jitter 3 ms", europe, link{jitter: jitter(3 * ms), stall: 0.02}, [3]float64{0.2 * ms, 0.4 * ms, 1.2 * ms}},
		{"jitter 30 ms", europe, link{jitter: jitter(30 * ms), stall: 0.02}, [3]float64{1.4 * ms, 1.4 * ms, 5 * ms}},
		{"uniform jitter to 40 ms", europe, link{jitter: func(rnd *rand.Rand) float64 { return 0.04 * rnd.Float64() }, stall: 0.02}, [3]float64{1.5 * ms, 1.5 * ms, 6 * ms}},
		{"seldom prompt", europe, link{jitter: func(rnd *rand.Rand) float64 { return 0.006 * (rnd.ExpFloat64() + rnd.ExpFloat64()) }, stall: 0.02}, [3]float64{1.4 * ms, 1.6 * ms, 3.6 * ms}},
		{"log-normal jitter", europe, link{jitter: func(rnd *rand.Rand) float64 { return 0.008 * math.Exp(0.8*rnd.NormFloat64()) }, stall: 0.02}, [3]float64{1.1 * ms, 1.4 * ms, 3 * ms}},
		{"two ways through the link", europe, link{jitter: func(rnd *rand.Rand) float64 {
			y := 0.003 * rnd.ExpFloat64()
			if rnd.Float64() < 0.3 {
				y += 0.02
			}
			return y
		}, stall: 0.02}, [3]float64{0.4 * ms, 0.6 * ms, 1.6 * ms}},
		{"no jitter", europe, link{jitter: func(*rand.Rand) float64 { return 0 }}, [3]float64{0.1 * ms, 0.6 * ms, 1.4 * ms}},
		{"5 % stalls", europe, link{stall: 0.05}, [3]float64{0.8 * ms, 0.8 * ms, 3 * ms}},
	}
	t.Logf("%-28s %10s %10s %10s  (95th percentile, ms, at so many windows/s)", "", "50", "10", "1")
	for _, test := range tests {
		var got [3]float64
		for i, periods := range []int{1, 5, 50} {
			rnd := random(i)
			frames := test.link.carry(rnd, test.mains.ends(rnd, 45000/periods+3000, periods))
			f := mustFilter(t, Config{Periods: periods, Frequency: math.Round(test.mains.hertz), Lag: halfSecond})
			_, settled := feed(f, frames)
			s := rateWindows(frames, settled, 30)
			got[i] = s.p95
			if s.p95 > test.p95[i] || s.off > 0.004 {
				t.Errorf("%s, windows of %d periods: 95th percentile %.3f ms, %.2f %% placed wrongly: want at most %.2f and 0.4",
					test.name, periods, s.p95*1e3, s.off*100, test.p95[i]*1e3)
			}
		}
		t.Logf("%-28s %10.3f %10.3f %10.3f", test.name, got[0]*1e3, got[1]*1e3, got[2]*1e3)
	}
}

// TestAccuracyBias measures what the constant part of the error is when half
// the shortest of 30 round trips, as many as an initialisation has, is taken
// for the constant delay.
func TestAccuracyBias(t *testing.T) {
	var biases []float64
	for seed := range seeds(200) {
		rnd := random(seed)
		way := func() float64 {
			d := exponential.constant + 0.012*rnd.ExpFloat64()
			if rnd.Float64() < exponential.stall {
				d += 0.2 + 0.4*rnd.Float64()
			}
			return d
		}
		shortest := math.Inf(1)
		for range 30 {
			shortest = min(shortest, way()+way())
		}
		frames := exponential.carry(rnd, ordinary.ends(rnd, 1200, 5))
		f := mustFilter(t, Config{
			Periods: 5, Frequency: 50, Lag: halfSecond,
			Sent: at(-way()), Acknowledged: at(way()), RoundTrip: seconds(shortest),
		})
		_, settled := feed(f, frames)
		biases = append(biases, rateWindows(frames, settled, 10).median)
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
