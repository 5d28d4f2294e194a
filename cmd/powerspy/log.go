package main

import (
	"context"
	"fmt"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

func (a *app) logCommand() *cli.Command {
	return a.group(cli.Command{
		Name:  "log",
		Usage: "control logging to the meter's SD card",
		Description: `CAUTION: users report that logging to the SD card has hung meters until they were
unplugged, which cuts the power of what is plugged into them.
Generation V1 has no SD card.

Examples:

    powerspy log period 10s
    powerspy log start`,
	}, &cli.Command{
		Name:  "start",
		Usage: "start logging, until log stop or for some time",
		Description: `Logging goes on without a connection, until log stop; with --for it is stopped
after that time, or on Ctrl-C. Logging has hung meters: see powerspy log --help.

Example:

    powerspy log start --for 1h`,
		Flags:  []*cli.Flag{{Name: "for", Takes: cli.Duration{Examples: "10m, 1h, 24h"}, Usage: "stop after `DURATION`, or on Ctrl-C", Default: "until log stop"}},
		Action: a.logStart,
	}, &cli.Command{
		Name:  "stop",
		Usage: "stop logging",
		Description: `Example:

    powerspy log stop`,
		Action: a.logStop,
	}, &cli.Command{
		Name:  "status",
		Usage: "show the meter's status and its log period",
		Description: `Meters do not say whether they are logging; a file of powerspy files list that
grows does.

Example:

    powerspy log status`,
		Action: a.logStatus,
	}, &cli.Command{
		Name:  "period",
		Usage: "set the time between two entries, or show it",
		Args:  []cli.Arg{{Name: "DURATION", What: "a duration", Optional: true, Takes: cli.Duration{Examples: "1s, 10s, 1m"}}},
		Description: `It is a whole number of mains periods, 1 to 5000: from 20ms to 100s at 50 Hz.

Example:

    powerspy log period 10s`,
		Action: a.logPeriod,
	})
}

func (a *app) logStart(c *cli.Context) error {
	d := c.Duration("for")
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("starting the log")
		if d == 0 {
			if err := m.StartLog(ctx); err != nil {
				return err
			}
			s.progress.Line("the meter logs until `powerspy log stop`")
			return nil
		}
		s.progress.Line("the meter logs for %v, or until Ctrl-C", d)
		s.progress.Working("logging")
		return m.LogFor(ctx, d)
	})
}

func (a *app) logStop(c *cli.Context) error {
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("stopping the log")
		return m.StopLog(ctx)
	})
}

func (a *app) logStatus(c *cli.Context) error {
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("reading the log period")
		period, n, err := m.LogPeriod(ctx)
		s.progress.End()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.env.stdout, "%-7s %s\n%-7s %s\n", "status", m.Info().Identity.Status, "period", periodText(period, n))
		return err
	})
}

func (a *app) logPeriod(c *cli.Context) error {
	want := cli.ArgValue[time.Duration](c, 0) // 0: none was given
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("setting the log period")
		if want > 0 {
			if _, err := m.SetLogPeriod(ctx, want); err != nil {
				return err
			}
		}
		period, n, err := m.LogPeriod(ctx)
		s.progress.End()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.env.stdout, periodText(period, n))
		return err
	})
}

func periodText(d time.Duration, periods int) string {
	if periods > powerspy.MaxLogPeriod {
		return fmt.Sprintf("never set (%d)", periods)
	}
	return fmt.Sprintf("%v (%d mains periods)", d, periods)
}
