package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
	"powerspy2/internal/shell"
)

// ErrNoJob says that a file is not the result of a job.
var ErrNoJob = errors.New("it is not a result of `powerspy run`")

// maxJob bounds the result of a job, in bytes.
const maxJob = 64 << 20

// A Job is the result of `powerspy run --format json`.
type Job struct {
	name   string
	result result.Job
	raw    json.RawMessage
}

type jobFileJSON struct {
	Name   string          `json:"name"`
	Result json.RawMessage `json:"result"`
}

// ReadJob reads the result of a job out of a file of this name. Errors match
// ErrNoJob, or are those of in.
func ReadJob(in io.Reader, name string) (*Job, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxJob+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxJob {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrNoJob, maxJob)
	}
	j := &Job{name: harmless.Text(name), raw: text}
	var times struct { // those that it can't do without
		Start    *float64 `json:"start_s"`
		End      *float64 `json:"end_s"`
		Duration *float64 `json:"duration_s"`
	}
	o := &j.result
	switch err := cmp.Or(json.Unmarshal(text, &times), json.Unmarshal(text, o)); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoJob, err)
	case !isTime(times.Start), !isTime(times.End), !isTime(times.Duration):
		return nil, ErrNoJob
	case o.Version != result.JobVersion:
		return nil, fmt.Errorf("%w that this powerspy reads: its version is %d", ErrNoJob, o.Version)
	case o.Energy != nil && o.Uncertainty == nil:
		return nil, fmt.Errorf("%w: an energy has no uncertainty", ErrNoJob)
	}
	return j, nil
}

// isTime reports whether there are seconds, of a moment or a length, that can be
// written: up to the year 2255, which a time.Duration can hold.
func isTime(s *float64) bool { return s != nil && *s >= 0 && *s < 9e9 }

// command returns the command as it could be typed.
func (j *Job) command() string {
	if len(j.result.Command) == 0 {
		return "a time without a command"
	}
	return harmless.Text(shell.Join(j.result.Command))
}
