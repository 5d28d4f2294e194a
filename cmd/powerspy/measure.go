package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/output"
	"powerspy2/meter"
)

func (a *app) measureCommand() *cli.Command {
	return &cli.Command{
		Name:  "measure",
		Usage: "print readings until Ctrl-C, --duration or --count",
		Description: `On a machine that has no meter yet it does first what ` + "`powerspy setup`" + ` does.

On a terminal readings are a table, with the columns that fit; --fields picks
others. There ! marks a reading of which a part is missing, and ~ one with
windows that the meter left out. Elsewhere they are plain lines:
TIMESTAMP READING, UNIX microseconds at the end of the reading and its mean
power, or its energy with an energy unit. Each line is written at once.

Other formats: csv has a header with units; jsonl a JSON object a line, also
for gaps and for what is going on; influx is InfluxDB's line protocol; oscar
the power file of KDE's OSCAR. docs/formats.md shows all of them. --fields
picks columns of csv and table:
  ` + fieldsHelp() + `

A reading is made of the meter's windows, which last some mains periods each:
a tenth of the interval, of 1, 2 or 5 periods, and more where the meter can't
keep up. A reading ends with the window nearest to the end of its interval. It
comes up to half a second later, when it is known well when its windows ended;
with --live at once. Windows that the meter leaves out, as real ones do, are
bridged: filled with the mean of their neighbours, and counted.

--device FILE measures what a log of powerspy.py or powerspycli has recorded,
perhaps compressed, as if the meter were there, but at once.

--record FILE keeps every window, of one mains period unless --averaging says
otherwise, for any use later (docs/recordings.md). --device FILE makes readings
of such a recording, at once, or of a part of it: --from, --to, --phase.

--output appends whole lines: half a line that a crash has left is cut off
first. A file that holds anything other than readings of the same format, unit,
fields and times is refused, and stays as it is. On SIGHUP the file is
reopened by its name, for logrotate.

Examples:

    powerspy measure
    powerspy measure --interval 250ms --unit uJ --duration 10m > run.txt
    powerspy measure --format csv --fields end,power,energy > run.csv
    powerspy measure --output power.txt --sync 5s
    powerspy measure --record run.jsonl.zst
    powerspy measure --device run.jsonl.zst --interval 10s --from 90s
    powerspy measure --device sim: --count 5
    powerspy measure --device old.log.gz --interval 5s --format csv`,
		Flags: append([]*cli.Flag{
			{Name: "interval", Aliases: []string{"i"}, Takes: cli.Duration{Examples: "250ms, 1s, 20ms, 100ms, 10s"}, Default: "1s", Usage: "a reading every `TIME`: 250ms, 1s..."},
			{Name: "unit", Aliases: []string{"u"}, Takes: cli.Choice(output.UnitNames()), Usage: "readings in `UNIT`: uW, mW, W, uJ, mJ or J", Default: "mW; tables W, J"},
			{Name: "format", Aliases: []string{"f"}, Takes: cli.Choice(output.FormatNames()), Usage: "write `FORMAT`: table (a terminal's default), plain, csv, jsonl, influx or oscar"},
			{Name: "fields", Takes: cli.Text{Suggest: output.FieldNames}, Usage: "the columns of csv and table, such as end,power: `NAMES` with commas"},
			{Name: "time", Takes: cli.Choice(output.TimeFormatNames()), Usage: "times of plain and csv as `FORMAT`: us, ms, s or iso", Default: "us; csv iso"},
			{Name: "duration", Takes: cli.Duration{Examples: "10s, 5m, 1h30m"}, Usage: "stop when `TIME` has been measured: 10s, 5m, 1h30m..."},
			{Name: "count", Aliases: []string{"n"}, Takes: cli.Count{Min: 1}, Usage: "stop after `N` readings"},
			{Name: outputFlag, Aliases: []string{"o"}, Takes: cli.File{}, Usage: "append the readings to `FILE`; - is standard output"},
			{Name: syncFlag, Takes: cli.Duration{Examples: "1s, 5s, 1m", Zero: true}, Default: "never", Usage: "flush --output and --record to the disk every `TIME`: 5s, 1m..."},
			{Name: "summary", Default: "on a terminal", Usage: "print a summary at the end, on standard error; --summary=false does not"},
			recordTo(), from(),
			{Name: toFlag, Takes: moment{}, Usage: "of a recording: end at `TIME`, as --from has it"},
			phase(), pinFile(), pin(), giveUp(),
		}, slices.Concat(streamFlags(), serverFlags(), recoveryFlags(), a.globalFlags())...),
		Action: a.measure,
	}
}

func (a *app) measure(c *cli.Context) (err error) {
	want, err := a.parseMeasurement(c)
	if err != nil {
		return err
	}
	s := a.replaySession(c)
	if want.recording == "" {
		if s, err = a.session(c); err != nil {
			return err
		}
	}
	defer s.progress.End()

	// The output comes before the meter: no use in waking one for nothing.
	var w io.Writer = a.env.stream
	if want.output != "" {
		f, oerr := s.openOutput(c.Context, want)
		if oerr != nil {
			return unmeasured(c.Context, oerr)
		}
		defer closingOutput(&err, f)
		w = f
	}
	rec, rerr := s.recording(c)
	if rerr != nil {
		return unmeasured(c.Context, rerr)
	}
	defer rec.closing(&err)

	if want.recording != "" {
		err = s.replay(c.Context, want, w)
	} else {
		err = s.measure(c.Context, want, w, rec)
	}
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

// measure opens the meter, remembers it on a machine that had none, and
// streams.
func (s *session) measure(ctx context.Context, want *measurement, w io.Writer, rec *recorder) error {
	service := newNotifier(want.interval)
	defer service.Close()
	s.meter.Report = func(status meter.Status) {
		s.progress.Report(status)
		service.Status(status)
	}
	s.onMark = rec.Mark
	stream, err := s.source(ctx, want.stream, want.recovery)
	if err != nil {
		return unmeasured(ctx, err)
	}
	s.progress.End()
	s.rememberFirst(stream.Target())
	sink, err := want.sink(w, stream.Target())
	if err == nil {
		err = rec.Begin(stream)
	}
	if err != nil {
		return errors.Join(err, stream.Close())
	}
	return s.stream(ctx, stream, want, sink, service, rec.Sinks()...)
}

// replay makes readings of a recording, at once.
func (s *session) replay(ctx context.Context, want *measurement, w io.Writer) error {
	rec, err := s.openRecording(ctx, want.recording, want.part, want.interval)
	if err != nil {
		return err
	}
	if first, ok := rec.First(); ok {
		want.options.Began = first.Start.Local()
	}
	sink, err := want.sink(w, rec.Target())
	if err != nil {
		return errors.Join(err, rec.Close())
	}
	err = s.stream(ctx, rec, want, sink, nil)
	s.tellTorn(rec, want.recording)
	if errors.Is(err, errNothing) {
		return aboutNothing(want.recording)
	}
	return err
}

// sink returns what writes events to w. A file gets its header from itself,
// which knows whether it is empty.
func (want *measurement) sink(w io.Writer, t meter.Target) (output.Sink, error) {
	o := want.options
	o.Meter = t.Label()
	f, file := w.(*outputFile)
	o.HeaderApart = file
	if want.output == "" {
		o.Width = want.width
	}
	if file {
		there := f.Content()
		o.Head, o.Last = there.Head, there.Last
	}
	sink, err := output.NewSink(want.format, w, o)
	if err == nil && file {
		f.SetHeader(sink.Header())
	}
	return sink, err
}

// fieldsHelp lists the fields in lines that fit a terminal.
func fieldsHelp() string {
	var lines []string
	for names := range slices.Chunk(output.FieldNames(), 6) {
		lines = append(lines, strings.Join(names, ", "))
	}
	return strings.Join(lines, ",\n  ")
}
