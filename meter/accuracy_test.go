package meter

import (
	"flag"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy/sim"
	"powerspy2/powerspy/timebase"
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
	p := placed{index: -1, truth: -1}
	covered := 0 // windows in readings and in gaps
	for began := time.Now(); time.Since(began) < d; {
		f, arrival, err := s.rt.Next(time.Now().Add(s.silence()))
		if err != nil {
			t.Fatal(err)
		}
		before := s.lastEnd
		s.take(f, arrival)
		for _, e := range s.queue[:s.queued] {
			covered += e.Reading.Windows + e.Gap.Windows
		}
		s.queued = 0
		power := s.m.calibration.Convert(f).Power
		best, from := math.Inf(1), p.truth+1
		for i := from; i < from+100; i++ {
			w, ok := truth.Truth(i)
			if !ok {
				break
			}
			if off := math.Abs(w.Power - power); off < best {
				best, p.truth, p.trueEnd = off, i, w.End
			}
			if best < 1e-3 {
				break
			}
		}
		if best > 0.01 {
			t.Fatalf("a window of %g W, which no window had: nearest off by %g W", power, best)
		}
		p.index += 1 + s.base.Missed()
		if got := covered + s.sum.n; got != p.index+1 {
			t.Fatalf("readings and gaps have %d of the %d windows so far", got, p.index+1)
		}
		p.start, p.end, p.arrival = before, s.lastEnd, arrival
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
			arrival, err := timebase.NewArrival(time.Time{}, tt.averaging, 50)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var filtered, arrived []float64
			follow(t, realLink, tt.averaging, hours(t, tt.hours), func(p placed) {
				_, a := arrival.Window(p.arrival)
				if p.index != p.truth {
					t.Fatalf("window %d is taken for number %d", p.truth, p.index)
				}
				if p.trueEnd.Sub(began) < 10*time.Second {
					return
				}
				filtered = append(filtered, ms(p.end.Sub(p.trueEnd)))
				arrived = append(arrived, ms(a.Sub(p.trueEnd)))
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

// TestAccuracyEnergy compares the energy of a minute of readings with that of
// their windows in truth, and with what the load drew between the start and
// the end that the readings claim, for which errors of times count too.
func TestAccuracyEnergy(t *testing.T) {
	loads := []struct {
		name, spec string
		limit      float64 // of the relative error
	}{
		{"wave", "load=wave", 5e-4},
		{"step x10", "load=step,watts=1000,low=100,period=7s", 1e-3},
	}
	t.Logf("%-10s %10s %12s %12s  (energy error, %%)", "load", "interval", "of windows", "by times")
	for _, load := range loads {
		for _, interval := range []time.Duration{20, 100, 250, 333, 1000, 3000} {
			interval *= time.Millisecond
			synctest.Test(t, func(t *testing.T) {
				m, truth := openSim(t, "delay=8ms,jitter=12ms,stall=0.02,freq=49.985,drift=200ppm,seed=7,"+load.spec)
				defer closeMeter(t, m)
				s, err := m.Stream(t.Context(), StreamConfig{Interval: interval})
				if err != nil {
					t.Fatal(err)
				}
				var window int
				var energy, want float64
				var start, end, settledAt time.Time
				for n := 0; end.Sub(start) < time.Minute; n++ {
					e, err := s.Next()
					if err != nil || e.Kind != ReadingEvent {
						t.Fatalf("unexpected event %+v, error %v", e, err)
					}
					if n == 0 {
						settledAt = e.Reading.End.Add(settled)
					}
					if e.Reading.End.Before(settledAt) {
						window += e.Reading.Windows
						continue // the times of the first seconds are poorer
					}
					if start.IsZero() {
						start = e.Reading.Start
					}
					energy, end = energy+e.Reading.Energy, e.Reading.End
					for range e.Reading.Windows {
						w, ok := truth.Truth(window)
						if !ok {
							t.Fatalf("the reading has window %d, which has not ended", window)
						}
						want += w.Energy
						window++
					}
				}
				windows, times := energy/want-1, energy/truth.Energy(start, end)-1
				t.Logf("%-10s %10v %12.4f %12.4f", load.name, interval, 100*windows, 100*times)
				if math.Abs(windows) > load.limit || math.Abs(times) > load.limit {
					t.Errorf("energy off by %.4f %% and %.4f %%: want at most %g", 100*windows, 100*times, 100*load.limit)
				}
			})
		}
	}
}

// TestAccuracyGrid: readings of 250 ms end where a grid with a fixed origin
// says, to half a period, and so each step is within 10 ms of the interval,
// hour after hour.
func TestAccuracyGrid(t *testing.T) {
	const interval = 250 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		m, truth := openSim(t, realLink)
		defer closeMeter(t, m)
		s, err := m.Stream(t.Context(), StreamConfig{Interval: interval})
		if err != nil {
			t.Fatal(err)
		}
		var window int
		var first time.Time // true end of the first reading that counts
		var lowest, highest time.Duration
		n := 0
		for began := time.Now(); time.Since(began) < hours(t, 0.5); {
			e, err := s.Next()
			if err != nil || e.Kind != ReadingEvent {
				t.Fatalf("unexpected event %+v, error %v", e, err)
			}
			window += e.Reading.Windows
			w, ok := truth.Truth(window - 1)
			if !ok {
				t.Fatalf("the reading has window %d, which has not ended", window-1)
			}
			if time.Since(began) < settled+time.Second {
				continue
			}
			if first.IsZero() {
				first = w.End
			} else {
				n++
			}
			off := w.End.Sub(first.Add(time.Duration(n) * interval))
			lowest, highest = min(lowest, off), max(highest, off)
		}
		t.Logf("%d readings of %v in %v: off their grid by %.2f to %.2f ms", n, interval, hours(t, 0.5), ms(lowest), ms(highest))
		// Half a period each way, and what the times are off.
		if spread := highest - lowest; spread > 23*time.Millisecond {
			t.Errorf("readings end within %v of each other's grid: want a period", spread)
		}
	})
}
