package main

import (
	"errors"
	"fmt"

	"powerspy2/internal/cli"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

const recordFlag = "record"

// recordTo is the flag of commands that measure and can keep what they measure.
func recordTo() *cli.Flag {
	return &cli.Flag{Name: recordFlag, Takes: cli.File{}, Usage: "append every window to the recording `FILE`; compressed if it ends in .zst"}
}

// A recorder is the recording of --record, a sink. Where it can't be written any
// more that is told once, and measuring goes on: see Close. A nil recorder is no
// recording, and all its methods do nothing.
type recorder struct {
	file     *record.File
	name     string
	progress *progress
	failed   error // told already
}

// recording opens the file of --record; nil without the flag. It is opened before
// the meter is: no use in waking one for nothing. c bounds waiting for the reader
// of a named pipe.
func (s *session) recording(c *cli.Context) (*recorder, error) {
	name := c.String(recordFlag)
	switch name {
	case "":
		return nil, nil
	case standardOutput:
		return nil, c.Usagef("--record takes a file: what is read again is no stream")
	}
	f, err := record.OpenFile(c.Context, name, record.FileConfig{Sync: c.Duration(syncFlag), Claim: s.claimFile})
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", name, err)
	}
	if n := f.Cut(); n > 0 {
		s.progress.Line("recording %s: cut off what a crash had left at its end, %d bytes", name, n)
	}
	return &recorder{file: f, name: name, progress: s.progress}, nil
}

// Sinks returns the recorder as the sinks that there are.
func (r *recorder) Sinks() []measure.Sink {
	if r == nil {
		return nil
	}
	return []measure.Sink{r}
}

// Begin begins the recording of a source. The error is that the file holds one of
// another meter.
func (r *recorder) Begin(src measure.Source) error {
	if r == nil {
		return nil
	}
	if err := r.file.Begin(record.NewHeader(src, toolVersion())); err != nil {
		return fmt.Errorf("recording %s: %w", r.name, err)
	}
	return nil
}

// Event implements measure.Sink. It does not fail.
func (r *recorder) Event(e *meter.Event) error { r.tell(r.file.Event(e)); return nil }

// End implements measure.Sink. It does not fail.
func (r *recorder) End() error { r.tell(r.file.End()); return nil }

// Mark records a mark.
func (r *recorder) Mark(m measure.Mark) {
	if r != nil {
		r.tell(r.file.Mark(m))
	}
}

// Job records the start of a job, or its end. Of one that does not fit into a line
// it leaves out what is long.
func (r *recorder) Job(j record.Job) {
	if r == nil {
		return
	}
	err := r.file.Job(j)
	if errors.Is(err, record.ErrTooLong) {
		j.Result = nil
		err = r.file.Job(j)
	}
	if errors.Is(err, record.ErrTooLong) {
		j.Command = j.Command[:1]
		err = r.file.Job(j)
	}
	r.tell(err)
}

// tell tells the first failure.
func (r *recorder) tell(err error) {
	if err == nil || r.failed != nil {
		return
	}
	r.failed = fmt.Errorf("recording %s: %w", r.name, err)
	// An error, so also when quiet.
	r.progress.write(fmt.Appendf(nil, "powerspy: %s; measuring goes on without it\n", sentence(r.failed)))
}

// closing closes the recording, and adds its failure to what failed before it, if
// anything. What holds up a write would hold up closing the file, too.
func (r *recorder) closing(err *error) {
	if r == nil || errors.Is(*err, measure.ErrHeldUp) {
		return
	}
	cerr := r.file.Close()
	switch {
	case *err != nil:
	case r.failed != nil:
		*err = &toldError{r.failed}
	case cerr != nil:
		*err = fmt.Errorf("recording %s: %w", r.name, cerr)
	}
}
