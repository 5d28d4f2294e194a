package main

import (
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/output"
	"powerspy2/meter"
)

// measurement is what measure was asked for.
type measurement struct {
	interval time.Duration
	stream   meter.StreamConfig
	format   output.Format
	options  output.Options
	duration time.Duration // 0: no end
	count    uint64        // 0: no end
	output   string        // empty: standard output
	sync     time.Duration // 0: when the system likes
	summary  bool
	width    func() int // columns of standard output, as env has it
	recovery meter.Recovery

	recording string // to be replayed; empty: a meter measures
	part      part   // of it
}

// parseMeasurement reads the flags. Everything is checked here, before anything
// is opened.
func (a *app) parseMeasurement(c *cli.Context) (*measurement, error) {
	want := &measurement{output: outputName(c), width: a.env.stdoutWidth}
	if err := checkZone(a.env.getenv); err != nil {
		return nil, err
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
		want.interval = c.Duration("interval")
	}
	if err := meter.CheckInterval(want.interval); err != nil {
		return nil, err
	}
	if err := parseReplay(c, want); err != nil {
		return nil, err
	}
	want.stream = parseStream(c, want.interval)
	if c.IsSet(recordFlag) {
		want.stream.Interval = shortWindows(want.interval)
	}
	if err := a.parseFormat(c, want); err != nil {
		return nil, err
	}
	want.summary = a.env.stderrTerminal
	switch {
	case c.IsSet("summary"):
		want.summary = c.Bool("summary")
	case c.Bool(quietFlag):
		want.summary = false
	}
	want.duration = c.Duration("duration")
	want.count = uint64(c.Int("count"))
	return want, nil
}

// shortWindows returns an interval that the meter's windows are chosen for, so that
// they are the shortest ones to begin with, and readings of interval can still be
// made of those that a meter needs.
func shortWindows(interval time.Duration) time.Duration {
	const onePeriod = 190 * time.Millisecond // see meter.AutoAveraging
	if interval >= time.Second {
		return 0 // no window is longer
	}
	return min(interval, onePeriod)
}

// parseReplay reads the flags about a recording.
func parseReplay(c *cli.Context, want *measurement) (err error) {
	if want.recording, err = recordingFile(c); err != nil {
		return err
	}
	want.part = parsePart(c, cli.Value[since](c, toFlag))
	switch {
	case want.recording == "" && want.part != (part{}):
		return c.Usagef("--from, --to and --phase are of a recording: give it as --device FILE")
	case want.recording != "" && c.IsSet(recordFlag):
		return c.Usagef("--record needs a meter, and %s is a file", want.recording)
	}
	return nil
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
			return c.Usagef("%w", err)
		}
	}
	return parseOptions(c, want.format, o)
}

// parseOptions reads the flags that say how a format is written.
func parseOptions(c *cli.Context, f output.Format, o *output.Options) (err error) {
	if c.IsSet("unit") {
		unit, err := output.ParseUnit(c.String("unit"))
		if err != nil {
			return c.Usagef("%w", err)
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
			return c.Usagef("%w", err)
		}
	}
	if err := o.Check(f); err != nil {
		return c.Usagef("%w", err)
	}
	return nil
}
