package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/output"
	"powerspy2/meter"
)

// measurement is what measure was asked for.
type measurement struct {
	interval  time.Duration
	averaging int // mains periods in a window
	format    output.Format
	options   output.Options
	duration  time.Duration // 0: no end
	count     uint64        // 0: no end
	output    string        // empty: standard output
	sync      time.Duration // 0: when the system likes
	summary   bool
	recovery  meter.Recovery
}

// parseMeasurement reads the flags. Everything is checked here, before anything
// is opened.
func (a *app) parseMeasurement(c *cli.Context) (*measurement, error) {
	want := &measurement{output: c.Path("output")}
	if c.IsSet("output") && want.output == "" {
		return nil, usagef(c, "the name of the output file is empty")
	}
	var err error
	if want.recovery, err = parseRecovery(c); err != nil {
		return nil, err
	}
	if want.sync, err = parseSync(c); err != nil {
		return nil, err
	}
	want.interval = time.Second
	if c.IsSet("interval") {
		want.interval, err = parseInterval(c.String("interval"))
	}
	if err != nil {
		return nil, usagef(c, "%w", err)
	}
	if err := meter.CheckInterval(want.interval); err != nil {
		return nil, err
	}
	want.averaging = 1
	if c.IsSet("averaging") {
		text := c.String("averaging")
		want.averaging, err = strconv.Atoi(text)
		if err != nil || want.averaging < 1 {
			return nil, usagef(c, "averaging %q is not a whole number of mains periods from 1 on", text)
		}
	}
	if err := a.parseFormat(c, want); err != nil {
		return nil, err
	}
	want.summary = a.env.stderrTerminal
	if c.IsSet("summary") {
		want.summary = c.Bool("summary")
	}
	if boolFlag(c, quietFlag) {
		want.summary = false
	}
	if c.IsSet("duration") {
		text := c.String("duration")
		want.duration, err = time.ParseDuration(text)
		switch {
		case err != nil:
			return nil, usagef(c, "duration %q is no time; give one such as 10s, 5m or 1h30m", text)
		case want.duration < want.interval:
			return nil, usagef(c, "duration %s is shorter than one reading, which the interval makes %v", text, want.interval)
		}
	}
	if c.IsSet("count") {
		text := c.String("count")
		want.count, err = strconv.ParseUint(text, 10, 63)
		if err != nil || want.count == 0 {
			return nil, usagef(c, "count %q is not a whole number from 1 on", text)
		}
	}
	return want, nil
}

// parseFormat reads the flags that say what a reading looks like.
func (a *app) parseFormat(c *cli.Context, want *measurement) (err error) {
	want.format = output.Plain
	if a.env.stdoutTerminal && want.output == "" {
		want.format = output.Table
	}
	o := &want.options
	o.Interval = want.interval
	if c.IsSet("format") {
		if want.format, err = output.ParseFormat(c.String("format")); err != nil {
			return usagef(c, "%w", err)
		}
	}
	if c.IsSet("unit") {
		unit, err := output.ParseUnit(c.String("unit"))
		if err != nil {
			return usagef(c, "%w", err)
		}
		o.Unit = &unit
	}
	if c.IsSet("fields") {
		o.Fields = strings.Split(c.String("fields"), ",")
		for i, name := range o.Fields {
			o.Fields[i] = strings.TrimSpace(name)
		}
	}
	if c.IsSet("time") {
		if o.Time, err = output.ParseTimeFormat(c.String("time")); err != nil {
			return usagef(c, "%w", err)
		}
	}
	if err := o.Check(want.format); err != nil {
		return usagef(c, "%w", err)
	}
	return nil
}

// parseInterval reads a duration; a bare number is milliseconds, as for the
// older tools' -i.
func parseInterval(text string) (time.Duration, error) {
	bare := strings.TrimLeft(text, "+-")
	if bare != "" && strings.Trim(bare, "0123456789.") == "" {
		text += "ms"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("interval %q is no time; give one such as 20ms, 250ms or 1s, or a number of milliseconds", text)
	}
	return d, nil
}
