package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/picture"
	"powerspy2/internal/waveform"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

func (a *app) captureCommand() *cli.Command {
	return &cli.Command{
		Name:  "capture",
		Usage: "record a waveform of voltage and current",
		Description: `Writes CSV: time_s,voltage_V,current_A, and a picture with --plot. With
conditions it waits until all of them hold; Ctrl-C cancels the capture on the
meter.

Examples, a picture of two periods, and the inrush of what is switched on:

    powerspy capture --periods 2 --output two.csv --plot two.png
    powerspy capture --above-peak-current 2 --pretrigger 2 --periods 20 \
        --output inrush.csv`,
		Flags: slices.Concat([]*cli.Flag{
			{Name: "periods", Aliases: []string{"n"}, Takes: cli.Count{Min: 1, Max: powerspy.MaxCaptureLength}, Default: "10", Usage: "record `N` mains periods, 1 to 100"},
		}, limitFlags(), []*cli.Flag{
			{Name: "pretrigger", Takes: cli.Count{Max: powerspy.MaxCaptureLength, Of: "mains periods"}, Usage: "keep `PERIODS` from before the trigger"},
			{Name: "timeout", Takes: cli.Duration{Examples: "10s, 1m, 1h"}, Usage: "give up after `DURATION`", Default: "wait until Ctrl-C"},
			{Name: outputFlag, Takes: cli.File{}, Aliases: []string{"o"}, Usage: "write the CSV to `FILE`; - is standard output", Default: "standard output"},
			{Name: "plot", Takes: cli.File{}, Usage: "draw it to `FILE` (.png or .svg)"},
			{Name: "raw", Takes: cli.File{}, Usage: "save the meter's raw answer to `FILE`"},
			force(),
			pinFile(), pin(),
		}, a.globalFlags()),
		Action: a.capture,
	}
}

func (a *app) capture(c *cli.Context) error {
	n, pre, timeout := cmp.Or(c.Int("periods"), 10), c.Int("pretrigger"), c.Duration("timeout")
	if pre > n {
		return c.Usagef("--pretrigger %d is more than the %d mains periods of the capture", pre, n)
	}
	if err := checkCaptureFiles(c); err != nil {
		return err
	}
	thresholds := thresholds(c)
	var format picture.Format
	var err error
	if name := c.String("plot"); c.IsSet("plot") {
		if format, err = picture.FormatOf(name); err != nil {
			return c.Usagef("plot %v", err)
		}
	}
	cfg := meter.CaptureConfig{Periods: n, Pretrigger: uint8(pre), Thresholds: thresholds}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		var last powerspy.Status
		cfg.Report = func(id powerspy.Identity) {
			if id.Status != last && (id.Status == powerspy.Waiting || id.Status == powerspy.Acquiring) {
				s.progress.Report(meter.Status{Text: fmt.Sprintf("capture: %v", id.Status)})
			}
			if id.Status == powerspy.Complete && last != id.Status {
				s.progress.Working("reading the capture")
			}
			last = id.Status
		}
		wait := ctx
		if timeout > 0 {
			var cancel context.CancelFunc
			wait, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		if err := checkLimits(c, m.Calibration(), thresholds); err != nil {
			return err
		}
		capture, err := m.Capture(wait, cfg)
		s.progress.End()
		if name := c.String("raw"); name != "" && capture != nil {
			err = errors.Join(err, captureFile(c, name).writeText(a.env, string(capture.Raw)))
		}
		if errors.Is(err, context.DeadlineExceeded) && wait.Err() != nil && ctx.Err() == nil {
			return captureLate(timeout, last, thresholds)
		}
		if err != nil {
			return err
		}
		samples := capture.Samples(m.Calibration(), m.Info().Frequency)
		if name := c.String("plot"); name != "" {
			err = a.savePlot(captureFile(c, name), format, captureTitle(m.Info(), n, thresholds), samples)
		}
		// What was captured may not come again: one output does not wait for
		// the other to work.
		return errors.Join(err, captureFile(c, cmp.Or(c.String(outputFlag), standardOutput)).writeText(a.env, captureCSV(samples)))
	})
}

// checkCaptureFiles refuses files that can't be written: what is captured may
// not come again.
func checkCaptureFiles(c *cli.Context) error {
	flagOf := map[string]string{}
	if !c.IsSet(outputFlag) {
		flagOf[standardOutput] = outputFlag
	}
	for _, flag := range []string{outputFlag, "plot", "raw"} {
		if !c.IsSet(flag) {
			continue
		}
		name := c.String(flag)
		if other := flagOf[filepath.Clean(name)]; other != "" {
			return c.Usagef("--%s and --%s name the same file, %s", other, flag, name)
		}
		flagOf[filepath.Clean(name)] = flag
		if err := captureFile(c, name).check(); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	return nil
}

// captureFile is a file that a capture is to make.
func captureFile(c *cli.Context, name string) newFile { return newFile{name, c.Bool(forceFlag)} }

// captureLate is the error of a capture that took too long, with what the
// meter did last.
func captureLate(timeout time.Duration, last powerspy.Status, t powerspy.Thresholds) error {
	why := fmt.Errorf("not complete within %v; cancelled", timeout)
	next := "give it a longer --timeout"
	if text := limitText(t); text != "" && last == powerspy.Waiting {
		why = fmt.Errorf("the meter waited %v for %s and none came; the capture is cancelled", timeout, text)
		next = "check the conditions, or give it a longer --timeout"
	}
	return advise(&meter.Error{Kind: meter.ErrNoAnswer, Op: "capture", Err: why}, next)
}

// captureTitle says what a picture shows.
func captureTitle(info meter.Info, periods int, t powerspy.Thresholds) string {
	noun := "mains periods"
	if periods == 1 {
		noun = "mains period"
	}
	title := fmt.Sprintf("PowerSpy %d: %d %s at %.2f Hz", info.Identity.Serial, periods, noun, info.Frequency)
	if text := limitText(t); text != "" {
		title += "\ntriggered by " + text
	}
	return title
}

func (a *app) savePlot(to newFile, f picture.Format, title string, samples []powerspy.CaptureSample) error {
	err := to.write(a.env, func(w io.Writer) error { return waveform.Draw(w, f, title, samples) })
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}

func captureCSV(samples []powerspy.CaptureSample) string {
	var b strings.Builder
	b.WriteString("time_s,voltage_V,current_A\n")
	for _, s := range samples {
		fmt.Fprintf(&b, "%.6f,%.3f,%.5f\n", s.Time.Seconds(), s.Voltage, s.Current)
	}
	return b.String()
}
