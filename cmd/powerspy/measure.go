package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/output"
	"powerspy2/meter"
)

func (a *app) measureCommand() *cli.Command {
	return &cli.Command{
		Name:  "measure",
		Usage: "print readings until Ctrl-C, --duration or --count",
		Description: `On a machine that has no meter yet it does first what ` + "`powerspy setup`" + ` does.

On a terminal readings are a table. Elsewhere they are plain lines:
TIMESTAMP READING, UNIX microseconds at the end of the reading and its mean
power, or its energy with an energy unit. Each line is written at once.

--output appends whole lines: half a line that a crash has left is cut off
first. On SIGHUP the file is opened anew by its name, for logrotate.

Examples:

    powerspy measure
    powerspy measure --interval 250ms --unit uJ --duration 10m > run.txt
    powerspy measure --output power.txt --sync 5s
    powerspy measure --device sim: --count 5`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "interval", Aliases: []string{"i"}, DefaultText: "1s", Usage: "a reading every `TIME`: 250ms, 1s...; a bare number is in ms"},
			&cli.StringFlag{Name: "unit", Aliases: []string{"u"}, Usage: "readings in `UNIT`: uW, mW, W, uJ, mJ or J", DefaultText: "mW; tables W, J"},
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Usage: "write `FORMAT`: table (a terminal's default) or plain"},
			&cli.StringFlag{Name: "duration", Usage: "stop when `TIME` has been measured: 10s, 5m, 1h30m..."},
			&cli.StringFlag{Name: "count", Aliases: []string{"n"}, Usage: "stop after `N` readings"},
			&cli.PathFlag{Name: "output", Aliases: []string{"o"}, Usage: "append the readings to `FILE`"},
			&cli.StringFlag{Name: syncFlag, DefaultText: "never", Usage: "force --output to the disk every `TIME`: 5s, 1m...; a bare number is in s"},
			pin(), giveUp(),
		}, append(recoveryFlags(), globalFlags(false)...)...),
		Action: a.measure,
	}
}

// measurement is what measure was asked for.
type measurement struct {
	interval time.Duration
	unit     *output.Unit
	format   output.Format // empty: what fits the writer
	duration time.Duration // 0: no end
	count    uint64        // 0: no end
	output   string        // empty: standard output
	recovery meter.Recovery
	sync     time.Duration // 0: when the system likes
}

func (a *app) measure(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	want, err := parseMeasurement(c)
	if err != nil {
		return err
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	if err := s.readPIN(c); err != nil {
		return err
	}

	// The output comes before the meter: no use in waking one for nothing.
	var w io.Writer = a.env.stdout
	terminal := a.env.stdoutTerminal
	if want.output != "" {
		f, oerr := s.openOutput(c.Context, want.output, want.sync)
		if interrupted(c.Context, oerr) {
			return nil
		} else if oerr != nil {
			return oerr
		}
		defer closingOutput(&err, f)
		w, terminal = f, false
	}
	if want.format == "" {
		want.format = output.Plain
		if terminal {
			want.format = output.Table
		}
	}

	err = s.measure(c.Context, want, output.NewSink(want.format, w, want.unit))
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

// measure opens the meter, remembers it on a machine that had none, and copies
// events to the sink. All of it happens in this goroutine: a reading is written
// as soon as its last frame has been read.
func (s *session) measure(ctx context.Context, want *measurement, sink output.Sink) (err error) {
	stream, err := meter.Supervise(ctx, s.meter, meter.StreamConfig{Interval: want.interval}, want.recovery)
	if err != nil {
		return err
	}
	defer closing(&err, stream)
	if t := stream.Target(); t.Kind == meter.Bluetooth && len(s.config.Meters) == 0 {
		if err := s.remember(t); err != nil {
			// Measuring does not depend on it.
			s.progress.Line("%v", err)
		} else {
			s.progress.Line("remembered %s in %s", t, s.configPath)
		}
	}
	s.progress.End()
	defer func() {
		if serr := stopMeter(ctx, stream); serr != nil && (err == nil || interrupted(ctx, err)) {
			err = serr
		}
	}()

	var gaps gapsError
	gaps.silent = s.progress.quiet
	var measured time.Duration
	for n := uint64(0); want.more(n, measured); {
		e, err := stream.Next()
		if err != nil {
			if interrupted(ctx, err) && gaps.count > 0 {
				return &gaps
			}
			return err
		}
		switch e.Kind {
		case meter.ReadingEvent:
			n++
			measured += lasted(&e.Reading)
		case meter.GapEvent:
			gaps.count++
			gaps.total += e.Gap.To.Sub(e.Gap.From)
			s.tellGap(e.Gap)
		case meter.StatusEvent:
			s.tell(e.Status)
		}
		if err := sink.Event(e); err != nil {
			return err
		}
	}
	if gaps.count > 0 {
		return &gaps
	}
	return nil
}

// stopMeter tells the meter to stop also, and above all, when ctx has ended.
func stopMeter(ctx context.Context, stream *meter.Supervised) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return stream.Stop(ctx)
}

// tellGap tells what is missing.
func (s *session) tellGap(g meter.Gap) {
	s.progress.Line("nothing was measured from %s to %s: %s", g.From.Format(gapTime), g.To.Format(gapTime), g.Reason)
}

// tell tells a status of the stream.
func (s *session) tell(st meter.Status) {
	switch st.Phase {
	case meter.Recovering:
		s.progress.Report(st)
	default:
		s.progress.End()
		s.progress.Line("%s", st.Text)
	}
}

// lasted returns how much time a reading covers. Energy is power over the true
// length of its windows, and so tells it better than the reading's start and
// end, which are estimates from frames that arrive late.
func lasted(r *meter.Reading) time.Duration {
	if seconds := r.Energy / r.Power; seconds > 0 && seconds < 1e6 {
		return time.Duration(seconds * float64(time.Second))
	}
	return r.End.Sub(r.Start)
}

const gapTime = "15:04:05.000"

// more tells whether there is more to measure after n readings that cover so
// much time. A last reading that would overshoot by more than it fills is left.
func (want *measurement) more(n uint64, measured time.Duration) bool {
	if want.count > 0 && n >= want.count {
		return false
	}
	return want.duration == 0 || want.duration-measured > want.interval/2
}

// parseMeasurement reads the flags. Everything is checked here, before anything
// is opened.
func parseMeasurement(c *cli.Context) (*measurement, error) {
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
	if c.IsSet("unit") {
		unit, err := output.ParseUnit(c.String("unit"))
		if err != nil {
			return nil, usagef(c, "%w", err)
		}
		want.unit = &unit
	}
	if c.IsSet("format") {
		if want.format, err = output.ParseFormat(c.String("format")); err != nil {
			return nil, usagef(c, "%w", err)
		}
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
