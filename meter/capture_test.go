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
