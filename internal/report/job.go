package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
	"powerspy2/internal/shell"
)

// ErrNoJob says that a file is not the result of a job.
var ErrNoJob = errors.New("it is not a result of `powerspy run`")

// MaxJob bounds the result of a job, in bytes.
const MaxJob = 64 << 20

// A Job is the result of `powerspy run --format json`.
type Job struct {
	name string
	jobKeys
	raw json.RawMessage
}

// jobKeys are those that are shown.
type jobKeys struct {
	Version     int            `json:"version"`
	Command     []string       `json:"command"`
	ExitCode    *int           `json:"exit_code"`
	Start       *float64       `json:"start_s"`
	End         *float64       `json:"end_s"`
	Duration    *float64       `json:"duration_s"`
	Energy      *float64       `json:"energy_J"`
	Uncertainty *float64       `json:"energy_uncertainty_J"`
	Parts       *result.Parts  `json:"energy_uncertainty_parts_J"`
	Coverage    float64        `json:"coverage"`
	Windows     int            `json:"windows"`
	Bridged     int            `json:"bridged"`
	Mean        *float64       `json:"power_mean_W"`
	Min         *float64       `json:"power_min_W"`
	Max         *float64       `json:"power_max_W"`
	Baseline    *float64       `json:"baseline_W"`
	Net         *float64       `json:"net_energy_J"`
	NetError    *float64       `json:"net_energy_uncertainty_J"`
	User        *float64       `json:"user_s"`
	System      *float64       `json:"system_s"`
	Totals      []result.Total `json:"phase_totals"`
	Warnings    []string       `json:"warnings"`
	Meter       *result.Meter  `json:"meter"`
	Tool        result.Tool    `json:"tool"`
}

type jobFileJSON struct {
	Name   string          `json:"name"`
	Result json.RawMessage `json:"result"`
}

// ReadJob reads the result of a job out of a file of this name. Errors match
// ErrNoJob, or are those of in.
func ReadJob(in io.Reader, name string) (*Job, error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxJob+1))
	if err != nil {
		return nil, err
	}
	j := &Job{name: harmless.Text(name)}
	switch err := json.Unmarshal(text, &j.jobKeys); {
	case len(text) > MaxJob:
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrNoJob, MaxJob)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoJob, err)
	case j.Start == nil || j.End == nil || j.Duration == nil, !isTime(*j.Start), !isTime(*j.End), !isTime(*j.Duration):
		return nil, ErrNoJob
	case j.Version != 1:
		return nil, fmt.Errorf("%w that this powerspy reads: its version is %d", ErrNoJob, j.Version)
	case j.Energy != nil && j.Uncertainty == nil:
		return nil, fmt.Errorf("%w: an energy has no uncertainty", ErrNoJob)
	}
	j.raw = text
	return j, nil
}

// isTime reports whether seconds are a moment, or a length, that can be written: up to
// the year 2255, which a time.Duration can hold.
func isTime(s float64) bool { return s >= 0 && s < 9e9 }

// command returns the command as it could be typed.
func (j *Job) command() string {
	if len(j.Command) == 0 {
		return "a time without a command"
	}
	return harmless.Text(shell.Join(j.Command))
}

func unix(s float64) time.Time { return time.UnixMicro(int64(s * 1e6)) }
