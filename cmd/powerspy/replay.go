package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// Flags that choose a part of a recording.
const (
	fromFlag  = "from"
	toFlag    = "to"
	phaseFlag = "phase"
)

func from() *cli.Flag {
	return &cli.Flag{Name: fromFlag, Takes: moment{}, Usage: "of a recording: begin at `TIME`: 2026-03-04T05:06:07, UNIX seconds, or 90s after its start"}
}

func phase() *cli.Flag {
	return &cli.Flag{Name: phaseFlag, Takes: cli.Text{}, Usage: "of a recording: only the phase `NAME`, each time it occurs"}
}

// moment is a point in time of a recording.
type moment struct{}

func (moment) Noun() string { return "time" }
func (moment) Use() string {
	return "for example 2026-03-04T05:06:07, 2026-03-04T05:06:07Z, 1772600767, or 90s after the start"
}
func (moment) Words() []string { return []string{"90s", "1h30m"} }

// A since is a moment, or a time since the start of a recording. Its zero value is
// neither.
type since struct {
	at    time.Time
	after time.Duration
}

func (moment) Parse(text string) (any, error) {
	if d, err := time.ParseDuration(text); err == nil && text != "0" {
		if d < 0 {
			return nil, errors.New("it is negative")
		}
		return since{after: d}, nil
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789.") == "" && s < 1e10 {
		whole, fraction, _ := strings.Cut(text, ".")
		seconds, err := strconv.ParseInt("0"+whole, 10, 64)
		if err != nil {
			return nil, cli.ErrInvalid
		}
		nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err != nil {
			return nil, cli.ErrInvalid
		}
		return since{at: time.Unix(seconds, nanos)}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return since{at: t}, nil
		}
	}
	return nil, cli.ErrInvalid
}

// A part is what of a recording was asked for.
type part struct {
	from, to since
	phase    string // empty: all of it
}

// parsePart reads the flags of a command whose end of the part is given by to.
func parsePart(c *cli.Context, to since) part {
	return part{from: cli.Value[since](c, fromFlag), to: to, phase: c.String(phaseFlag)}
}

// recordingFile returns the recording that --device names, "" where it names a
// meter.
func recordingFile(c *cli.Context) (string, error) {
	name := c.String(deviceFlag)
	// Parameters of a simulated meter, and addresses, are no names of files.
	if t, err := meter.ParseTarget(name); err == nil && t.Kind != meter.Serial && t.Kind != meter.Named {
		return "", nil
	}
	ending := slices.Contains([]string{".zst", ".gz", ".jsonl"}, filepath.Ext(name))
	info, err := os.Stat(name)
	switch {
	case name == "":
		return "", nil
	case err != nil:
		if ending && errors.Is(err, fs.ErrNotExist) {
			return "", &noFileError{"recording", name}
		}
		return "", nil
	case !info.Mode().IsRegular():
		return "", nil
	case isRecording(name):
		return name, nil
	}
	return "", nil // a log of an older tool, or a meter that has the name of a file here
}

// needsMeter refuses a recording where a meter is needed, and the log of an older tool
// where windows of a meter are.
func needsMeter(c *cli.Context) error {
	name, err := recordingFile(c)
	if err != nil {
		return err
	}
	if name == "" {
		if given := c.String(deviceFlag); isLog(given) && !slices.Contains([]string{"measure", "gmt"}, c.Command.Words()) {
			return advise(fmt.Errorf("%s is a log of readings, and `powerspy %s` needs a meter", given, c.Command.Words()), "`powerspy measure` reads logs")
		}
		return nil
	}
	return advise(fmt.Errorf("%s is a recording, and `powerspy %s` needs a meter", name, c.Command.Words()), "`powerspy measure` and `powerspy convert` read recordings")
}

// isLog looks whether a device is the log of an older tool.
func isLog(device string) bool {
	t, err := meter.ParseTarget(device)
	if err != nil {
		return false
	}
	path, ok := recording(t)
	if !ok {
		return false
	}
	head, err := beginning(path)
	return err == nil && meter.IsLog(head)
}

// isRecording looks whether a file is one.
func isRecording(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	r, err := record.NewReader(f)
	if err != nil {
		return false
	}
	r.Close()
	return true
}

// A noFileError is a recording, or another file that is read, that is not there.
type noFileError struct{ what, path string }

func (e *noFileError) Error() string { return "there is no " + e.what + " " + e.path }
func (e *noFileError) Unwrap() error { return fs.ErrNotExist }

// replaySession is a session without a meter.
func (a *app) replaySession(c *cli.Context) *session {
	s := &session{env: a.env, progress: a.env.newProgress(c.Bool(quietFlag))}
	s.gaps.Line = s.progress.Line
	return s
}

// openRecording opens the asked for part of a recording, for readings of an
// interval, 0 for windows as they are.
func (s *session) openRecording(ctx context.Context, path string, want part, interval time.Duration) (*record.Recording, error) {
	rec, err := record.Open(ctx, path)
	if err != nil {
		return nil, aboutFile(path, err)
	}
	err = s.choosePart(ctx, rec, path, want, interval)
	if err != nil {
		return nil, errors.Join(err, rec.Close())
	}
	return rec, nil
}

func (s *session) choosePart(ctx context.Context, rec *record.Recording, path string, want part, interval time.Duration) error {
	first, ok := rec.First()
	if !ok {
		return nil // that nothing was measured is told at the end
	}
	if shortest := first.Length.Round(time.Millisecond); interval != 0 && interval < shortest*95/100 {
		return advise(fmt.Errorf("interval %v: a window of %s lasts %v", interval, path, shortest), fmt.Sprintf("give at least %v", shortest))
	}
	ranges, err := partOf(rec, path, want, func() ([]measure.Phase, error) {
		s.progress.Working("looking for phases")
		defer s.progress.End()
		return record.Phases(ctx, path)
	})
	if err == nil && ranges != nil {
		rec.Choose(ranges...)
	}
	return err
}

// partOf returns the ranges of a part of a recording, nil for all of it. phases are
// asked for where they are needed.
func partOf(rec *record.Recording, path string, want part, phases func() ([]measure.Phase, error)) ([]record.Range, error) {
	first, ok := rec.First()
	if want == (part{}) || !ok {
		return nil, nil
	}
	in := record.Range{From: want.from.of(first.Start), To: want.to.of(first.Start)}
	if !in.To.IsZero() && !in.From.Before(in.To) {
		return nil, advise(errors.New("the part to read ends before it begins"), "give a later --to")
	}
	if want.phase == "" {
		return []record.Range{in}, nil
	}
	all, err := phases()
	if err != nil {
		return nil, aboutFile(path, err)
	}
	ranges := []record.Range{} // none is another thing than all
	for _, p := range all {
		if p.Name == want.phase {
			ranges = append(ranges, record.Range{From: p.From, To: p.To})
		}
	}
	if len(ranges) == 0 {
		return nil, noPhase(path, want.phase, record.Names(all))
	}
	return append([]record.Range{}, in.Within(ranges)...), nil
}

// of returns the moment, of a recording that starts then; zero: none was given.
func (w since) of(start time.Time) time.Time {
	if w.after > 0 {
		return start.Add(w.after)
	}
	return w.at
}

func noPhase(path, name string, names []string) error {
	err := fmt.Errorf("%s has no phase %q", path, name)
	if len(names) == 0 {
		return advise(err, "it has none at all: leave --phase out")
	}
	const most = 10
	var list bytes.Buffer
	for i, n := range names[:min(len(names), most)] {
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(n)
	}
	if len(names) > most {
		fmt.Fprintf(&list, " and %d more", len(names)-most)
	}
	return advise(err, "its phases are "+list.String())
}

// aboutFile says which file an error is about, once.
func aboutFile(path string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		if errors.Is(err, fs.ErrNotExist) {
			return &noFileError{"recording", path}
		}
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// tellDamage tells what was left out of a recording, where gaps are not told one by one.
func (s *session) tellDamage(rec *record.Recording, path string) {
	switch n, why := rec.Unread(); {
	case n == 1:
		s.progress.Line("warning: a line of %s can't be read and was left out: %v", path, why)
	case n > 1:
		s.progress.Line("warning: %d lines of %s can't be read and were left out, the first one: %v", n, path, why)
	}
	s.tellTorn(rec, path)
}

// tellTorn tells what there is to know of the end of a recording.
func (s *session) tellTorn(rec *record.Recording, path string) {
	if rec.Torn() {
		s.progress.Line("%s ends in the midst of a line, which was left out: it is still being written, or a crash has cut it short", path)
	}
}

// aboutNothing says that a recording has no window, or that a part has none.
func aboutNothing(path string) error {
	return &meter.Error{Kind: meter.ErrNoAnswer, Op: "read " + path, Err: errors.New("nothing was measured there")}
}
