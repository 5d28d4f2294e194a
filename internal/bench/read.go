package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"powerspy2/internal/result"
	"powerspy2/measure"
)

// Version is that of the file of a result. It changes when a reader may no longer
// skip what it does not know.
const Version = 1

// MaxFile bounds what is read of a result, in bytes.
const MaxFile = 128 << 20

// Errors of Read.
var (
	ErrOther   = errors.New("it is not the result of a bench")
	ErrVersion = errors.New("it is the result of a bench of another version")
	ErrSize    = errors.New("it is larger than 128 MB")
)

// Read reads a result. Keys that it does not know are skipped; statistics and
// comparisons are not read, since they follow from the runs. Errors match
// ErrOther, ErrVersion or ErrSize, or are those of r.
func Read(r io.Reader) (Result, error) { return read(r, MaxFile) }

func read(r io.Reader, most int64) (Result, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return Result{}, err
	case int64(len(text)) > most:
		return Result{}, ErrSize
	}
	// The version first: of another one, the rest may have any form.
	var head struct {
		Version *json.Number      `json:"version"`
		Results []json.RawMessage `json:"results"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Results == nil {
		return Result{}, ErrOther
	}
	switch v := head.Version; {
	case v == nil:
		return Result{}, fmt.Errorf("%w: it has no version, as hyperfine's results, which have no energies", ErrOther)
	case *v != json.Number(fmt.Sprint(Version)):
		return Result{}, fmt.Errorf("%w: %.20s, while this program reads %d", ErrVersion, *v, Version)
	case len(head.Results) > MaxCommands:
		return Result{}, fmt.Errorf("%w: it has %d commands", ErrOther, len(head.Results))
	}
	head.Results = nil
	var o resultJSON
	if err := json.Unmarshal(text, &o); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrOther, err)
	}
	return o.result()
}

func (o *resultJSON) result() (Result, error) {
	r := Result{
		Reference: -1, Seed: o.Seed, Precision: of(o.Precision), MinTime: duration(of(o.MinTime)), Interrupted: o.Interrupted,
		Accuracy: of(o.Accuracy), Meter: o.Meter, Tool: o.Tool.Version, Host: o.Host, Warnings: o.Warnings,
	}
	var err error
	if r.Order, err = ParseOrder(o.Order); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrOther, err)
	}
	if o.Baseline != nil {
		r.Baseline = &Baseline{Power: *o.Baseline, Uncertainty: math.Abs(of(o.BaselineOff))}
	}
	if o.Delay != nil {
		r.Delay, r.DelayKnown = duration(*o.Delay), true
	}
	if o.Reference != nil {
		if r.Reference = *o.Reference; r.Reference < 0 || r.Reference >= len(o.Results) {
			return Result{}, fmt.Errorf("%w: the reference is not among its commands", ErrOther)
		}
	}
	for i := range o.Results {
		s, err := o.Results[i].series(r.Baseline)
		if err != nil {
			return Result{}, fmt.Errorf("%w: command %d: %w", ErrOther, i+1, err)
		}
		r.Series = append(r.Series, s)
	}
	return r, nil
}

// column is the values of the runs of a series: as many as there are runs, or none.
func column[T any](list []T, n int, what string, err *error) func(i int, otherwise T) T {
	if len(list) != n && len(list) != 0 && *err == nil {
		*err = fmt.Errorf("it has %d values of %s for %d runs", len(list), what, n)
	}
	return func(i int, otherwise T) T {
		if i < len(list) {
			return list[i]
		}
		return otherwise
	}
}

func (j *seriesJSON) series(base *Baseline) (Series, error) {
	s := Series{Command: Command{Name: j.Command}, Repeated: max(j.Repeated, 0)}
	if len(j.Parameters) > 0 {
		s.Parameters = j.Parameters
	}
	n := len(j.Times)
	switch {
	case n == 0:
		return s, errors.New("it has no times")
	case n > MaxRuns:
		return s, fmt.Errorf("it has %d runs", n)
	case j.Energy == nil || len(j.Energy.Values) == 0:
		return s, errors.New("it has no energies")
	}
	if j.Net == nil {
		j.Net = &statisticsJSON{}
	}
	if j.Power == nil {
		j.Power = &statisticsJSON{}
	}
	var err error
	memory := column(j.Memory, n, "memory_usage_byte", &err)
	codes := column(j.ExitCodes, n, "exit_codes", &err)
	energy := column(j.Energy.Values, n, "energy_J", &err)
	net := column(j.Net.Values, n, "net_energy_J", &err)
	power := column(j.Power.Values, n, "power_W", &err)
	coverage := column(j.Coverage, n, "coverage", &err)
	starts := column(j.Starts, n, "starts_s", &err)
	rounds := column(j.Rounds, n, "rounds", &err)
	executions := column(j.Executions, n, "executions", &err)
	user, system := column(j.UserTimes, n, "user_times", &err), column(j.SystemTime, n, "system_times", &err)
	windows, bridged := column(j.Windows, n, "windows", &err), column(j.Bridged, n, "bridged", &err)
	edges, leftOut := column(j.Parts.Edges, n, "edges", &err), column(j.Parts.LeftOut, n, "left_out", &err)
	timing, resolution := column(j.Parts.Time, n, "time", &err), column(j.Parts.Resolution, n, "resolution", &err)
	class := column(j.Parts.Meter, n, "meter", &err)
	if err != nil {
		return s, err
	}
	zero := 0
	seen := make(map[int]bool, n)
	for i, took := range j.Times {
		r := Run{
			Round: rounds(i, i), Start: time.Time(starts(i, result.Moment{})), Executions: max(executions(i, 1), 1),
			Duration: duration(took), User: duration(user(i, of(j.User))), System: duration(system(i, of(j.System))), MaxRSS: of(memory(i, nil)),
			ExitCode: Killed, Energy: value(energy(i, nil)), Net: value(net(i, nil)), Power: value(power(i, nil)),
			Coverage: coverage(i, 1), Windows: windows(i, 0), Bridged: bridged(i, 0),
			Uncertainty: measure.Uncertainty{
				Edges: edges(i, 0), LeftOut: leftOut(i, 0), Time: timing(i, 0), Resolution: resolution(i, 0), Meter: class(i, 0),
			},
		}
		if code := codes(i, &zero); code != nil {
			r.ExitCode = *code
		}
		switch {
		case !(took >= 0):
			return s, fmt.Errorf("run %d took %g s", i+1, took)
		case !(r.Coverage >= 0 && r.Coverage <= 1):
			return s, fmt.Errorf("run %d has a coverage of %g", i+1, r.Coverage)
		case seen[r.Round]:
			return s, fmt.Errorf("two runs are of round %d", r.Round)
		}
		seen[r.Round] = true
		covered := took * r.Coverage
		if math.IsNaN(r.Power) && covered > 0 {
			r.Power = r.Energy / covered
		}
		if math.IsNaN(r.Energy) {
			r.Energy = r.Power * covered // of a run that was not measured as a whole
		}
		if base != nil {
			r.BaselineUncertainty = covered * base.Uncertainty
			if math.IsNaN(r.Net) {
				r.Net = r.Energy - covered*base.Power
			}
		}
		s.Runs = append(s.Runs, r)
	}
	return s, nil
}

// of returns a number, 0 where there is none.
func of[T float64 | int64](p *T) T {
	if p == nil {
		return 0
	}
	return *p
}

// value returns a number, NaN where there is none.
func value(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}

// duration returns a time of so many seconds, bounded.
func duration(s float64) time.Duration {
	return time.Duration(math.Round(min(max(s, 0), 9e9) * float64(time.Second)))
}
