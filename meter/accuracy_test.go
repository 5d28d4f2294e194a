package meter

import (
	"flag"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy/sim"
)

// A placed window is one whose frame came through: what the stream made of it,
// and which window it was in truth.
type placed struct {
	start, end, arrival time.Time
	index               int // by the stream: windows and missed ones before it
	truth               int // the simulator's number of it
	trueEnd             time.Time
}

// follow streams through the simulator, the link, the client and the stream,
// for a simulated time, and calls each for every window. The load must be a
// wave: a frame's power tells which window it is. with is given the simulator.
func follow(t *testing.T, spec string, averaging int, d time.Duration, each func(placed), with ...func(*sim.Meter)) {
	t.Helper()
	m, truth := openSim(t, spec)
	defer closeMeter(t, m)
	for _, f := range with {
		f(truth)
	}
	s, err := m.Stream(t.Context(), StreamConfig{Interval: time.Second, Averaging: averaging})
	if err != nil {
		t.Fatal(err)
	}
	p, started := placed{index: -1, truth: -1}, false
	for began := time.Now(); time.Since(began) < d; {
		e, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch e.Kind {
		case GapEvent:
			p.index += e.Gap.Windows
			continue
		case StatusEvent:
			continue
		}
		p.index++
		w := e.Window
		if w.Bridged {
			continue
		}
		best, from := math.Inf(1), p.truth+1
		for i := from; i < from+100; i++ {
			w, ok := truth.Truth(i)
			if !ok {
				break
			}
			if off := math.Abs(w.Power - e.Window.Power); off < best {
				best, p.truth, p.trueEnd = off, i, w.End
			}
			if best < 1e-3 {
				break
			}
		}
		if best > 0.01 {
			t.Fatalf("a window of %g W, which no window had: nearest off by %g W", w.Power, best)
		}
		if !started {
			p.index, started = p.truth, true // the first frames may have been left out
		}
		p.start, p.end, p.arrival = w.Start, w.End, w.End.Add(w.Delay)
		each(p)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// realLink is the link and the mains of the figures in docs/accuracy.md.
const realLink = "delay=8ms,jitter=12ms,stall=0.02,freq=49.985,drift=200ppm,load=wave,watts=2000,period=3s,seed=7"

// TestAccuracyTime measures the time error of windows around its median, after
// the first 10 s, through the whole path, and that of arrival stamping.
func TestAccuracyTime(t *testing.T) {
	tests := []struct {
		averaging  int
		hours      float64
		p95, worst float64 // limits, ms
	}{
		{1, 0.25, 0.5, 10},
		{5, 0.5, 1, 10},
		{50, 2, 3, 10},
	}
	t.Logf("%-10s %-8s %10s %10s %10s  (ms)", "windows/s", "method", "p50", "p95", "worst")
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var filtered, arrived []float64
			follow(t, realLink, tt.averaging, hours(t, tt.hours), func(p placed) {
				if p.index != p.truth {
					t.Fatalf("window %d is taken for number %d", p.truth, p.index)
				}
				if p.trueEnd.Sub(began) < 10*time.Second {
					return
				}
				filtered = append(filtered, ms(p.end.Sub(p.trueEnd)))
				arrived = append(arrived, ms(p.arrival.Sub(p.trueEnd)))
			})
			f, a := around(filtered), around(arrived)
			for _, m := range []struct {
				name string
				d    spread
			}{{"arrival", a}, {"stream", f}} {
				t.Logf("%-10d %-8s %10.3f %10.3f %10.2f", 50/tt.averaging, m.name, m.d.p50, m.d.p95, m.d.worst)
			}
			if f.p95 > tt.p95 || f.worst > tt.worst {
				t.Errorf("95th percentile %.3f ms, worst %.2f ms: want at most %g and %g", f.p95, f.worst, tt.p95, tt.worst)
			}
		})
	}
}

var long = flag.Bool("long", false, "simulate twenty times as long in the tests of accuracy")

// hours returns how long to simulate.
func hours(t *testing.T, h float64) time.Duration {
	t.Helper()
	if *long {
		h *= 20
	}
	if underRace {
		h /= 10
	}
	return time.Duration(h * float64(time.Hour))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A spread is how errors lie around their median.
type spread struct{ median, p50, p95, worst float64 }

// around returns the spread of errors, which it spoils.
func around(errs []float64) spread {
	slices.Sort(errs)
	median := errs[len(errs)/2]
	for i := range errs {
		errs[i] = math.Abs(errs[i] - median)
	}
	slices.Sort(errs)
	return spread{median, errs[len(errs)/2], errs[len(errs)*95/100], errs[len(errs)-1]}
}

// TestAccuracyNumbers damages one frame in twenty, on a link with stalls. Now
// and then two damaged frames look like one: no window may stay in the wrong
// place for long.
func TestAccuracyNumbers(t *testing.T) {
	t.Logf("%-10s %10s %10s %10s %10s", "windows/s", "windows", "misplaced", "spells", "longest (s)")
	for _, averaging := range []int{1, 5} {
		synctest.Test(t, func(t *testing.T) {
			var windows, wrong, spells int
			var since time.Time // of the spell; zero: none
			var longest time.Duration
			follow(t, realLink+",noise=0.05,chop=true", averaging, hours(t, 0.5), func(p placed) {
				windows++
				if p.index == p.truth {
					since = time.Time{}
					return
				}
				wrong++
				if since.IsZero() {
					spells++
					since = p.trueEnd
				}
				longest = max(longest, p.trueEnd.Sub(since))
			})
			t.Logf("%-10d %10d %10d %10d %10.1f", 50/averaging, windows, wrong, spells, longest.Seconds())
			if wrong > windows/100 || longest > 10*time.Second {
				t.Errorf("%d of %d windows misplaced, for %v: want at most 1 %% and 10 s", wrong, windows, longest)
			}
		})
	}
}

// TestAccuracySkip loses a second of frames without a trace: it is found, and
// what comes after is in the right place.
func TestAccuracySkip(t *testing.T) {
	for _, averaging := range []int{1, 5} {
		synctest.Test(t, func(t *testing.T) {
			var silence, found time.Duration
			began := time.Now()
			var m *sim.Meter
			follow(t, realLink, averaging, 2*time.Minute, func(p placed) {
				switch at := time.Since(began); {
				case silence == 0 && at > 30*time.Second:
					silence = at
					m.Silence(true)
					time.AfterFunc(time.Second, func() { m.Silence(false) })
				case silence > 0 && found == 0 && p.index == p.truth && at > silence+time.Second:
					found = at - silence - time.Second
				case found > 0 && p.index != p.truth:
					t.Fatalf("window %d is taken for number %d", p.truth, p.index)
				}
			}, func(truth *sim.Meter) { m = truth })
			t.Logf("%d windows/s: a skipped second is found after %.1f s", 50/averaging, found.Seconds())
			if found == 0 || found > 5*time.Second {
				t.Errorf("found after %v: want 5 s at most", found)
			}
		})
	}
}
