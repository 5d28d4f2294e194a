package gmt

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/gmt/gmttest"
	"powerspy2/internal/output"
	"powerspy2/measure"
	"powerspy2/meter"
)

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
						energy, gaps := follow(t, spec, interval, newRows(t, &out, output.Microjoule, interval))
						if err := gmttest.Check(out.String(), interval); err != nil {
							t.Error(err)
						}
						if gaps < 1 {
							t.Error("no gap")
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

// follow runs a simulated meter for half a minute into the rows, and returns the energy
// of its readings and the number of its gaps.
func follow(t *testing.T, device string, interval time.Duration, rows *Rows) (energy float64, gaps int) {
	t.Helper()
	target, err := meter.ParseTarget(device)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 31*time.Second)
	defer cancel()
	s, err := meter.Supervise(ctx, meter.Config{Target: target}, meter.StreamConfig{Interval: interval}, meter.Recovery{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := measure.Run(ctx, s, &measure.Every{Interval: interval, Out: func(e *measure.Event) error {
		switch e.Kind {
		case measure.ReadingEvent:
			energy += e.Reading.Energy
		case measure.GapEvent:
			gaps++
		}
		return rows.Event(e)
	}}); err != nil {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return energy, gaps
}
