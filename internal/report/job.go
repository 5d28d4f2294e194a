package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
	"powerspy2/internal/shell"
	"powerspy2/measure"
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

func (r *Report) jobSection(j *Job, index int) section {
	o := &j.result
	s := section{ID: fmt.Sprintf("job-%d", index+1), Title: j.command(), About: j.name + ", " + r.stretch(time.Time(o.Start), time.Time(o.End))}
	if o.Meter != nil && o.Meter.Simulated {
		s.Notices = append(s.Notices, simulatedNotice)
	}
	for _, w := range o.Warnings {
		s.Notices = append(s.Notices, harmless.Text(w))
	}
	d := time.Duration(o.Duration * float64(time.Second))
	rows := [][]string{}
	if o.Energy == nil {
		rows = append(rows, []string{"Energy", "not measured"})
	} else {
		s.Cards = append(s.Cards, card{"Energy", plusMinus(*o.Energy, *o.Uncertainty, "J"), wattHours(*o.Energy, *o.Uncertainty)})
		rows = append(rows, []string{"Energy", plusMinus(*o.Energy, *o.Uncertainty, "J")}, []string{"Energy in watt-hours", wattHours(*o.Energy, *o.Uncertainty)})
	}
	if o.Net != nil && o.NetUncertainty != nil && o.Baseline != nil {
		s.Cards = append(s.Cards, card{"Net energy", plusMinus(*o.Net, *o.NetUncertainty, "J"), "above " + watts(*o.Baseline) + " when idle"})
		rows = append(rows, []string{"Net energy", plusMinus(*o.Net, *o.NetUncertainty, "J")}, []string{"Baseline", watts(*o.Baseline)})
	}
	for _, p := range []struct {
		label string
		v     *float64
	}{{"Mean power", o.PowerMean}, {"Lowest power of a window", o.PowerMin}, {"Highest power of a window", o.PowerMax}} {
		if p.v != nil {
			rows = append(rows, []string{p.label, watts(*p.v)})
		}
	}
	s.Cards = append(s.Cards, card{"Duration", figures.Duration(d), coverageText(o.Coverage)})
	rows = append(rows, []string{"Duration", figures.Duration(d)}, []string{"Coverage", fmt.Sprintf("%.4f", o.Coverage)},
		[]string{"Windows", fmt.Sprintf("%s measured, %s left out by the meter and bridged", grouped(o.Windows), grouped(o.Bridged))})
	if o.User != nil && o.System != nil {
		rows = append(rows, []string{"Processor time", fmt.Sprintf("%.3f s user, %.3f s system", *o.User, *o.System)})
	}
	if o.ExitCode != nil {
		rows = append(rows, []string{"Exit status", fmt.Sprint(*o.ExitCode)})
	}
	s.Tables = append(s.Tables, table{Caption: "Figures", Columns: []string{"Quantity", "Value"}, Rows: rows})
	if len(o.PhaseTotals) > 0 {
		t := table{Caption: "Phases", Columns: []string{"Phase", "Times", "Duration", "Energy", "Mean power"}}
		for i, p := range o.PhaseTotals {
			if i == shownPhases {
				t.Note = fmt.Sprintf("And %s more names, which the data have.", grouped(len(o.PhaseTotals)-i))
				break
			}
			energy, power := "not measured", "–"
			if p.Energy != nil && p.Uncertainty != nil {
				energy = plusMinus(*p.Energy, *p.Uncertainty, "J")
			}
			if p.PowerMean != nil {
				power = watts(*p.PowerMean)
			}
			t.Rows = append(t.Rows, []string{harmless.Text(p.Name), fmt.Sprint(p.Times), figures.Duration(time.Duration(p.Duration * float64(time.Second))), energy, power})
		}
		s.Tables = append(s.Tables, t)
	}
	if o.Parts != nil {
		s.Tables = append(s.Tables, budgetTable(&measure.PhaseTotal{Uncertainty: measure.Uncertainty(*o.Parts)}))
	}
	s.Method = r.jobMethod(o)
	return s
}
