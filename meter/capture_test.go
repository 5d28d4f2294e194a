package meter

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
)

func TestCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:load=constant")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for _, periods := range []int{0, 101} {
			if _, err := m.Capture(t.Context(), CaptureConfig{Periods: periods}); !errors.Is(err, ErrUsage) {
				t.Errorf("%d periods: got %v", periods, err)
			}
		}
		never := CaptureConfig{Periods: 2, Thresholds: powerspy.Thresholds{CurrentAbove: 20}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := m.Capture(ctx, never); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no trigger: got %v", err)
		}
		if id, err := m.Client().Identity(t.Context()); err != nil || id.Status == powerspy.Waiting {
			t.Errorf("cancelled: %v, %v", id.Status, err)
		}
		c, err := m.Capture(t.Context(), CaptureConfig{Periods: 2})
		if err != nil || len(c.Counts) == 0 {
			t.Errorf("got %v", err)
		}
	})
}

// The load is switched on while the meter waits for that.
func TestCaptureTriggered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:load=step,low=10,watts=200,period=20s,delay=0s,jitter=0s,stall=0")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		begun := time.Now()
		var first, last powerspy.Status
		c, err := m.Capture(t.Context(), CaptureConfig{
			Periods: 3, Thresholds: powerspy.Thresholds{PowerAbove: 100},
			Report: func(id powerspy.Identity) {
				if last = id.Status; first == 0 {
					first = last
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); first != powerspy.Waiting || last != powerspy.Complete || took < 5*time.Second || took > 15*time.Second {
			t.Errorf("from %v to %v in %v", first, last, took)
		}
		peak := 0.0
		for _, s := range c.Samples(m.Calibration(), 50) {
			peak = max(peak, s.Current)
		}
		if peak < 1 {
			t.Errorf("the current peaks at %.3f A, which is not 200 W", peak)
		}
	})
}
