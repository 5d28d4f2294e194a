package baseline_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/baseline"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const period = 20 * time.Millisecond

// of returns the baseline of so many seconds with a power.
func of(t *testing.T, seconds int, power func(at float64) float64) baseline.Baseline {
	t.Helper()
	events := measuretest.Windows(begin, 50*seconds, period, 0)
	for i := range events {
		events[i].Window.Power = power(float64(i) / 50)
	}
	c := baseline.NewCollector(time.Duration(seconds) * time.Second)
	if _, err := measure.Run(t.Context(), &measuretest.Source{Events: events}, c); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Enough():
	default:
		t.Errorf("%d seconds are not enough", seconds)
	}
	b, err := c.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBaseline: mean, drift and calm of some idle machines.
func TestBaseline(t *testing.T) {
	tests := []struct {
		name         string
		power        func(float64) float64
		mean, within float64
		drifts, calm bool
	}{
		{"constant", func(float64) float64 { return 40 }, 40, 1e-9, false, true},
		{"a drift", func(at float64) float64 { return 40 + at/60 }, 40.5, 0.02, true, true},
		{"a burst", func(at float64) float64 {
			if at > 20 && at < 23 {
				return 80
			}
			return 40
		}, 42, 0.1, false, false},
		{"with nothing plugged in", func(at float64) float64 { return -0.1 + 0.05*math.Sin(at) }, -0.1, 0.01, false, true},
	}
	for _, tt := range tests {
		b := of(t, 60, tt.power)
		if math.Abs(b.Power-tt.mean) > tt.within || b.Drifts() != tt.drifts || b.Calm() != tt.calm || b.Duration != time.Minute {
			t.Errorf("%s: %+v, drifts %v, calm %v", tt.name, b, b.Drifts(), b.Calm())
		}
		if tt.drifts && math.Abs(b.Drift-60) > 1 {
			t.Errorf("%s: drifts by %g W/h", tt.name, b.Drift)
		}
	}
}

// TestUncertainty: the power of a machine that wanders, as noise with a memory of
// two seconds does, is within the expanded uncertainty nineteen times in twenty, and
// this is not ten times too large.
func TestUncertainty(t *testing.T) {
	const n, memory, mean = 400, 100., 40.
	within, relative := 0, 0.
	for seed := range uint64(n) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		wander := rnd.NormFloat64()
		b := of(t, 60, func(float64) float64 {
			a := math.Exp(-1 / memory)
			wander = a*wander + math.Sqrt(1-a*a)*rnd.NormFloat64()
			return mean + wander
		})
		off := math.Abs(b.Power - mean)
		if off <= 2*b.Uncertainty {
			within++
		}
		relative += off / (2 * b.Uncertainty) / n
	}
	if share := float64(within) / n; share < 0.90 || relative < 0.2 {
		t.Errorf("%.1f %% are within U, and the mean error is %.2f of it", 100*share, relative)
	}
}

// TestNet: 50 W when idle and 30 W more for 10 s are 300 J.
func TestNet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Idle for 20 s, busy for 20 s.
		target, err := meter.ParseTarget("sim:link=a,load=step,low=50,watts=80,period=40s,seed=3")
		if err != nil {
			t.Fatal(err)
		}
		simulated, err := target.Simulator()
		if err != nil {
			t.Fatal(err)
		}
		made := time.Now()
		src, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
		if err != nil {
			t.Fatal(err)
		}
		c := baseline.NewCollector(10 * time.Second)
		w := measure.StartWatch(t.Context(), src, &measure.History{}, c)
		if err := w.Flows(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-c.Enough()
		b, err := c.Baseline()
		if err != nil {
			t.Fatal(err)
		}
		from, to := made.Add(18*time.Second), made.Add(30*time.Second)
		time.Sleep(time.Until(to))
		if !w.Settle(context.Background(), to, measure.Patience) {
			t.Error("the end was not measured")
		}
		s := w.History.Span(from, to)
		if _, err := w.Stop(); err != nil {
			t.Error(err)
		}
		net, u := b.Net(&s)
		if truth := simulated.Energy(from, to) - 50*12; math.Abs(truth-300) > 1e-6 {
			t.Fatalf("the load drew %g J", truth)
		}
		if math.Abs(net-300) > 2*u || u > 3 || u < 0.01 {
			t.Errorf("%g J +- %g J above the idle machine", net, 2*u)
		}
		// A known power that is too high: as it is, below 0.
		fixed := baseline.Fixed(90)
		if net, _ := fixed.Net(&s); math.Abs(net-(300-480)) > 2 {
			t.Errorf("%g J above 90 W", net)
		}
	})
}

// TestNetUncertainty: the meter's class counts for the net, the baseline's
// uncertainty for the time.
func TestNetUncertainty(t *testing.T) {
	s := measure.Span{Energy: 800, Covered: 10 * time.Second, Uncertainty: measure.Uncertainty{Time: 3, Meter: 8}}
	b := baseline.Baseline{Power: 50, Uncertainty: 0.4}
	net, u := b.Net(&s)
	if want := math.Hypot(math.Hypot(3, 3), 4); net != 300 || math.Abs(u-want) > 1e-9 {
		t.Errorf("%g J, standard uncertainty %g J: want 300 J, %g J", net, u, want)
	}
}

// TestFile: what is written is read again; other files are refused.
func TestFile(t *testing.T) {
	b := of(t, 30, func(at float64) float64 { return 40 + math.Sin(at) })
	b.Meter, b.Tool = baseline.Meter{Name: "PowerSpy 4567", Serial: 4567}, "v1"
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	got, err := baseline.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	got.Start = got.Start.UTC()
	if diff := cmp.Diff(b, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	for _, other := range []string{
		"", "{}", "[]", "time,power", text[:len(text)/2], strings.Replace(text, "baseline", "other", 1),
		strings.Replace(text, `"version": 1`, `"version": 2`, 1), strings.Replace(text, "power_W", "power", 1),
		strings.Replace(text, `"power_uncertainty_W": `, `"power_uncertainty_W": -`, 1), strings.Repeat(" ", 2<<20) + text,
	} {
		if _, err := baseline.Read(strings.NewReader(other)); !errors.Is(err, baseline.ErrOther) {
			t.Errorf("%.40q: %v", other, err)
		}
	}
}

// TestShort: a second is no baseline, and what is not there neither.
func TestShort(t *testing.T) {
	c := baseline.NewCollector(time.Minute)
	for _, e := range measuretest.Windows(begin, 70, period, 40) {
		if err := c.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Baseline(); !errors.Is(err, baseline.ErrShort) {
		t.Errorf("unexpected error: %v", err)
	}
}
