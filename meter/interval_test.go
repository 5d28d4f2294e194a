package meter

import (
	"errors"
	"testing"
	"time"

	"powerspy2/powerspy"
)

func TestCheckWindows(t *testing.T) {
	for _, tt := range []struct {
		interval   time.Duration
		periods    int
		frequency  float64
		generation powerspy.Generation
		want       error
	}{
		{20 * time.Millisecond, 1, 50, powerspy.V2, nil},
		{20 * time.Millisecond, 1, 49.985, powerspy.V2, nil},
		{17 * time.Millisecond, 1, 60, powerspy.V2, nil},
		{17 * time.Millisecond, 1, 50, powerspy.V2, ErrInterval},
		{18 * time.Millisecond, 1, 50.02, powerspy.V2, ErrInterval},
		{100 * time.Millisecond, 5, 50, powerspy.V2, nil},
		{50 * time.Millisecond, 5, 50, powerspy.V2, ErrInterval},
		{24 * time.Hour, 50, 49.98, powerspy.V1, nil},
		{time.Second, 60, 60.01, powerspy.V2, nil},
		{time.Hour, 51, 50, powerspy.V2, ErrUsage},
		{time.Hour, -1, 50, powerspy.V2, ErrUsage},
	} {
		err := checkWindows(tt.interval, tt.periods, tt.frequency, tt.generation)
		if !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) {
			t.Errorf("%v of %d periods at %g Hz: unexpected error: %v", tt.interval, tt.periods, tt.frequency, err)
		}
	}
	for _, d := range []time.Duration{-1, 0, 1, 10 * time.Millisecond, 48 * time.Hour} {
		if err := CheckInterval(d); !errors.Is(err, ErrInterval) {
			t.Errorf("%v: unexpected error: %v", d, err)
		}
	}
}
