package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/urfave/cli/v2"

	"powerspy2/meter"
	"powerspy2/powerspy"
)

func (a *app) captureCommand() *cli.Command {
	limit := func(name, usage string) cli.Flag {
		return &cli.Float64Flag{Name: name, Usage: usage, DefaultText: "off"}
	}
	return &cli.Command{
		Name:  "capture",
		Usage: "record a waveform of voltage and current",
		Description: `Writes CSV: time_s,voltage_V,current_A. With conditions it waits until all of
them hold; Ctrl-C cancels the capture on the meter.

Example, the inrush of what is switched on:

    powerspy capture --above-peak-current 2 --pretrigger 2 --periods 20 --output inrush.csv`,
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "periods", Aliases: []string{"n"}, Value: 10, Usage: "record `N` mains periods, 1 to 100"},
			limit("above-voltage", "wait for more than `V` volts"), limit("below-voltage", "wait for less than `V` volts"),
			limit("above-current", "wait for more than `A` amperes"), limit("below-current", "wait for less than `A` amperes"),
			limit("above-power", "wait for more than `W` watts"), limit("below-power", "wait for less than `W` watts"),
			limit("above-peak-voltage", "wait for a peak above `V` volts"), limit("above-peak-current", "wait for a peak above `A` amperes"),
			&cli.IntFlag{Name: "pretrigger", Usage: "keep `PERIODS` from before the trigger"},
			&cli.DurationFlag{Name: "timeout", Usage: "give up after `DURATION`", DefaultText: "wait until Ctrl-C"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the CSV to `FILE`", DefaultText: "standard output"},
			&cli.StringFlag{Name: "raw", Usage: "keep the meter's answer as it came in `FILE`"},
			pin(),
		}, globalFlags(false)...),
		Action: a.capture,
	}
}

func (a *app) capture(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	n, pre, timeout := c.Int("periods"), c.Int("pretrigger"), c.Duration("timeout")
	switch {
	case n < 1 || n > powerspy.MaxCaptureLength:
		return usagef(c, "periods %d: a capture has 1 to %d mains periods", n, powerspy.MaxCaptureLength)
	case pre < 0 || pre > n:
		return usagef(c, "pretrigger %d: give 0 to %d, the periods of the capture", pre, n)
	case c.IsSet("timeout") && timeout <= 0:
		return usagef(c, "timeout %v: give a time above 0, such as 1m", timeout)
	}
	cfg := meter.CaptureConfig{Periods: n, Pretrigger: uint8(pre)}
	t := &cfg.Thresholds
	for name, v := range map[string]*float64{
		"above-voltage": &t.VoltageAbove, "above-current": &t.CurrentAbove, "above-power": &t.PowerAbove,
		"below-voltage": &t.VoltageBelow, "below-current": &t.CurrentBelow, "below-power": &t.PowerBelow,
		"above-peak-voltage": &t.VoltagePeakAbove, "above-peak-current": &t.CurrentPeakAbove,
	} {
		if *v = c.Float64(name); c.IsSet(name) && (!(*v > 0) || math.IsInf(*v, 0)) {
			return usagef(c, "%s %v: give a number above 0", name, *v)
		}
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		var last powerspy.Status
		cfg.Report = func(id powerspy.Identity) {
			if id.Status != last && (id.Status == powerspy.Waiting || id.Status == powerspy.Acquiring) {
				s.progress.Line("capture: %v", id.Status)
			}
			last = id.Status
		}
		wait := ctx
		if timeout > 0 {
			var cancel context.CancelFunc
			wait, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		capture, err := m.Capture(wait, cfg)
		if name := c.String("raw"); name != "" && capture != nil {
			err = errors.Join(err, meter.WriteWhole(name, strings.NewReader(string(capture.Raw))))
		}
		if err != nil {
			return err
		}
		text := captureCSV(capture.Samples(m.Calibration(), m.Info().Frequency))
		if name := c.String("output"); name != "" {
			return meter.WriteWhole(name, strings.NewReader(text))
		}
		_, err = io.WriteString(a.env.stdout, text)
		return err
	})
}

func captureCSV(samples []powerspy.CaptureSample) string {
	var b strings.Builder
	b.WriteString("time_s,voltage_V,current_A\n")
	for _, s := range samples {
		fmt.Fprintf(&b, "%.6f,%.3f,%.5f\n", s.Time.Seconds(), s.Voltage, s.Current)
	}
	return b.String()
}
