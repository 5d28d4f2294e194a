package timebase

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// perSecond are the windows of most tests: 50, 10 and 1 a second.
var perSecond = []int{1, 5, 50}

const halfSecond = 500 * time.Millisecond

// feed gives a filter frames as they arrive, and returns the causal and the settled
// windows.
func feed(f *Filter, frames []frame) (causal, settled []Window) {
	take := func(now time.Time) {
		for w, ok := f.Settled(now); ok; w, ok = f.Settled(now) {
			settled = append(settled, w)
		}
	}
	for _, frame := range frames {
		for due := f.Due(); !due.IsZero() && due.Before(at(frame.arrival)); due = f.Due() {
			take(due)
		}
		causal = append(causal, f.Add(at(frame.arrival)))
		take(at(frame.arrival))
	}
	f.Flush()
	take(at(0))
	return causal, settled
}

// errors returns the time errors of windows, but for a constant.
func errors(frames []frame, windows []Window, constant float64) []float64 {
	errs := make([]float64, len(windows))
	for i, w := range windows {
		errs[i] = since(w.End) - frames[i].end - constant
	}
	return errs
}

// worst returns the largest error of the windows that end from from to to.
func worst(frames []frame, errs []float64, from, to float64) float64 {
	var w float64
	for i, e := range errs {
		if frames[i].end >= from && frames[i].end < to {
			w = max(w, math.Abs(e))
		}
	}
	return w
}

// shareOver returns the share of errors over a limit among the windows that end
// from from to to.
func shareOver(frames []frame, errs []float64, limit, from, to float64) float64 {
	var n, over float64
	for i, e := range errs {
		if frames[i].end >= from && frames[i].end < to {
			n++
			if math.Abs(e) > limit {
				over++
			}
		}
	}
	return over / max(n, 1)
}

// leftOut returns how many windows were left out by what a filter says, between
// two times: surplus ones were told although they were not.
func leftOut(frames []frame, windows []Window, from, to float64) (n int) {
	for i, w := range windows {
		if frames[i].end >= from && frames[i].end < to {
			n += w.LeftOut
			if w.Surplus {
				n--
			}
		}
	}
	return n
}

var ordinary = grid{hertz: 49.985, drift: 100e-6}

// without returns frames but those of the windows from to to.
func without(frames []frame, from, to int) []frame {
	var kept []frame
	for _, f := range frames {
		if f.window < from || f.window >= to {
			kept = append(kept, f)
		}
	}
	return kept
}

func TestFilterSkippedWindows(t *testing.T) {
	for _, periods := range perSecond {
		for _, skipped := range []int{1, 2, 3, 10, 100} {
			t.Run(fmt.Sprintf("%d of %d periods", skipped, periods), func(t *testing.T) {
				wrong := 0
				for seed := range seeds(10) {
					rnd := random(seed)
					ends := ordinary.ends(rnd, 12000/periods+400, periods)
					at := 3000 / periods
					frames := without(exponential.carry(rnd, ends), at, at+skipped)
					f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: halfSecond})
					_, settled := feed(f, frames)
					errs := errors(frames, settled, exponential.constant)

					resumed := ends[at+skipped]
					bound := 3. // seconds until the skip is found
					if periods == 50 {
						bound = 12
					}
					// Behind a stall it may seem to be some windows earlier.
					around := leftOut(frames, settled, ends[at]-1, resumed+bound)
					all := leftOut(frames, settled, 0, math.Inf(1))
					if around != skipped || all != skipped {
						t.Logf("seed %d: %d windows left out around it, %d in all", seed, around, all)
						wrong++
					}
					if n := all - skipped; n < -1 || n > 1 {
						t.Errorf("seed %d: %d windows left out in all", seed, all)
					}
					if share := shareOver(frames, errs, 0.010, resumed+bound, math.Inf(1)); share > 0.002 {
						t.Errorf("seed %d: %.2f %% of errors over 10 ms after that", seed, share*100)
					}
					if share := shareOver(frames, errs, 0.010, 10, ends[at]-1); share > 0.002 {
						t.Errorf("seed %d: %.2f %% of errors over 10 ms before", seed, share*100)
					}
				}
				if wrong > 3 {
					t.Errorf("wrong with %d of 10 seeds", wrong)
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
		{"more than can be", 1, math.MaxInt, 1},
	}
	for _, test := range tests {
		for _, periods := range []int{1, 10, 50} {
			t.Run(fmt.Sprintf("%s, %d periods", test.name, periods), func(t *testing.T) {
				for seed := range seeds(10) {
					rnd := random(seed)
					ends := ordinary.ends(rnd, 12000/periods, periods)
					at := 3000 / periods
					frames := without(link{constant: 0.008}.carry(rnd, ends), at, at+test.gone)
					f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: halfSecond})
					before, settled := feed(f, frames[:at])
					f.Lost(-5)
					f.Lost(test.told)
					after, more := feed(f, frames[at:])
					settled = append(settled, more...)
					outputs := map[string][]Window{"settled": settled}
					if periods > 1 {
						// Causally, windows of one period are told from late ones too late.
						outputs["causal"] = append(before, after...)
					}
					for name, windows := range outputs {
						if n := leftOut(frames, windows, 0, math.Inf(1)); n != test.want {
							t.Errorf("seed %d: %s: %d windows left out, want %d", seed, name, n, test.want)
						}
						if w := worst(frames, errors(frames, windows, 0.008), 10, math.Inf(1)); w > 0.030 {
							t.Errorf("seed %d: %s: error of %.1f ms", seed, name, w*1e3)
						}
					}
				}
			})
		}
	}
}

// Stalls of seconds, after which all frames come at once, leave nothing out.
func TestFilterLongStalls(t *testing.T) {
	l := exponential
	l.hold = func(end float64) float64 {
		start := math.Floor(end/20) * 20
		if length := math.Mod(start/20, 5) + 1; start > 0 && end < start+length {
			return start + length
		}
		return 0
	}
	for _, periods := range perSecond {
		rnd := random(1)
		frames := l.carry(rnd, ordinary.ends(rnd, 1800*50/periods, periods))
		f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: halfSecond})
		_, settled := feed(f, frames)
		if n := leftOut(frames, settled, 0, math.Inf(1)); n > 1 {
			t.Errorf("windows of %d periods: %d left out", periods, n)
		}
		if share := shareOver(frames, errors(frames, settled, l.constant), 0.010, 15, math.Inf(1)); share > 0.002 {
			t.Errorf("windows of %d periods: %.2f %% of errors over 10 ms", periods, share*100)
		}
	}
}

// A backlog that a slow link works off leaves nothing out either.
func TestFilterSlowBacklog(t *testing.T) {
	for _, periods := range []int{1, 5} {
		rnd := random(3)
		frames := link{constant: 0.008}.carry(rnd, ordinary.ends(rnd, 600*50/periods, periods))
		length := float64(periods) / 50
		for i := 1; i < len(frames); i++ {
			f, last := &frames[i], frames[i-1].arrival
			if math.Mod(f.end, 60) < 3 && f.end > 60 {
				f.arrival = math.Ceil(f.end/60)*60 - 57 // 3 s after the minute
			}
			f.arrival = max(f.arrival, last)
			if f.end > 60 && f.end < f.arrival-0.2 {
				f.arrival = max(f.arrival, last+length/4)
			}
		}
		f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: halfSecond})
		_, settled := feed(f, frames)
		if n := leftOut(frames, settled, 0, math.Inf(1)); n > 0 {
			t.Errorf("windows of %d periods: %d left out", periods, n)
		}
		if w := worst(frames, errors(frames, settled, 0.008), 15, math.Inf(1)); w > 0.015 {
			t.Errorf("windows of %d periods: error of %.1f ms", periods, w*1e3)
		}
	}
}

// The constant part of the delay steps up at 60 s and down at 150 s, as when
// a link goes into sniff mode and comes back. Times stay what they are or follow,
// which is the same to arrivals. What is about a whole number of windows looks
// like windows that were left out, and is taken back.
func TestFilterDelaySteps(t *testing.T) {
	for _, periods := range perSecond {
		for _, step := range []float64{0.005, 0.015, 0.050, 0.130} {
			t.Run(fmt.Sprintf("%g ms, %d periods", step*1e3, periods), func(t *testing.T) {
				for seed := range seeds(10) {
					rnd := random(seed)
					l := exponential
					l.step = func(t float64) float64 {
						if t > 60 && t < 150 {
							return step
						}
						return 0
					}
					frames := l.carry(rnd, ordinary.ends(rnd, 240*50/periods, periods))
					f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: halfSecond})
					_, settled := feed(f, frames)
					errs := errors(frames, settled, l.constant)
					down := 5. // seconds until a step down is followed
					if periods == 50 {
						down = 15
					}
					var wrong int
					for i, e := range errs {
						high := 0.010
						switch end := frames[i].end; {
						case end < 10, end > 150 && end < 150+down:
							continue
						case end > 60 && end < 150:
							high += step
						}
						if e < -0.010 || e > high {
							wrong++
						}
					}
					if share := float64(wrong) / float64(len(errs)); share > 0.005 {
						t.Errorf("seed %d: %.1f %% of the errors are out of bounds", seed, share*100)
					}
					if n := leftOut(frames, settled, 0, math.Inf(1)); float64(n) > 3+math.Ceil(step*50/float64(periods)) {
						t.Errorf("seed %d: %d left out", seed, n)
					}
				}
			})
		}
	}
}

// The start of a stream with long windows is placed well even if the first frames
// are stalled, once it is known when the meter was asked for it.
func TestFilterAnchor(t *testing.T) {
	const roundTrip = 0.019
	l := link{constant: 0.008, hold: func(end float64) float64 { return 0.9 }}
	for _, periods := range []int{5, 25} {
		for seed := range seeds(20) {
			rnd := random(seed)
			frames := l.carry(rnd, ordinary.ends(rnd, 200, periods))
			f := mustFilter(t, Config{
				Periods: periods, Frequency: 50, Lag: halfSecond,
				Sent: at(-0.025), Acknowledged: at(0.012), RoundTrip: seconds(roundTrip),
			})
			_, settled := feed(f, frames)
			errs := errors(frames, settled, l.constant-roundTrip/2)
			if w := worst(frames, errs, 0, 0.95); w > 0.050 {
				t.Errorf("windows of %d periods, seed %d: error of %.1f ms in the first windows", periods, seed, w*1e3)
			}
			if w := worst(frames, errs, frames[150].end, math.Inf(1)); w > 0.010 {
				t.Errorf("windows of %d periods, seed %d: error of %.1f ms in the end", periods, seed, w*1e3)
			}
			if n := leftOut(frames, settled, 0, math.Inf(1)); n > 0 {
				t.Errorf("windows of %d periods, seed %d: %d left out", periods, seed, n)
			}
		}
	}
}

// A meter that takes its time to begin, or whose first frames got lost, has left
// nothing out since the first one.
func TestFilterLateStart(t *testing.T) {
	for _, periods := range perSecond {
		for seed := range seeds(10) {
			rnd := random(seed)
			frames := exponential.carry(rnd, ordinary.ends(rnd, 120*50/periods, periods))
			f := mustFilter(t, Config{Periods: periods, Frequency: 50, Lag: halfSecond, Sent: at(-0.43), Acknowledged: at(-0.4)})
			_, settled := feed(f, frames)
			if n := leftOut(frames, settled, 0, math.Inf(1)); n > 3 || periods > 1 && n > 0 {
				t.Errorf("windows of %d periods, seed %d: %d left out", periods, seed, n)
			}
			from := 10.
			if periods == 50 {
				from = 60
			}
			if share := shareOver(frames, errors(frames, settled, 0.008), 0.010, from, math.Inf(1)); share > 0.005 {
				t.Errorf("windows of %d periods, seed %d: %.2f %% of errors over 10 ms", periods, seed, share*100)
			}
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
		frames := exponential.carry(rnd, grid{hertz: 49.985}.ends(rnd, 120*50/periods, periods))
		causal, _ := feed(f, frames)
		want := time.Duration(float64(periods) / 49.985 * 1e9)
		last := causal[len(causal)-1]
		for _, got := range []float64{f.Frequency(), last.Frequency} {
			if math.Abs(got/49.985-1) > 60e-6 {
				t.Errorf("windows of %d periods: %v Hz, want 49.985", periods, got)
			}
		}
		for _, got := range []time.Duration{f.Length(), last.Length} {
			if (got - want).Abs() > want/10000 {
				t.Errorf("windows of %d periods: length %v, want %v", periods, got, want)
			}
		}
	}
}

// Windows follow each other, causal and settled ones; what is told to be left out
// agrees with the times; all come out of Settled once, none late.
func TestFilterContiguous(t *testing.T) {
	for name, carrier := range map[string]carrier{"A": regimeA, "exponential": exponential} {
		rnd := random(4)
		for _, lag := range []time.Duration{0, 100 * time.Millisecond, halfSecond, 5 * time.Second} {
			t.Run(fmt.Sprint(name, " ", lag), func(t *testing.T) {
				frames := carrier.carry(rnd, ordinary.ends(rnd, 6000, 1))
				f := mustFilter(t, Config{Periods: 1, Frequency: 50, Lag: lag, Sent: at(-0.02), Acknowledged: at(0.01)})
				causal, settled := feed(f, frames)
				if len(settled) != len(frames) {
					t.Fatalf("%d of %d windows are settled", len(settled), len(frames))
				}
				if due := f.Due(); !due.IsZero() {
					t.Errorf("something is due at %v", due)
				}
				checkContiguous(t, "causal", frames, causal)
				checkContiguous(t, "settled", frames, settled)
			})
		}
	}
}

func checkContiguous(t *testing.T, name string, frames []frame, windows []Window) {
	t.Helper()
	var sum float64 // of lengths
	for i, w := range windows {
		y := at(frames[i].arrival)
		var before Window
		if i > 0 {
			before = windows[i-1]
		}
		if w.Surplus {
			if !w.Start.Equal(before.End) || !w.End.Equal(before.End) || w.LeftOut != 0 {
				t.Fatalf("%s window %d is surplus: %+v", name, i, w)
			}
			continue
		}
		switch {
		case !w.End.After(w.Start):
			t.Fatalf("%s window %d from %v to %v", name, i, since(w.Start), since(w.End))
		case i > 0 && w.LeftOut == 0 && !w.Start.Equal(before.End):
			t.Fatalf("%s window %d starts %v after the one before it", name, i, w.Start.Sub(before.End))
		case w.Start.Before(before.End):
			t.Fatalf("%s window %d starts in the one before it", name, i)
		case w.End.After(y):
			t.Fatalf("%s window %d ends %v after its frame came", name, i, w.End.Sub(y))
		case w.Delay != y.Sub(w.End):
			t.Fatalf("%s window %d: delay %v", name, i, w.Delay)
		case w.LeftOut < 0, w.Error < 0:
			t.Fatalf("%s window %d: %+v", name, i, w)
		case i == 0 && w.Start.Before(at(-0.02)):
			t.Errorf("%s: the first window starts %v s after the request", name, since(w.Start)+0.02)
		}
		sum += float64(1+w.LeftOut) * w.Length.Seconds()
		if i%500 == 499 {
			// Causally, a stall may be taken for windows left out for a while.
			const stall = 0.6
			span := w.End.Sub(windows[0].Start).Seconds()
			if math.Abs(sum-span) > stall {
				t.Errorf("%s: windows of %.3f s in %.3f s", name, sum, span)
			}
		}
	}
}

// An overfull filter settles early what it can't hold, and forgets what nobody
// fetches, in order.
func TestFilterOverflow(t *testing.T) {
	rnd := random(1)
	frames := exponential.carry(rnd, ordinary.ends(rnd, 1000, 1))
	f := mustFilter(t, Config{Periods: 1, Frequency: 50, Lag: time.Hour})
	for _, frame := range frames {
		f.Add(at(frame.arrival))
	}
	f.Flush()
	var ends []time.Time
	for w, ok := f.Settled(at(0)); ok; w, ok = f.Settled(at(0)) {
		ends = append(ends, w.End)
	}
	if len(ends) != mostReady {
		t.Fatalf("%d windows, want the last %d", len(ends), mostReady)
	}
	if last := frames[len(frames)-1].end + 0.008; math.Abs(since(ends[len(ends)-1])-last) > 0.005 {
		t.Errorf("the last one ends at %v s, want %v", since(ends[len(ends)-1]), last)
	}
}

func TestFilterConfig(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Periods: 1},
		{Periods: -1, Frequency: 50},
		{Periods: 1, Frequency: -50},
		{Periods: 1, Frequency: 1e6},
		{Periods: 1, Frequency: math.NaN()},
		{Periods: 1, Frequency: math.Inf(1)},
		{Periods: 1 << 30, Frequency: 50},
	} {
		if f, err := NewFilter(cfg); err == nil {
			t.Errorf("%+v: length %v", cfg, f.Length())
		}
	}
}

func mustFilter(t testing.TB, cfg Config) *Filter {
	t.Helper()
	f, err := NewFilter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// seeds returns how many of n seeds to try.
func seeds(n int) int {
	if underRace {
		return (n + 3) / 4
	}
	return n
}
