package gmt

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/output"
	"powerspy2/meter"
)

// check applies the checks of the tool's reader, which drops what follows the
// last newline, to what was written for it at an interval.
func check(out string, interval time.Duration) error {
	out = out[:strings.LastIndexByte(out, '\n')+1]
	if out == "" {
		return errors.New("no row")
	}
	var times []float64
	for line := range strings.Lines(out) {
		text, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		at, err1 := strconv.ParseInt(text, 10, 64)
		v, err2 := strconv.ParseInt(value, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return fmt.Errorf("row %q is not two integers", line)
		}
		if v <= 1 {
			return fmt.Errorf("the value of %q is too small", line)
		}
		if n := len(times); n > 0 && float64(at) <= times[n-1] {
			return fmt.Errorf("the time of %q does not increase", line)
		}
		times = append(times, float64(at))
	}
	var steps []float64
	for i := 1; i < len(times); i++ {
		steps = append(steps, times[i]-times[i-1])
	}
	rate := float64(interval.Microseconds())
	if p := quantile(steps, 0.95); !(p > 0.8*rate && p < 1.2*rate) {
		return fmt.Errorf("95 %% of the steps are up to %g us, which is not about %g us", p, rate)
	}
	return nil
}

// quantile interpolates between the two nearest values, and is NaN without any.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	whole, part := math.Modf(q * float64(len(values)-1))
	v := values[int(whole)]
	if part > 0 {
		v += part * (values[int(whole)+1] - v)
	}
	return v
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ out, want string }{
		{"1000000 5\n1100000 5\n1200000 5\n13", ""},
		{"1000000", "no row"},
		{"1000000 5\n1100000 1\n", "too small"},
		{"1000000 5\n1100000 5.5\n", "not two integers"},
		{"1000000 5\n1000000 5\n", "does not increase"},
		{"1000000 5\n1120000 5\n", "not about"},
		{"1000000 5\n1080000 5\n", "not about"},
	} {
		err := check(tt.out, 100*time.Millisecond)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.out, err, tt.want)
		}
	}
}

// TestMeasurement is 30 s of a meter with one damaged frame in twenty and two
// seconds of silence: every check of the tool passes, and the rows have all the
// energy of the readings.
func TestMeasurement(t *testing.T) {
	for _, interval := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, time.Second} {
		for _, load := range []string{"server", "zero"} {
			for seed := range 3 {
				t.Run(fmt.Sprint(interval, load, seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						spec := fmt.Sprintf("sim:noise=0.05,silence=20s/2s,load=%s,seed=%d", load, seed)
						var out bytes.Buffer
						energy, gaps := measure(t, spec, interval, newRows(t, &out, output.Microjoule, interval))
						if err := check(out.String(), interval); err != nil {
							t.Error(err)
						}
						if gaps < 20 {
							t.Errorf("%d gaps", gaps)
						}
						if n, most := strings.Count(out.String(), "\n"), int(30*time.Second/interval); n > most+1 || n < most*8/10 {
							t.Errorf("%d rows", n)
						}
						if load == "zero" {
							return
						}
						var sum float64
						for line := range strings.Lines(out.String()) {
							_, value, _ := strings.Cut(strings.TrimSpace(line), " ")
							v, _ := strconv.ParseFloat(value, 64)
							sum += v * 1e-6
						}
						if math.Abs(sum/energy-1) > 1e-6 {
							t.Errorf("rows of %g J for readings of %g J", sum, energy)
						}
					})
				})
			}
		}
	}
}

// measure runs a simulated meter for 30 s into the rows, and returns the energy
// of its readings and the number of its gaps.
func measure(t *testing.T, device string, interval time.Duration, rows *Rows) (energy float64, gaps int) {
	t.Helper()
	target, err := meter.ParseTarget(device)
	if err != nil {
		t.Fatal(err)
	}
	s, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{Interval: interval}, meter.Recovery{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Stop(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	}()
	for start := time.Now(); time.Since(start) < 30*time.Second; {
		e, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch e.Kind {
		case meter.ReadingEvent:
			energy += e.Reading.Energy
		case meter.GapEvent:
			gaps++
		}
		if err := rows.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return energy, gaps
}
