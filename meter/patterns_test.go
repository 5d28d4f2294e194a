package meter

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy/sim"
)

// A total sums up what a measurement yielded.
type total struct {
	windows, bridged int
	length, gaps     time.Duration // of windows; of gaps
	energy           float64
	begin, end       time.Time
	started          time.Duration // when the first window came
	told             []string
	averaging        int // at the end
	err              error
}

// says reports whether something was told.
func (s *total) says(text string) bool { return strings.Contains(strings.Join(s.told, "\n"), text) }

// supervised measures with a simulated meter for so long, by its own time.
func supervised(t *testing.T, spec string, cfg Config, sc StreamConfig, d time.Duration) (sum total, m *sim.Meter) {
	t.Helper()
	cfg.Target = mustParse(t, "sim:"+spec)
	m, err := cfg.Target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	began := time.Now()
	s, err := Supervise(ctx, cfg, sc, Recovery{})
	if err != nil {
		sum.err = err
		return sum, m
	}
	for {
		e, err := s.Next()
		if err != nil {
			if ctx.Err() == nil {
				sum.err = err
			}
			break
		}
		switch e.Kind {
		case WindowEvent:
			w := &e.Window
			if sum.begin.IsZero() {
				sum.begin, sum.started = w.Start, time.Since(began)
			}
			if w.Start.Before(sum.end) || w.End.Before(w.Start) {
				t.Errorf("%s: a window from %v to %v after %v", spec, w.Start, w.End, sum.end)
			}
			if w.Bridged {
				sum.bridged++
			} else {
				sum.windows++
			}
			sum.length += w.Length
			sum.energy += w.Energy()
			sum.end = w.End
		case GapEvent:
			sum.gaps += e.Gap.To.Sub(e.Gap.From)
		case StatusEvent:
			sum.told = append(sum.told, e.Status.Text)
		}
	}
	sum.averaging = s.Averaging()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if m.Measuring() {
		t.Errorf("%s: the meter still measures", spec)
	}
	return sum, m
}

// TestPatterns: whatever windows a meter leaves out, windows and gaps cover the
// time, and energy is that of the covered time; or longer windows are taken. Both
// are told.
func TestPatterns(t *testing.T) {
	const load = "link=a,load=wave,watts=200,low=100,period=7s,seed=3,"
	for _, tt := range []struct {
		name, skip   string
		sc           StreamConfig
		share        float64 // bridged or in gaps, of windows of the length that is asked for
		longer       int     // mains periods at the end
		told         string
		mostInGaps   float64
		energyWithin float64
	}{
		{"1 in 2", "skip=1/2", StreamConfig{Averaging: 1}, 0.5, 1, "left out 5", 0.01, 2e-3},
		{"random half", "skip=0.5", StreamConfig{Averaging: 1}, 0.5, 1, "left out 5", 0.02, 2e-3},
		{"4 in 5", "skip=4/5", StreamConfig{Averaging: 1}, 0.8, 1, "left out 8", 0.05, 5e-3},
		{"every third only", "skip=2/3", StreamConfig{Averaging: 1}, 0.667, 1, "left out 6", 0.05, 5e-3},
		{"bursts of ten", "skip=0.1x10", StreamConfig{Averaging: 1}, 0.12, 1, "left out 1", 0.1, 2e-3},
		{"ten a second", "cap=10", StreamConfig{Interval: 250 * time.Millisecond}, 0, 5, "trying 5 mains periods", 0.02, 2e-3},
		{"ten a second, of a second", "cap=10", StreamConfig{Interval: time.Second}, 0, 5, "", 0, 1e-3},
		{"1 in 2 at any length", "skip=1/2", StreamConfig{Interval: time.Second}, 0, 5, "staying with 5 mains periods", 1, 2e-2},
		{"4 in 5 at any length", "skip=4/5", StreamConfig{Interval: time.Second}, 0, 5, "staying with 5 mains periods", 1, 2e-2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const measured = 150 * time.Second
				sum, m := supervised(t, load+tt.skip, Config{}, tt.sc, measured)
				if sum.err != nil {
					t.Fatal(sum.err)
				}
				span := sum.end.Sub(sum.begin)
				t.Logf("%-26s %6d windows, %6d bridged, %7.2f s of windows + %6.2f s of gaps in %7.2f s; energy %+.3f %%, %d periods, told %d",
					tt.name, sum.windows, sum.bridged, sum.length.Seconds(), sum.gaps.Seconds(), span.Seconds(),
					100*(sum.energy/sum.length.Seconds()/(m.Energy(sum.begin, sum.end)/span.Seconds())-1), sum.averaging, len(sum.told))
				if off := (sum.length+sum.gaps).Seconds()/span.Seconds() - 1; math.Abs(off) > 0.01 {
					t.Errorf("windows and gaps are %.2f %% longer than the time that they span", 100*off)
				}
				if share := sum.gaps.Seconds() / span.Seconds(); share > tt.mostInGaps {
					t.Errorf("%.1f %% of the time is in gaps", 100*share)
				}
				if tt.share > 0 {
					n := float64(sum.windows + sum.bridged)
					if share := float64(sum.bridged)/n + sum.gaps.Seconds()/span.Seconds(); math.Abs(share-tt.share) > 0.06 {
						t.Errorf("%.1f %% of the windows were left out, want %.0f %%", 100*share, 100*tt.share)
					}
				}
				mean, want := sum.energy/sum.length.Seconds(), m.Energy(sum.begin, sum.end)/span.Seconds()
				if math.Abs(mean/want-1) > tt.energyWithin {
					t.Errorf("mean power %g W, want %g W", mean, want)
				}
				if sum.averaging != tt.longer {
					t.Errorf("windows of %d periods at the end, want %d", sum.averaging, tt.longer)
				}
				if !sum.says(tt.told) {
					t.Errorf("told %q", sum.told)
				}
			})
		})
	}
}

// TestTooFast: a meter that sends frames faster than its mains allow is asked for
// their frequency again, then given up. If it is faster by little, that is told at
// least.
func TestTooFast(t *testing.T) {
	for _, spec := range []string{"fast=1.2", "fast=2", "fast=1.2,link=a"} {
		synctest.Test(t, func(t *testing.T) {
			for _, averaging := range []int{1, 5} {
				sum, _ := supervised(t, "load=constant,"+spec, Config{}, StreamConfig{Averaging: averaging}, 2*time.Minute)
				if !errors.Is(sum.err, ErrNoAnswer) || !errors.Is(sum.err, errTooFast) {
					t.Errorf("%s, %d periods: %v after %d windows", spec, averaging, sum.err, sum.windows)
				}
				if !sum.says("measuring again (step 1, drain)") {
					t.Errorf("%s: told %q", spec, sum.told)
				}
			}
		})
	}
}

// TestLittleTooFast: what is too fast by little makes windows longer than the time
// that they span, which is told at least.
func TestLittleTooFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, averaging := range []int{1, 5} {
			sum, _ := supervised(t, "load=constant,fast=1.05", Config{}, StreamConfig{Averaging: averaging}, 2*time.Minute)
			if sum.err == nil && !sum.says("longer than the time that they span") {
				t.Errorf("%d periods: told %q", averaging, sum.told)
			}
		}
	})
}

// TestShortWindows: meters that refuse short windows, or send none, measure within
// 15 s, and at once the next time.
func TestShortWindows(t *testing.T) {
	for _, spec := range []string{"silent-under=5", "refuse-under=5"} {
		for _, interval := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				var learnt Facts
				cfg := Config{
					Recall: func(Target) (Facts, bool) { return learnt, learnt.Serial != 0 },
					Learnt: func(_ Target, f Facts) { learnt = f },
				}
				first, _ := supervised(t, "link=a,"+spec, cfg, StreamConfig{Interval: interval}, 30*time.Second)
				again, _ := supervised(t, "link=a,"+spec, cfg, StreamConfig{Interval: interval}, 30*time.Second)
				t.Logf("%s at %v: first window after %.1f s, the next time %.1f s", spec, interval, first.started.Seconds(), again.started.Seconds())
				if first.err != nil || first.averaging != 5 || first.started > 15*time.Second {
					t.Errorf("%s at %v: %v, %d periods after %v", spec, interval, first.err, first.averaging, first.started)
				}
				if interval < 400*time.Millisecond && (!first.says("trying 5 mains periods") || learnt.Averaging != 5) {
					t.Errorf("%s at %v: told %q, learnt %d", spec, interval, first.told, learnt.Averaging)
				}
				if again.err != nil || again.averaging != 5 || again.started > 3*time.Second || again.says("trying") {
					t.Errorf("%s at %v: the next time %v, %d periods after %v, told %q", spec, interval, again.err, again.averaging, again.started, again.told)
				}
			})
		}
		synctest.Test(t, func(t *testing.T) {
			sum, _ := supervised(t, spec, Config{}, StreamConfig{Interval: 20 * time.Millisecond}, FirstReading+30*time.Second)
			if !errors.Is(sum.err, ErrShortWindows) || !errors.Is(sum.err, ErrNoAnswer) {
				t.Errorf("%s at 20 ms: %v", spec, sum.err)
			}
		})
	}
}

// TestReconnectedFirst: the first frame after each reconnection is no measurement.
func TestReconnectedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := mustParse(t, "sim:link=a,drop=4s,load=constant,watts=100,seed=9")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		s, err := Supervise(ctx, Config{Target: target}, StreamConfig{Averaging: 1}, Recovery{})
		if err != nil {
			t.Fatal(err)
		}
		gaps := 0
		for {
			e, err := s.Next()
			if err != nil {
				break
			}
			if e.Kind == GapEvent && e.Gap.Windows == 0 {
				gaps++
			}
			if w := e.Window; e.Kind == WindowEvent && (math.Abs(w.Power-100) > 5 || w.Voltage > w.VoltagePeak) {
				t.Errorf("after %d reconnections: %.1f W, %.1f V rms, %.1f V peak", gaps, w.Power, w.Voltage, w.VoltagePeak)
			}
		}
		if gaps < 5 {
			t.Errorf("%d reconnections", gaps)
		}
		if err := errors.Join(s.Stop(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	})
}
