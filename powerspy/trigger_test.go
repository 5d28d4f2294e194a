package powerspy

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestTriggerCounts(t *testing.T) {
	// 0.5 A are 917.5 counts; 100 W are 2250137 products of counts, whose
	// upper half is 34.3.
	got, err := golden.Counts(Thresholds{VoltageAbove: 200, CurrentAbove: 0.5, PowerAbove: 100, CurrentPeakAbove: 35, VoltagePeakAbove: 326.924281})
	want := [8]uint16{2453, 917, 34, 0, 0, 0, 0x0FA9, 64223}
	if err != nil || got != want {
		t.Errorf("unexpected counts: %v, %v, want %v", got, err, want)
	}
	got, err = golden.Counts(Thresholds{VoltageBelow: golden.Voltage * 65535, CurrentBelow: golden.Current, PowerBelow: 190000})
	want = [8]uint16{3: 65535, 4: 1, 5: 65236}
	if err != nil || got != want {
		t.Errorf("unexpected counts: %v, %v, want %v", got, err, want)
	}
}

func TestTriggerRange(t *testing.T) {
	tests := []struct {
		t    Thresholds
		want string
	}{
		{Thresholds{CurrentAbove: 36}, "current above 36 A is not from 0.000545 to 35.7151 A"},
		{Thresholds{VoltageBelow: 0.01}, "voltage below 0.01 V is not from 0.0815 to 5344.22 V"},
		{Thresholds{PowerAbove: -1}, "power above -1 W"},
		{Thresholds{PowerBelow: 1}, "power below 1 W is not from 2.91 to"},
		{Thresholds{VoltagePeakAbove: math.NaN()}, "peak voltage above NaN V"},
		{Thresholds{CurrentPeakAbove: math.Inf(1)}, "peak current above +Inf A"},
	}
	for _, tt := range tests {
		got, err := golden.Counts(tt.t)
		if !errors.Is(err, ErrOutOfRange) || got != [8]uint16{} || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: unexpected counts: %v, %v, want %q", tt.t, got, err, tt.want)
		}
	}
	if _, err := (Calibration{}).Counts(Thresholds{VoltageAbove: 1}); !errors.Is(err, ErrUncalibrated) {
		t.Errorf("unexpected error: %v, want %v", err, ErrUncalibrated)
	}
}
