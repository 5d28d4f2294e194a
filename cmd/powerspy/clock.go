package main

import (
	"context"
	"fmt"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

func (a *app) clockCommand() *cli.Command {
	return a.group(cli.Command{
		Name:  "clock",
		Usage: "show and set the meter's clock",
		Description: `The clock dates the files of the log. It counts whole seconds and knows no time
zone: it is taken for local time. Generation V1 has no clock.

Examples:

    powerspy clock get
    powerspy clock sync
    powerspy clock set 2026-03-01T12:00:00`,
	}, &cli.Command{
		Name:  "get",
		Usage: "show the meter's time, this machine's, and how far the meter is ahead",
		Description: `The clock shows whole seconds, so it is watched until the turn of one, which
tells the offset to the time that a question and its answer take.

Example:

    powerspy clock get`,
		Action: a.inZone(a.clockGet),
	}, &cli.Command{
		Name:  "set",
		Usage: "set the clock to a time",
		Args:  []cli.Arg{{Name: "TIME", What: "a time, such as 2026-03-01T12:00:00", Takes: clockTime{}}},
		Description: `TIME is ISO 8601, of the years 2000 to 2255; without a zone it is local time.

Example:

    powerspy clock set 2026-03-01T12:00:00`,
		Action: a.inZone(a.clockSet),
	}, &cli.Command{
		Name:  "sync",
		Usage: "set the clock from this machine's, at the turn of a second",
		Description: `Shows how far the meter was ahead before and is ahead after. What is left after
is about the time that a request takes to the meter.

Example:

    powerspy clock sync`,
		Action: a.inZone(a.clockSync),
	})
}

func (a *app) clockGet(c *cli.Context) error {
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("watching the clock for the turn of a second")
		r, err := m.Clock(ctx)
		s.progress.End()
		if err != nil {
			return err
		}
		s.tellStopped(r)
		_, err = fmt.Fprintf(a.env.stdout, "%-13s %s\n%-13s %s\n%-13s %s\n", "meter", r.Meter.Format(time.DateTime),
			"this machine", r.Here.Format(time.DateTime), "offset", offsetText(r))
		return err
	})
}

func (a *app) clockSet(c *cli.Context) error {
	t := cli.ArgValue[time.Time](c, 0)
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("setting the clock")
		if err := m.SetClock(ctx, t); err != nil {
			return err
		}
		s.progress.End()
		_, err := fmt.Fprintf(a.env.stdout, "%-13s %s\n", "set to", t.Format(time.DateTime))
		return err
	})
}

func (a *app) clockSync(c *cli.Context) error {
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		s.progress.Working("setting the clock at the turn of a second")
		before, after, err := m.SyncClock(ctx)
		s.progress.End()
		if err != nil {
			return err
		}
		s.tellStopped(after)
		_, err = fmt.Fprintf(a.env.stdout, "%-13s %s\n%-13s %s\n", "offset before", offsetText(before), "offset after", offsetText(after))
		return err
	})
}

// tellStopped reports a clock that does not go on.
func (s *session) tellStopped(r meter.ClockReading) {
	if r.Stopped {
		s.progress.Line("the meter's clock has stopped; `powerspy clock sync` sets it")
	}
}

// offsetText says how far the meter is ahead, and how sure that is.
func offsetText(r meter.ClockReading) string {
	const step = 10 * time.Millisecond
	return fmt.Sprintf("%+.2f s (within %.2f s)", r.Offset.Round(step).Seconds(), (r.Within + step - 1).Truncate(step).Seconds())
}

// timeLayouts are the forms of ISO 8601 that are accepted.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", time.DateOnly}

// A clockTime is a time that a meter can hold, in local time.
type clockTime struct{}

func (clockTime) Noun() string    { return "time" }
func (clockTime) Use() string     { return "a date and time such as 2026-03-01T12:00:00" }
func (clockTime) Words() []string { return nil }

func (clockTime) Parse(text string) (any, error) {
	for _, layout := range timeLayouts {
		t, err := time.ParseInLocation(layout, text, time.Local)
		if err != nil {
			continue
		}
		if t = t.Local(); t.Year() < powerspy.MinClockYear || t.Year() > powerspy.MaxClockYear {
			return nil, fmt.Errorf("the meter's clock holds the years %d to %d", powerspy.MinClockYear, powerspy.MaxClockYear)
		}
		return t, nil
	}
	return nil, cli.ErrInvalid
}
