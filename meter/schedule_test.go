package meter

import (
	"errors"
	"math"
	"testing"
	"time"

	"powerspy2/powerspy"
)

// TestSchedule checks for a thousand readings that every boundary is within
// half a mains period of the interval's multiple, or within what the mains
// frequency makes of whole windows, and that windows are at most a second.
func TestSchedule(t *testing.T) {
	tests := []struct {
		interval   time.Duration
		frequency  float64
		generation powerspy.Generation
		periods    int
		perReading float64
	}{
		{20 * time.Millisecond, 50, powerspy.V2, 1, 1},
		{20 * time.Millisecond, 49.985, powerspy.V2, 1, 1},
		{100 * time.Millisecond, 50, powerspy.V2, 5, 1},
		{250 * time.Millisecond, 50, powerspy.V2, 1, 12.5},
		{250 * time.Millisecond, 60, powerspy.V2, 15, 1},
		{333 * time.Millisecond, 50, powerspy.V2, 1, 16.65},
		{time.Second, 50, powerspy.V2, 50, 1},
		{time.Second, 49.985, powerspy.V2, 50, 1},
		{time.Second, 60, powerspy.V2, 60, 1},
		{3 * time.Second, 50, powerspy.V2, 50, 3},
		{time.Minute, 50, powerspy.V1, 50, 60},
		{1500 * time.Millisecond, 50, powerspy.V2, 25, 3},
	}
	for _, tt := range tests {
		t.Run(tt.interval.String(), func(t *testing.T) {
			s, err := newSchedule(tt.interval, tt.frequency, tt.generation)
			if err != nil {
				t.Fatal(err)
			}
			if s.periods != tt.periods || math.Abs(s.perReading-tt.perReading) > 1e-9 {
				t.Fatalf("got %d periods, %g windows a reading; want %d, %g", s.periods, s.perReading, tt.periods, tt.perReading)
			}
			if length := float64(s.periods) / tt.frequency; length > 1.001 {
				t.Errorf("a window of %g s is too long for the meter", length)
			}
			window := 0
			for reading := 1; reading <= 1000; {
				window++
				if !s.next() {
					continue
				}
				want := float64(reading) * s.perReading
				if off := math.Abs(float64(window)-want) * float64(s.periods); off > 0.5 && s.periods == 1 || off > 1e-6 && s.periods > 1 {
					t.Fatalf("reading %d ends after window %d, want %g", reading, window, want)
				}
				reading++
			}
		})
	}
}

func TestScheduleTooShort(t *testing.T) {
	for _, tt := range []struct {
		interval  time.Duration
		frequency float64
	}{{17 * time.Millisecond, 50}, {18 * time.Millisecond, 50.02}} {
		if _, err := newSchedule(tt.interval, tt.frequency, powerspy.V2); !errors.Is(err, ErrInterval) || !errors.Is(err, ErrUsage) {
			t.Errorf("%v at %g Hz: unexpected error: %v", tt.interval, tt.frequency, err)
		}
	}
	for _, d := range []time.Duration{-1, 0, 1, 10 * time.Millisecond, 48 * time.Hour} {
		if err := CheckInterval(d); !errors.Is(err, ErrInterval) {
			t.Errorf("%v: unexpected error: %v", d, err)
		}
	}
}
