package timebase

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// perSecond are the windows of most tests: 50, 10 and 1 a second.
var perSecond = []int{1, 5, 50}

// run feeds a filter, and returns its errors frame by frame and how many
// windows it said were missed, and when.
func run(f *Filter, ends, arrivals []float64) (errs []float64, missed map[int]int) {
	missed = map[int]int{}
	for i, y := range arrivals {
		_, end := f.Window(at(y))
		errs = append(errs, since(end)-ends[i])
		if n := f.Missed(); n != 0 {
			missed[i] += n
		}
	}
	return errs, missed
}

// worst returns the largest error, but for a constant, of the windows that end
// from from to to.
func worst(errs, ends []float64, constant, from, to float64) float64 {
	var w float64
	for i, e := range errs {
		if ends[i] >= from && ends[i] < to {
			w = max(w, math.Abs(e-constant))
		}
	}
	return w
}

// without returns the elements but those of the windows from to to.
func without(x []float64, from, to int) []float64 {
	return append(append([]float64{}, x[:from]...), x[to:]...)
}

var ordinary = mains{hertz: 49.985, drift: 100e-6}

func TestFilterSkippedWindows(t *testing.T) {
	for _, periods := range perSecond {
		for _, skipped := range []int{1, 2, 3, 10, 100} {
			t.Run(fmt.Sprintf("%d of %d periods", skipped, periods), func(t *testing.T) {
				for seed := range seeds(10) {
					rnd := random(seed)
					n := 12000 / periods
					ends := ordinary.ends(rnd, n+400, periods)
					arrivals := usual.arrivals(rnd, ends)
					at := 3000 / periods
					ends, arrivals = without(ends, at, at+skipped), without(arrivals, at, at+skipped)
					f := mustFilter(t, Config{Periods: periods, Frequency: 50})
					errs, missed := run(f, ends, arrivals)

					resumed := ends[at]
					bound := 3.0 // seconds until the skip is found
					if periods == 50 {
						bound = 12
					}
					var total int
					for i, n := range missed {
						total += n
						if d := ends[i] - resumed; d < 0 || d > bound {
							t.Errorf("seed %d: a skip is found %.2f s after it", seed, d)
						}
					}
					if total != skipped {
						t.Errorf("seed %d: %d windows missed: %v", seed, total, missed)
					}
					if w := worst(errs, ends, usual.constant, resumed+bound, math.Inf(1)); w > 0.010 {
						t.Errorf("seed %d: error of %.1f ms after that", seed, w*1e3)
					}
					if w := worst(errs, ends, usual.constant, 10, resumed); w > 0.010 {
						t.Errorf("seed %d: error of %.1f ms before", seed, w*1e3)
					}
				}
			})
		}
	}
}

func TestFilterLost(t *testing.T) {
	tests := []struct {
		name             string
		gone, told, want int
	}{
		{"as told", 3, 3, 3},
		{"noise", 0, 1, 0},
		{"much noise", 0, 40, 0},
		{"two made one", 2, 1, 2},
	}
	for _, test := range tests {
		for _, periods := range []int{10, 50} {
			t.Run(fmt.Sprintf("%s, %d periods", test.name, periods), func(t *testing.T) {
				for seed := range seeds(10) {
					rnd := random(seed)
					ends := ordinary.ends(rnd, 12000/periods, periods)
					arrivals := link{constant: usual.constant}.arrivals(rnd, ends)
					at := 3000 / periods
					ends, arrivals = without(ends, at, at+test.gone), without(arrivals, at, at+test.gone)
					f := mustFilter(t, Config{Periods: periods, Frequency: 50})
					before, early := run(f, ends[:at], arrivals[:at])
					f.Lost(test.told)
					after, late := run(f, ends[at:], arrivals[at:])
					var total int
					for _, n := range late {
						total += n
					}
					if total != test.want || len(early) > 0 {
						t.Errorf("seed %d: missed %v and %v, want %d", seed, early, late, test.want)
					}
					if test.told >= test.gone {
						if w := worst(append(before, after...), ends, usual.constant, 10, math.Inf(1)); w > 0.012 {
							t.Errorf("seed %d: error of %.1f ms", seed, w*1e3)
						}
					}
				}
			})
		}
	}
}

// Stalls of seconds, after which all frames come at once, are no skips.
func TestFilterLongStalls(t *testing.T) {
	l := usual
	l.hold = func(end float64) float64 {
		start := math.Floor(end/20) * 20
		if length := math.Mod(start/20, 5) + 1; start > 0 && end < start+length {
			return start + length
		}
		return 0
	}
	for _, periods := range perSecond {
		rnd := random(1)
		ends := ordinary.ends(rnd, 1800*50/periods, periods)
		f := mustFilter(t, Config{Periods: periods, Frequency: 50})
		errs, missed := run(f, ends, l.arrivals(rnd, ends))
		if len(missed) > 0 {
			t.Errorf("windows of %d periods: missed %v", periods, missed)
		}
		if w := worst(errs, ends, l.constant, 15, math.Inf(1)); w > 0.010 {
			t.Errorf("windows of %d periods: error of %.1f ms", periods, w*1e3)
		}
	}
}

// A backlog that a slow link works off is no skip either.
func TestFilterSlowBacklog(t *testing.T) {
	rnd := random(3)
	for _, periods := range []int{1, 5} {
		ends := ordinary.ends(rnd, 600*50/periods, periods)
		arrivals := link{constant: usual.constant}.arrivals(rnd, ends)
		length := float64(periods) / 50
		for i := 1; i < len(ends); i++ {
			if math.Mod(ends[i], 60) < 3 && ends[i] > 60 {
				arrivals[i] = math.Ceil(ends[i]/60)*60 - 57 // 3 s after the minute
			}
			arrivals[i] = max(arrivals[i], arrivals[i-1])
			if ends[i] > 60 && ends[i] < arrivals[i]-0.2 {
				arrivals[i] = max(arrivals[i], arrivals[i-1]+length/4)
			}
		}
		f := mustFilter(t, Config{Periods: periods, Frequency: 50})
		errs, missed := run(f, ends, arrivals)
		if len(missed) > 0 {
			t.Errorf("windows of %d periods: missed %v", periods, missed)
		}
		if w := worst(errs, ends, usual.constant, 15, math.Inf(1)); w > 0.010 {
			t.Errorf("windows of %d periods: error of %.1f ms", periods, w*1e3)
		}
	}
}

// The constant part of the delay steps up at 60 s and down at 150 s, as when
// a link goes into sniff mode and comes back.
func TestFilterDelaySteps(t *testing.T) {
	for _, periods := range perSecond {
		for _, step := range []float64{0.005, 0.015, 0.050, 0.130} {
			t.Run(fmt.Sprintf("%g ms, %d periods", step*1e3, periods), func(t *testing.T) {
				for seed := range seeds(10) {
					rnd := random(seed)
					l := usual
					l.step = func(t float64) float64 {
						if t > 60 && t < 150 {
							return step
						}
						return 0
					}
					ends := ordinary.ends(rnd, 240*50/periods, periods)
					f := mustFilter(t, Config{Periods: periods, Frequency: 50})
					errs, missed := run(f, ends, l.arrivals(rnd, ends))
					// A step up takes frames enough to tell it from jitter.
					up, down := 10., 5.
					if periods == 50 {
						up, down = 60., 15.
					}
					if w := worst(errs, ends, l.constant+step, 60+up, 150); w > 0.010 {
						t.Errorf("seed %d: error of %.1f ms %g s after a step up", seed, w*1e3, up)
					}
					if w := worst(errs, ends, l.constant, 150+down, math.Inf(1)); w > 0.010 {
						t.Errorf("seed %d: error of %.1f ms %g s after a step down", seed, w*1e3, down)
					}
					if periods > 1 && step < 0.05 && len(missed) > 0 {
						t.Errorf("seed %d: missed %v", seed, missed)
					}
				}
			})
		}
	}
}

// The start of a stream is placed well even if the first frames are stalled,
// once it is known when the meter was asked for it.
func TestFilterAnchor(t *testing.T) {
	const roundTrip = 0.019
	l := link{constant: 0.008, hold: func(end float64) float64 { return 0.9 }}
	for _, periods := range []int{1, 5, 25} {
		for seed := range seeds(20) {
			rnd := random(seed)
			ends := ordinary.ends(rnd, 200, periods)
			f := mustFilter(t, Config{
				Periods: periods, Frequency: 50,
				Sent: at(-0.025), Acknowledged: at(0.012), RoundTrip: time.Duration(roundTrip * 1e9),
			})
			arrivals := l.arrivals(rnd, ends)
			errs, missed := run(f, ends, arrivals)
			for i, e := range errs {
				if arrivals[i] <= 0.95 && math.Abs(e) > 0.04 {
					t.Errorf("windows of %d periods, seed %d: error of %.1f ms in window %d", periods, seed, e*1e3, i)
				}
			}
			if w := worst(errs, ends, l.constant-roundTrip/2, ends[150], math.Inf(1)); w > 0.010 {
				t.Errorf("windows of %d periods, seed %d: error of %.1f ms in the end", periods, seed, w*1e3)
			}
			if len(missed) > 0 {
				t.Errorf("windows of %d periods, seed %d: missed %v", periods, seed, missed)
			}
		}
	}
}

// A meter that takes its time to begin has not skipped windows.
func TestFilterLateStart(t *testing.T) {
	for _, periods := range []int{1, 10} {
		rnd := random(5)
		ends := ordinary.ends(rnd, 60*50/periods, periods)
		f := mustFilter(t, Config{Periods: periods, Frequency: 50, Sent: at(-0.43), Acknowledged: at(-0.4)})
		errs, missed := run(f, ends, usual.arrivals(rnd, ends))
		if len(missed) > 0 {
			t.Errorf("windows of %d periods: missed %v", periods, missed)
		}
		if w := worst(errs, ends, usual.constant, 10, math.Inf(1)); w > 0.010 {
			t.Errorf("windows of %d periods: error of %.1f ms", periods, w*1e3)
		}
	}
}

func TestFilterFrequency(t *testing.T) {
	for _, periods := range perSecond {
		rnd := random(9)
		// What the meter answers is 300 ppm off.
		f := mustFilter(t, Config{Periods: periods, Frequency: 50})
		if got := f.Frequency(); math.Abs(got-50) > 1e-6 {
			t.Errorf("frequency %v Hz at the start", got)
		}
		ends := mains{hertz: 49.985}.ends(rnd, 120*50/periods, periods)
		run(f, ends, usual.arrivals(rnd, ends))
		if got := f.Frequency(); math.Abs(got/49.985-1) > 60e-6 {
			t.Errorf("windows of %d periods: %v Hz, want 49.985", periods, got)
		}
		want := time.Duration(float64(periods) / 49.985 * 1e9)
		if got := f.Length(); (got - want).Abs() > want/10000 {
			t.Errorf("windows of %d periods: length %v, want %v", periods, got, want)
		}
	}
}

// Windows follow each other; the first has its length, though it does not
// begin before the request.
func TestFilterContiguous(t *testing.T) {
	rnd := random(4)
	ends := ordinary.ends(rnd, 5000, 5)
	f := mustFilter(t, Config{Periods: 5, Frequency: 50, Sent: at(-0.02), Acknowledged: at(0.01)})
	var before time.Time
	for i, y := range usual.arrivals(rnd, ends) {
		start, end := f.Window(at(y))
		switch {
		case !end.After(start):
			t.Fatalf("window %d from %v to %v", i, since(start), since(end))
		case i == 0 && start.Before(at(-0.02)):
			t.Fatalf("the first window starts %v s after the request", since(start)+0.02)
		case i > 0 && !start.Equal(before):
			t.Fatalf("window %d starts %v after the one before it", i, start.Sub(before))
		case end.After(at(y)):
			t.Fatalf("window %d ends %v after its frame came", i, end.Sub(at(y)))
		}
		before = end
	}
}

func TestFilterConfig(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Periods: 1},
		{Periods: -1, Frequency: 50},
		{Periods: 1, Frequency: -50},
		{Periods: 1, Frequency: math.NaN()},
		{Periods: 1, Frequency: math.Inf(1)},
		{Periods: 1 << 30, Frequency: 50},
	} {
		if f, err := NewFilter(cfg); err == nil {
			t.Errorf("%+v: length %v", cfg, f.Length())
		}
	}
}
