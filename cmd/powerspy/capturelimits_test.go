package main

import (
	"slices"
	"testing"

	"powerspy2/powerspy"
)

// Each condition is the threshold that its flag names, in the order of a
// request: voltage, current and power above, the same below, the peaks.
func TestLimits(t *testing.T) {
	wires := []string{
		"above-voltage", "above-current", "above-power", "below-voltage", "below-current", "below-power",
		"above-peak-voltage", "above-peak-current",
	}
	if len(limits) != len(wires) {
		t.Fatalf("there are %d conditions, not %d", len(limits), len(wires))
	}
	cal := powerspy.Calibration{Voltage: 0.08, Current: 0.0005}
	for _, l := range limits {
		var set powerspy.Thresholds
		*l.in(&set) = 10
		counts, err := cal.Counts(set)
		if err != nil {
			t.Errorf("%s: %v", l.flag, err)
		}
		for i, n := range counts {
			if (n != 0) != (i == slices.Index(wires, l.flag)) {
				t.Errorf("%s: the counts are %v", l.flag, counts)
				break
			}
		}
	}
}

func TestLimitText(t *testing.T) {
	for want, set := range map[string]powerspy.Thresholds{
		"":                {},
		"more than 2.5 A": {CurrentAbove: 2.5},
		"less than 210 V": {VoltageBelow: 210},
		"more than 230 V and less than 3 W and a peak above 340 V": {VoltageAbove: 230, PowerBelow: 3, VoltagePeakAbove: 340},
	} {
		if got := limitText(set); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
