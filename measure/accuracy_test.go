package measure_test

import (
	"flag"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy/sim"
)

var long = flag.Bool("long", false, "simulate twenty times as long in the tests of accuracy")

// hours returns how long to simulate.
func hours(h float64) time.Duration {
	if *long {
		h *= 20
	}
	if measure.UnderRace {
		h /= 20
	}
	return time.Duration(h * float64(time.Hour))
}

// settled is when the times of windows are at their best.
const settled = 10 * time.Second

// readings measures with a simulated meter through the whole path, in a bubble,
// and calls each for every reading with the windows that it has in truth, until
// each returns false.
func readings(t *testing.T, spec string, interval time.Duration, each func(r *measure.Reading, truth []sim.Truth) bool) *sim.Meter {
	t.Helper()
	target, err := meter.ParseTarget("sim:" + spec)
	if err != nil {
		t.Fatal(err)
	}
	simulated, err := target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	src, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{Interval: interval}, meter.Recovery{})
	if err != nil {
		t.Fatal(err)
	}
	window := -1
	_, err = measure.Run(t.Context(), src, &measure.Every{Interval: interval, Out: func(e *measure.Event) error {
		if e.Kind != measure.ReadingEvent {
			t.Errorf("unexpected event %+v", e)
			return measure.Done
		}
		if window < 0 {
			window = first(simulated, &e.Reading)
		}
		var truth []sim.Truth
		for range e.Reading.Windows + e.Reading.Bridged {
			w, ok := simulated.Truth(window)
			if !ok {
				t.Errorf("the reading has window %d, which has not ended", window)
				return measure.Done
			}
			truth = append(truth, w)
			window++
		}
		if !each(&e.Reading, truth) {
			return measure.Done
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return simulated
}

// first returns the number of the window that the first reading begins with, by
// its power, and its time where that does not tell: the first windows, whose
// frames are no measurement or were left out, are in no reading.
func first(m *sim.Meter, r *measure.Reading) int {
	n := r.Windows + r.Bridged
	best, off := 0, math.Inf(1)
	for i := range 10 {
		var mean float64
		for k := range n {
			w, _ := m.Truth(i + k) // zero if it has not ended
			mean += w.Power / float64(n)
		}
		last, _ := m.Truth(i + n - 1)
		if d := math.Abs(mean-r.Power) + 0.01*math.Abs(r.End.Sub(last.End).Seconds()); d < off {
			best, off = i, d
		}
	}
	return best
}

// TestReadings compares a minute of readings of many intervals with the
// simulator's truth: every window is in exactly one reading, and what the
// readings say is what the windows were.
func TestReadings(t *testing.T) {
	const link = "link=exponential,delay=8ms,jitter=12ms,stall=0.02,freq=49.985,load=wave,seed=7"
	tests := []struct {
		interval time.Duration
		spec     string
		readings int // in a minute
	}{
		{20 * time.Millisecond, link, 2999},
		{100 * time.Millisecond, link, 600},
		{250 * time.Millisecond, link, 240},
		{333 * time.Millisecond, link, 180},
		{time.Second, link, 60},
		{3 * time.Second, link, 20},
		{time.Second, "link=exponential,gen=1,freq=60.02,delay=8ms,jitter=12ms,stall=0.02", 60},
	}
	for _, tt := range tests {
		t.Run(tt.interval.String()+" "+tt.spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				var energy, want float64
				var last, begin, end time.Time
				simulated := readings(t, tt.spec, tt.interval, func(r *measure.Reading, truth []sim.Truth) bool {
					var sum, peak float64
					for _, w := range truth {
						want += w.Energy
						sum += w.Power
						peak = max(peak, w.CurrentPeak)
					}
					energy += r.Energy
					if mean := sum / float64(len(truth)); math.Abs(r.Power-mean) > 1e-3*math.Abs(mean)+0.05 {
						t.Errorf("power %g W, want %g W", r.Power, mean)
					}
					if math.Abs(r.CurrentPeak-peak) > 1e-3 {
						t.Errorf("peak current %g A, want %g A", r.CurrentPeak, peak)
					}
					if r.Start.Before(last) || r.End.Before(r.Start) {
						t.Errorf("reading from %v to %v after one that ended at %v", r.Start, r.End, last)
					}
					last = r.End
					if begin.IsZero() {
						begin = truth[0].Start
					}
					end = truth[len(truth)-1].End
					n++
					return n < tt.readings && !t.Failed()
				})
				if off := math.Abs(energy/want - 1); off > 5e-4 {
					t.Errorf("energy %g J, want %g J: off by %.3f %%", energy, want, 100*off)
				}
				if length := end.Sub(begin).Seconds(); math.Abs(length-float64(tt.readings)*tt.interval.Seconds()) > 0.05+0.001*length {
					t.Errorf("%d readings cover %g s", tt.readings, length)
				}
				if simulated.Measuring() {
					t.Error("the meter still measures after the end")
				}
			})
		})
	}
}

// TestAccuracyEnergy compares the energy of a minute of readings with that of
// their windows in truth, and with what the load drew between the start and
// the end that the readings claim, for which errors of times count too: on links
// as they were seen, of which some leave windows out, and on an exponential one.
func TestAccuracyEnergy(t *testing.T) {
	loads := []struct {
		name, spec string
		limit      float64 // of the relative error
	}{
		{"wave", "load=wave", 5e-4},
		{"step x10", "load=step,watts=1000,low=100,period=7s", 1e-3},
		{"server", "load=server", 1e-3},
	}
	links := []struct{ name, spec string }{
		{"A", "link=a"}, {"B", "link=b"}, {"C", "link=c"}, {"exponential", "link=exponential,delay=8ms,jitter=12ms,stall=0.02"},
	}
	t.Logf("%-12s %-10s %10s %12s %12s %10s  (energy error, %%)", "link", "load", "interval", "of windows", "by times", "bridged %")
	for _, link := range links {
		for _, load := range loads {
			for _, interval := range []time.Duration{20, 250, 1000, 3000} {
				interval *= time.Millisecond
				synctest.Test(t, func(t *testing.T) {
					var energy, want float64
					var start, end, settledAt time.Time
					var windows, bridged int
					spec := link.spec + ",freq=49.985,drift=200ppm,seed=7," + load.spec
					simulated := readings(t, spec, interval, func(r *measure.Reading, truth []sim.Truth) bool {
						if settledAt.IsZero() {
							settledAt = r.End.Add(settled)
						}
						if r.End.Before(settledAt) {
							return true // the times of the first seconds are poorer
						}
						if start.IsZero() {
							start = r.Start
						}
						energy, end = energy+r.Energy, r.End
						windows, bridged = windows+r.Windows, bridged+r.Bridged
						for _, w := range truth {
							want += w.Energy
						}
						return end.Sub(start) < time.Minute
					})
					ofWindows, byTimes := energy/want-1, energy/simulated.Energy(start, end)-1
					t.Logf("%-12s %-10s %10v %12.4f %12.4f %10.2f", link.name, load.name, interval, 100*ofWindows, 100*byTimes,
						100*float64(bridged)/float64(windows+bridged))
					if math.Abs(ofWindows) > load.limit || math.Abs(byTimes) > load.limit {
						t.Errorf("energy off by %.4f %% and %.4f %%: want at most %g", 100*ofWindows, 100*byTimes, 100*load.limit)
					}
				})
			}
		}
	}
}

// TestAccuracyGrid: readings of 250 ms end where a grid with a fixed origin
// says, to half a period, and so each step is within 10 ms of the interval,
// hour after hour.
func TestAccuracyGrid(t *testing.T) {
	const interval = 250 * time.Millisecond
	const spec = "link=a,freq=49.985,drift=200ppm,load=wave,watts=2000,period=3s,seed=7"
	synctest.Test(t, func(t *testing.T) {
		var first time.Time // true end of the first reading that counts
		var lowest, highest time.Duration
		n := 0
		began, total := time.Now(), hours(0.5)
		readings(t, spec, interval, func(r *measure.Reading, truth []sim.Truth) bool {
			if time.Since(began) < settled+time.Second {
				return true
			}
			end := truth[len(truth)-1].End
			if first.IsZero() {
				first = end
			} else {
				n++
			}
			off := end.Sub(first.Add(time.Duration(n) * interval))
			lowest, highest = min(lowest, off), max(highest, off)
			return time.Since(began) < total
		})
		t.Logf("%d readings of %v in %v: off their grid by %.2f to %.2f ms", n, interval, total,
			float64(lowest.Microseconds())/1e3, float64(highest.Microseconds())/1e3)
		// Half a period each way, and what the times are off.
		if spread := highest - lowest; spread > 23*time.Millisecond {
			t.Errorf("readings end within %v of each other's grid: want a period", spread)
		}
	})
}
