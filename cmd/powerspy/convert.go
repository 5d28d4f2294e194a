package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/output"
	"powerspy2/internal/parquet"
	"powerspy2/internal/shell"
	"powerspy2/measure"
	"powerspy2/record"
)

const parquetFormat = "parquet"

// convertFormats are what --to takes: text that can be read again, and Parquet.
var convertFormats = cli.Choice{string(output.CSV), string(output.JSONL), string(output.Influx), string(output.OSCAR), string(output.Plain), parquetFormat}

func (a *app) convertCommand() *cli.Command {
	return &cli.Command{
		Name:  "convert",
		Usage: "make a table of a recording: csv, parquet and others",
		Args:  []cli.Arg{{Name: "FILE", What: "a recording", Takes: cli.File{}}},
		Description: `FILE is a recording (of --record), compressed or not. What is written is a reading for each of its windows, or with --interval one of so
many as that is long, as powerspy measure would have written it then. A
recording that is still being written is read as far as it goes.

--to says the format: csv, jsonl, influx, oscar (of 1s), plain or parquet, which
is Apache Parquet with a row for each reading and typed columns, compressed by
Zstandard. Without it the name of -o does, .csv, .jsonl or .parquet; else it is
csv.

A part of the recording: --from TIME and --to TIME, which is the same --to, and
--phase NAME.

-o replaces its file by a whole new one, or leaves it as it is.

Examples:

    powerspy convert run.jsonl.zst > run.csv
    powerspy convert run.jsonl.zst -o run.parquet
    powerspy convert run.jsonl.zst --interval 1s --from 90s --to 2m --to csv`,
		Flags: []*cli.Flag{
			{Name: toFlag, Takes: formatOrMoment{}, Repeats: true, Usage: "write `FORMAT`: csv, jsonl, influx, oscar, plain or parquet; or end at a time", Default: "by the name of -o, else csv"},
			{Name: "interval", Aliases: []string{"i"}, Takes: cli.Duration{Examples: "1s, 10s, 1m"}, Default: "each window", Usage: "a reading every `TIME`: 100ms, 1s..."},
			from(), phase(),
			{Name: "unit", Aliases: []string{"u"}, Takes: cli.Choice(output.UnitNames()), Usage: "plain readings in `UNIT`: uW, mW, W, uJ, mJ or J", Default: "mW"},
			{Name: "fields", Takes: cli.Text{Suggest: output.FieldNames}, Usage: "the columns of csv, such as end,power: `NAMES` with commas"},
			{Name: "time", Takes: cli.Choice(output.TimeFormatNames()), Usage: "times of plain and csv as `FORMAT`: us, ms, s or iso", Default: "us; csv iso"},
			outputTo("write `FILE`; - is standard output"),
			{Name: quietFlag, Aliases: []string{"q"}, Usage: "write nothing but errors to standard error"},
		},
		Action: a.convert,
	}
}

// formatOrMoment is a format to convert to, or the end of the part.
type formatOrMoment struct{}

func (formatOrMoment) Noun() string { return "value" }
func (formatOrMoment) Use() string {
	return strings.Join(convertFormats, ", ") + ", or a time, " + moment{}.Use()
}
func (formatOrMoment) Words() []string { return convertFormats }

func (formatOrMoment) Parse(text string) (any, error) {
	if slices.Contains(convertFormats, text) {
		return text, nil
	}
	return moment{}.Parse(text)
}

// conversion is what convert was asked for.
type conversion struct {
	file     string
	output   newFile
	format   string
	interval time.Duration // 0: each window
	part     part
	options  output.Options
}

func (a *app) parseConversion(c *cli.Context) (*conversion, error) {
	want := &conversion{file: c.Arg(0), output: newFile{cmp.Or(c.String(outputFlag), standardOutput), true}, format: string(output.CSV), interval: c.Duration("interval")}
	if err := checkZone(a.env.getenv); err != nil {
		return nil, err
	}
	var to since
	formats, ends := 0, 0
	for _, v := range cli.Values(c, toFlag) {
		switch v := v.(type) {
		case string:
			want.format = v
			formats++
		case since:
			to = v
			ends++
		}
	}
	if formats > 1 || ends > 1 {
		return nil, c.Usagef("--to has one format, and one time")
	}
	if ending := filepath.Ext(want.output.name); ending == ".zst" || ending == ".gz" {
		return nil, c.Usagef("convert writes no %s: leave -o out and compress what comes (`| zstd`), or give -o run.parquet, which is compressed", ending)
	}
	if formats == 0 {
		var ok bool
		if want.format, ok = formatOfName(want.output.name); !ok {
			return nil, c.Usagef("%s does not tell the format: give it, as --to csv", shell.Quote(want.output.name))
		}
	}
	want.part = parsePart(c, to)
	if want.format == parquetFormat {
		if c.IsSet("unit") || c.IsSet("fields") || c.IsSet("time") {
			return nil, c.Usagef("format parquet has fixed units, columns and times")
		}
		if want.output.name == standardOutput && a.env.stdoutTerminal {
			return nil, c.Usagef("format parquet is no text for a terminal: give a file with -o")
		}
		return want, nil
	}
	if want.format == string(output.OSCAR) && want.interval == 0 {
		want.interval = time.Second
	}
	want.options.Interval = want.interval
	return want, parseOptions(c, output.Format(want.format), &want.options)
}

// formatOfName is the format that the name of a result tells, csv where it has no
// ending; ok is false where it has another one.
func formatOfName(name string) (format string, ok bool) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".parquet":
		return parquetFormat, true
	case ".jsonl":
		return string(output.JSONL), true
	case "", ".csv", ".txt", ".dat":
		return string(output.CSV), true
	}
	return "", false
}

func (a *app) convert(c *cli.Context) error {
	want, err := a.parseConversion(c)
	if err != nil {
		return err
	}
	s := a.replaySession(c)
	defer s.progress.End()
	if err := want.checkOutput(); err != nil {
		return err
	}
	rec, err := s.openRecording(c.Context, want.file, want.part, want.interval)
	if err != nil {
		return err
	}
	err = want.output.write(a.env, func(w io.Writer) error { return s.convert(c.Context, rec, want, w) })
	if err == nil {
		s.progress.End()
		s.tellDamage(rec, want.file)
	}
	return err
}

// checkOutput says what keeps the result from being written, as far as that shows
// beforehand: it is not to replace the recording that it is made of, for one.
func (want *conversion) checkOutput() error {
	name := want.output.name
	if in, err := os.Stat(want.file); err == nil { // else told when it is opened
		if out, err := os.Stat(name); err == nil && os.SameFile(in, out) {
			return advise(fmt.Errorf("%s is the recording itself", name), "give another file with -o")
		}
	}
	return want.output.check()
}

// convert writes all of a recording to w. It closes the recording.
func (s *session) convert(ctx context.Context, rec *record.Recording, want *conversion, w io.Writer) error {
	lines := bufio.NewWriterSize(w, 64<<10)
	var sink interface {
		Event(e *measure.Event) error
	}
	finish := lines.Flush
	if want.format == parquetFormat {
		header, err := (&record.Line{Kind: record.HeaderLine, Header: rec.Header()}).Append(nil)
		if err != nil {
			return errors.Join(err, rec.Close())
		}
		table := parquet.NewWriter(lines, map[string]string{"powerspy": strings.TrimSuffix(string(header), "\n")})
		sink, finish = table, func() error { return errors.Join(table.Close(), lines.Flush()) }
	} else {
		text := &measurement{format: output.Format(want.format), options: want.options}
		if first, ok := rec.First(); ok {
			text.options.Began = first.Start.Local()
		}
		t, err := text.sink(lines, rec.Target())
		if err != nil {
			return errors.Join(err, rec.Close())
		}
		sink = t
	}
	done := s.progress.Transfer("converting "+want.file, rec.Size())
	events := 0
	readings := &measure.Every{Interval: max(want.interval, eachWindow), Out: func(e *measure.Event) error {
		if events++; events%1000 == 0 {
			done(rec.Offset())
		}
		return sink.Event(e)
	}}
	outcome, err := measure.Run(ctx, rec, readings)
	var out *stdoutError
	switch {
	case errors.As(err, &out):
		return err
	case err != nil:
		return aboutFile(want.file, err)
	case outcome.Interrupted:
		return ctx.Err() // half of it is no result
	case outcome.Windows+outcome.Bridged == 0:
		return aboutNothing(want.file)
	}
	return finish()
}

// eachWindow is an interval that every window ends.
const eachWindow = time.Nanosecond
