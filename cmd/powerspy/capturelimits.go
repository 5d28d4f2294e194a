package main

import (
	"errors"
	"fmt"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/powerspy"
)

// limits are the conditions that a capture can wait for, each with the flag
// that sets it.
var limits = []struct {
	flag, words, letter, unit string
	in                        func(*powerspy.Thresholds) *float64
}{
	{"above-voltage", "more than", "V", "volts", func(t *powerspy.Thresholds) *float64 { return &t.VoltageAbove }},
	{"below-voltage", "less than", "V", "volts", func(t *powerspy.Thresholds) *float64 { return &t.VoltageBelow }},
	{"above-current", "more than", "A", "amperes", func(t *powerspy.Thresholds) *float64 { return &t.CurrentAbove }},
	{"below-current", "less than", "A", "amperes", func(t *powerspy.Thresholds) *float64 { return &t.CurrentBelow }},
	{"above-power", "more than", "W", "watts", func(t *powerspy.Thresholds) *float64 { return &t.PowerAbove }},
	{"below-power", "less than", "W", "watts", func(t *powerspy.Thresholds) *float64 { return &t.PowerBelow }},
	{"above-peak-voltage", "a peak above", "V", "volts", func(t *powerspy.Thresholds) *float64 { return &t.VoltagePeakAbove }},
	{"above-peak-current", "a peak above", "A", "amperes", func(t *powerspy.Thresholds) *float64 { return &t.CurrentPeakAbove }},
}

func limitFlags() (flags []*cli.Flag) {
	for _, l := range limits {
		usage := fmt.Sprintf("wait for %s `%s` %s", l.words, l.letter, l.unit)
		flags = append(flags, &cli.Flag{Name: l.flag, Takes: cli.Number{}, Usage: usage, Default: "off"})
	}
	return flags
}

func thresholds(c *cli.Context) (t powerspy.Thresholds) {
	for _, l := range limits {
		*l.in(&t) = c.Float64(l.flag)
	}
	return t
}

// checkLimits refuses a condition that the meter can't be told, by its flag. The
// meter's range depends on its calibration.
func checkLimits(c *cli.Context, cal powerspy.Calibration, t powerspy.Thresholds) error {
	for _, l := range limits {
		var one powerspy.Thresholds
		*l.in(&one) = *l.in(&t)
		_, err := cal.Counts(one)
		var e *powerspy.Error
		if errors.Is(err, powerspy.ErrOutOfRange) && errors.As(err, &e) {
			return c.Usagef("--%s: %w", l.flag, e.Err)
		}
	}
	return nil
}

// limitText names the conditions that are set: "more than 2 A and a peak above
// 340 V"; it is empty when none is.
func limitText(t powerspy.Thresholds) string {
	var set []string
	for _, l := range limits {
		if v := *l.in(&t); v != 0 {
			set = append(set, fmt.Sprintf("%s %g %s", l.words, v, l.letter))
		}
	}
	return strings.Join(set, " and ")
}
