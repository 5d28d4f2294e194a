package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/gmt"
	"powerspy2/internal/output"
	"powerspy2/measure"
	"powerspy2/meter"
)

// outageAllowed is how long a run for the Green Metrics Tool may be without a
// reading. The tool adds up what it gets, so a run with more missing is better
// lost than wrong.
const outageAllowed = time.Minute

// checkTime bounds the reading that a self-check waits for.
const checkTime = time.Second

func (a *app) gmtCommand() *cli.Command {
	return &cli.Command{
		Name:  "gmt",
		Usage: "print readings for the Green Metrics Tool",
		Description: `What the provider in scripts/green-metrics-tool runs. It prints one line for
each interval: TIMESTAMP VALUE, UNIX microseconds at its end and the energy or
the mean power that was measured in it. An interval that was lost as a whole
has no line. Energies of 1 uJ and less, or negative ones, are 2 with --unit uJ,
because the tool refuses them; other units keep them as they are.

Standard error stays empty, also while the meter is away and comes back, since
the tool takes anything there for a failure. A run is lost, and says so there,
when nothing could be measured for ` + cli.Dashed(giveUpFlag) + `. It never asks a question.

Examples:

    powerspy gmt -c
    powerspy gmt -i 250 -u uJ > psu_energy_ac_powerspy2_machine.log`,
		Flags: append([]*cli.Flag{
			{Name: "interval", Aliases: []string{"i"}, Takes: cli.Duration{Examples: "100, 250, 1000", Bare: time.Millisecond}, Default: "1000", Usage: "a line every `MS` milliseconds"},
			{Name: "unit", Aliases: []string{"u"}, Takes: cli.Choice(output.UnitNames()), Default: "mW", Usage: "values in `UNIT`: uJ, mJ, J, uW, mW or W"},
			{Name: "check", Aliases: []string{"c"}, Usage: "check that the meter measures, then exit"},
			{Name: giveUpFlag, Takes: giveUpTime, Default: "1m", Usage: "end after `TIME` without a reading"},
			pinFile(), pin(),
		}, append(serverFlags(), a.globalFlags()...)...),
		Action: a.gmt,
	}
}

func (a *app) gmt(c *cli.Context) error {
	interval, unit, err := parseRows(c)
	if err != nil {
		return err
	}
	recovery, err := parseRecovery(c)
	if err != nil {
		return err
	}
	s, err := a.newSession(c, c.Bool(quietFlag) || !c.Bool(verboseFlag))
	if err != nil {
		return err
	}
	defer s.progress.End()
	s.meter.AskPIN, s.meter.Choose = nil, nil
	if c.Bool("check") {
		return s.checkMeter(c.Context, min(interval, checkTime), recovery)
	}
	if recovery.GiveUpAfter == 0 {
		recovery.GiveUpAfter = outageAllowed
	}
	rows, err := gmt.NewRows(a.env.stream, unit, interval)
	if err != nil {
		return err
	}
	err = s.writeRows(c.Context, interval, recovery, rows)
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

// parseRows reads the flags that the provider has always had.
func parseRows(c *cli.Context) (interval time.Duration, unit output.Unit, err error) {
	interval, unit = time.Second, output.Milliwatt
	if c.IsSet("interval") {
		interval = c.Duration("interval")
	}
	if err := meter.CheckInterval(interval); err != nil {
		return 0, unit, err
	}
	if c.IsSet("unit") {
		if unit, err = output.ParseUnit(c.String("unit")); err != nil {
			return 0, unit, c.Usagef("%w", err)
		}
	}
	return interval, unit, nil
}

// writeRows measures until ctx ends.
func (s *session) writeRows(ctx context.Context, interval time.Duration, rec meter.Recovery, rows *gmt.Rows) error {
	src, err := s.source(ctx, meter.StreamConfig{Interval: interval}, rec)
	if err != nil {
		return unmeasured(ctx, err)
	}
	s.progress.End()
	outcome, err := measure.Run(ctx, src, &measure.Every{Interval: interval, Out: func(e *measure.Event) error {
		s.tell(e)
		return rows.Event(e)
	}}, atEnd{rows.Close})
	s.lastGaps(err)
	if err == nil && outcome.Windows == 0 {
		// The tool would take no rows for no energy.
		return errNothing
	}
	if stop, ok := errors.AsType[*measure.StopError](err); ok {
		// All rows are written, and the next run gets a meter to stop that is
		// still measuring: no reason to have this run thrown away.
		s.progress.Line("%s", sentence(stop))
		return nil
	}
	return err
}

// atEnd is a sink that takes nothing and does something at the end.
type atEnd struct{ do func() error }

func (atEnd) Event(*meter.Event) error { return nil }
func (s atEnd) End() error             { return s.do() }

// checkMeter waits for one reading.
func (s *session) checkMeter(ctx context.Context, interval time.Duration, rec meter.Recovery) error {
	src, err := s.source(ctx, meter.StreamConfig{Interval: interval}, rec)
	if err != nil {
		return err
	}
	s.progress.End()
	outcome, err := measure.Run(ctx, src, &measure.Every{Interval: interval, Count: 1, Out: func(e *measure.Event) error {
		s.tell(e)
		if e.Kind != measure.ReadingEvent {
			return nil
		}
		_, err := fmt.Fprintf(s.env.stdout, "%s measures: %.1f W\n", src.Target(), e.Reading.Power)
		return err
	}})
	s.lastGaps(err)
	if err == nil && outcome.Windows == 0 {
		return errNothing
	}
	return err
}
