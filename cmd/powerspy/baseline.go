package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/cli"
	"powerspy2/internal/figures"
)

func (a *app) baselineCommand() *cli.Command {
	return &cli.Command{
		Name:  "baseline",
		Usage: "measure the power of the idle machine",
		Description: `Prints the mean power of a machine that does nothing, its uncertainty, and its
drift, and says when the machine was not calm. The file of --output is for
--baseline of ` + "`powerspy run`, `bench` and `report`" + `.

Examples:

    powerspy baseline
    powerspy baseline --duration 5m --output idle.json`,
		Flags: append(append(append([]*cli.Flag{
			{Name: "duration", Takes: cli.Duration{Examples: "1m, 5m, 30s"}, Default: "1m", Usage: "measure for `TIME`"},
			outputTo("write the baseline to `FILE`, which is replaced; - is standard output"),
			pinFile(), pin(),
		}, jobStreamFlags()...), recoveryFlags()...), a.globalFlags()...),
		Action: a.baseline,
	}
}

func (a *app) baseline(c *cli.Context) error {
	d := time.Minute
	if c.IsSet("duration") {
		d = c.Duration("duration")
	}
	if d < leastBaseline {
		return c.Usagef("a baseline takes at least %v", leastBaseline)
	}
	out := newFile{name: c.String(outputFlag), force: true}
	if out.name != "" {
		if err := out.check(); err != nil {
			return err
		}
	}
	p, err := parseWatch(c)
	if err != nil {
		return err
	}
	p.baseline = baselineSource{measure: d}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	m, err := s.watchMeter(c.Context, &p, nil)
	if err != nil {
		return err
	}
	defer m.stop(s)
	b, err := s.idle(c.Context, m, d)
	if err != nil {
		return err
	}
	b.Meter, b.Tool = baseline.MeterOf(m.src), versionText()
	if out.name != "" {
		if err := out.write(a.env, b.Write); err != nil {
			return err
		}
	}
	if out.name != standardOutput {
		if _, err := io.WriteString(a.env.stdout, baselineText(b)); err != nil {
			return err
		}
	}
	for _, text := range b.Warnings() {
		s.progress.Line("%s", text)
	}
	return nil
}

// baselineText tells a person of a baseline.
func baselineText(b *baseline.Baseline) string {
	var t strings.Builder
	fmt.Fprintf(&t, "baseline  %s over %v\n", figures.WithUncertainty(b.Power, 2*b.Uncertainty, "W"), b.Duration.Round(time.Second))
	fmt.Fprintf(&t, "seconds   %.2f to %.2f W\n", b.Low, b.High)
	hours := b.Duration.Hours() // of a slope that a short time shows badly
	fmt.Fprintf(&t, "drift     %+.2f W", b.Drift*hours)
	if off := 2 * b.DriftError * hours; off < 1e6 {
		fmt.Fprintf(&t, " +- %.2f W", off)
	}
	fmt.Fprintf(&t, " over %v\n", b.Duration.Round(time.Second))
	return t.String()
}
