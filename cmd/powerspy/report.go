package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"powerspy2/internal/atomicfile"
	"powerspy2/internal/baseline"
	"powerspy2/internal/bench"
	"powerspy2/internal/cli"
	"powerspy2/internal/picture"
	"powerspy2/internal/report"
	"powerspy2/measure"
	"powerspy2/record"
)

const plotFlag = "plot"

func (a *app) reportCommand() *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "make a page of recordings and bench results",
		Args:  []cli.Arg{{Name: "FILE", What: "a recording, a result or a server", Repeats: true, Takes: cli.File{}}},
		Description: `Makes one HTML file that stands alone: power over time, to be zoomed; the runs of
a bench, with means and intervals; tables with the figures; how it was measured,
in words for a paper; and the data. It opens from the disk, asks for nothing from
anywhere, and prints.

FILE is a recording (of measure, run or bench with --record), the JSON of
` + "`powerspy bench --export-json`" + `, or that of ` + "`powerspy run --format json`" + `. Several make
one page. A server, unix:/SOCKET[:METER] or http(s)://[USER@]HOST:PORT[/METER],
in its place is what that remembers of the meter.

--plot draws the same as a picture, with or without a page.

A part of recordings: --from TIME, --to TIME and --phase NAME.

Examples:

    powerspy report run.jsonl.zst -o report.html
    powerspy report run.jsonl.zst --plot power.svg
    powerspy report https://alice@lab7:9797/rack1 -o lasthour.html
    powerspy report bench.json --plot energies.png -o report.html
    powerspy report night.jsonl.zst --from 2h --to 3h \
        --baseline idle.json -o report.html`,
		Flags: append([]*cli.Flag{
			outputTo("write the page to `FILE`, which is replaced; - is standard output"),
			{Name: plotFlag, Takes: cli.File{}, Usage: "draw to `FILE` (.svg or .png), which is replaced"},
			{Name: "title", Takes: cli.Text{}, Usage: "the title of the page, `TEXT`", Default: "what is in it"},
			from(),
			{Name: toFlag, Takes: moment{}, Usage: "of a recording: end at `TIME`"},
			phase(),
			{Name: baselineFlag, Takes: baselineValue{}, Default: "none", Usage: "of a recording: tell what is above `POWER`: 12.3W, FILE or none"},
			accuracyClass(),
			{Name: quietFlag, Aliases: []string{"q"}, Usage: "write nothing but errors to standard error"},
		}, serverFlags()...),
		Action: a.inZone(a.makeReport),
	}
}

// A reportPlan is what report was asked for.
type reportPlan struct {
	files    []string
	page     string // standardOutput is standard output; "": none
	plot     string // "": none
	format   picture.Format
	title    string
	part     part
	baseline *baseline.Baseline
	accuracy float64
}

func (a *app) parseReport(c *cli.Context) (*reportPlan, error) {
	p := &reportPlan{
		files: c.Args(), page: c.String(outputFlag), plot: c.String(plotFlag), title: c.String("title"),
		part: parsePart(c, cli.Value[since](c, toFlag)), accuracy: c.Float64("accuracy"),
	}
	if c.IsSet(plotFlag) {
		var err error
		if p.format, err = picture.FormatOf(p.plot); err != nil {
			return nil, c.Usagef("plot %v", err)
		}
	}
	if !c.IsSet(outputFlag) && !c.IsSet(plotFlag) {
		if a.env.stdoutTerminal {
			return nil, c.Usagef("a page is no text for a terminal: give a file with -o, such as -o report.html")
		}
		p.page = standardOutput
	}
	if p.plot != "" && filepath.Clean(p.plot) == filepath.Clean(p.page) {
		return nil, c.Usagef("--output and --plot name the same file, %s", p.plot)
	}
	switch strings.ToLower(filepath.Ext(p.page)) {
	case ".svg", ".png":
		return nil, c.Usagef("the page of --output is HTML, and %s would be a picture: give that with --plot", p.page)
	case ".pdf":
		return nil, c.Usagef("the page of --output is HTML, and prints as PDF from a browser: give a name such as report.html")
	}
	from := cli.Value[baselineSource](c, baselineFlag)
	if from.measure > 0 {
		return nil, c.Usagef("report has no meter to measure a baseline with: give a power such as 12.3W, or the file of `powerspy baseline`")
	}
	var err error
	p.baseline, err = from.load()
	return p, err
}

// checkFiles refuses files that are given twice, those that can't be read twice as a
// recording has to be, and results that can't be written.
func (p *reportPlan) checkFiles() error {
	seen := make(map[string]os.FileInfo)
	for _, name := range p.files {
		if isServer(name) {
			continue
		}
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &noFileError{"file", name}
		case err != nil:
			return err
		}
		if !info.Mode().IsRegular() {
			return &otherKindError{name, fileKind(name, info.Mode())}
		}
		for other, there := range seen {
			if os.SameFile(info, there) {
				return advise(fmt.Errorf("%s and %s are the same file", other, name), "give it once")
			}
		}
		seen[name] = info
	}
	for _, name := range []string{p.page, p.plot} {
		if name == "" || name == standardOutput {
			continue
		}
		if out, err := os.Stat(name); err == nil {
			for file, in := range seen {
				if os.SameFile(in, out) {
					return advise(fmt.Errorf("%s is %s, of which the report is to be made", name, file), "give another file with -o")
				}
			}
		}
		if err := (newFile{name, true}).check(); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) makeReport(c *cli.Context) error {
	p, err := a.parseReport(c)
	if err != nil {
		return err
	}
	if err := p.checkFiles(); err != nil {
		return err
	}
	s := a.replaySession(c)
	s.login = s.parseLogin(c)
	defer s.progress.End()
	r := &report.Report{Title: p.title, Made: time.Now(), Zone: time.Local, Tool: toolVersion()}
	var recordings []readable
	for _, name := range p.files {
		if isServer(name) {
			file, done, err := s.remembered(c.Context, name)
			if err != nil {
				return err
			}
			defer done()
			recordings = append(recordings, file)
			continue
		}
		if isRecording(name) {
			recordings = append(recordings, readable{given: name, path: name, name: filepath.Base(name)})
			continue
		}
		if err := readResult(r, name); err != nil {
			return err
		}
	}
	if len(recordings) == 0 && (p.part != part{} || p.baseline != nil || p.accuracy > 0) {
		return c.Usagef("--from, --to, --phase, --baseline and --accuracy are for recordings, and none was given")
	}
	for _, file := range recordings {
		rec, err := s.readForReport(c.Context, file, p, report.Points(len(recordings)))
		if err != nil {
			return err
		}
		r.Recordings = append(r.Recordings, rec)
	}
	s.progress.End()
	for _, rec := range r.Recordings[min(1, len(r.Recordings)):] {
		if m, first := rec.Meter(), r.Recordings[0].Meter(); !m.Same(&first) {
			s.progress.Line("the recordings are of different meters: serial numbers %d and %d", first.Serial, m.Serial)
			break
		}
	}
	return a.writeReport(p, r)
}

// writeReport makes both results before it replaces a file.
func (a *app) writeReport(p *reportPlan, r *report.Report) error {
	var page, drawn bytes.Buffer
	if p.plot != "" {
		if err := r.Picture(&drawn, p.format); err != nil {
			return fmt.Errorf("plot %s: %w", p.plot, err)
		}
	}
	if p.page != "" {
		if err := r.HTML(&page); err != nil {
			return err
		}
	}
	if p.plot != "" {
		if err := writeFile(p.plot, drawn.Bytes()); err != nil {
			return err
		}
	}
	switch p.page {
	case "":
		return nil
	case standardOutput:
		_, err := a.env.stdout.Write(page.Bytes())
		return err
	}
	return writeFile(p.page, page.Bytes())
}

func writeFile(name string, content []byte) error {
	return atomicfile.Write(name, 0o666, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// A readable is a recording that a report is made of.
type readable struct {
	given string // by the user
	path  string
	name  string // in the report
}

// readForReport reads a recording.
func (s *session) readForReport(ctx context.Context, file readable, p *reportPlan, points int) (*report.Recording, error) {
	name := file.given
	s.progress.Working("looking for marks in " + name)
	notes, err := record.ReadNotes(ctx, file.path)
	s.progress.End()
	if err != nil {
		return nil, aboutFile(name, err)
	}
	rec, err := record.Open(ctx, file.path)
	if err != nil {
		return nil, aboutFile(name, err)
	}
	ranges, err := partOf(rec, name, p.part, func() ([]measure.Phase, error) { return notes.Phases, nil })
	if err != nil {
		return nil, errors.Join(err, rec.Close())
	}
	done := s.progress.Transfer("reading "+name, rec.Size())
	read, err := report.Read(ctx, rec, notes, report.Reading{
		Name: file.name, Ranges: ranges, Baseline: p.baseline, Accuracy: p.accuracy, Points: points,
		Progress: func() { done(rec.Offset()) },
	})
	s.progress.End()
	switch {
	case errors.Is(err, report.ErrNothing):
		return nil, aboutNothing(name)
	case err != nil:
		return nil, aboutFile(name, err)
	}
	s.tellDamage(rec, name)
	return read, nil
}

// readResult reads the JSON of bench or run into a report.
func readResult(r *report.Report, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	result, noBench := bench.Read(f)
	switch {
	case noBench == nil:
		r.Benches = append(r.Benches, report.Bench{Name: filepath.Base(name), Result: &result})
		return nil
	case !errors.Is(noBench, bench.ErrOther):
		return fmt.Errorf("%s: %w", name, noBench)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	job, err := report.ReadJob(f, filepath.Base(name))
	switch {
	case err == nil:
		r.Jobs = append(r.Jobs, job)
		return nil
	case errors.Is(err, report.ErrNoJob):
		why := fmt.Errorf("%s is no recording, and no result of `powerspy bench` or `powerspy run`", name)
		if noBench != bench.ErrOther { //nolint:errorlint // it says more
			why = fmt.Errorf("%s: %w", name, noBench)
		}
		return advise(why,
			"give a file of --record, of `powerspy bench --export-json` or of `powerspy run --format json`")
	}
	return fmt.Errorf("%s: %w", name, err)
}
