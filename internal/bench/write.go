package bench

import (
	"bytes"
	"encoding/json"
	"io"

	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
)

// resultJSON is a result as a file has it: hyperfine's object with energies beside.
// Its keys are a contract.
type resultJSON struct {
	Version     *int             `json:"version"`
	Results     []seriesJSON     `json:"results"`
	Comparison  []comparisonJSON `json:"comparison"`
	Reference   *int             `json:"reference"`
	Order       string           `json:"order"`
	Seed        uint64           `json:"seed"`
	Precision   *float64         `json:"precision"`
	MinTime     *float64         `json:"min_time_s"`
	Interrupted bool             `json:"interrupted"`
	Baseline    *float64         `json:"baseline_W"`
	BaselineOff *float64         `json:"baseline_uncertainty_W"` // standard
	Accuracy    *float64         `json:"accuracy"`
	Delay       *float64         `json:"delay_s"`
	Meter       result.Meter     `json:"meter"`
	Tool        result.Tool      `json:"tool"`
	Host        string           `json:"host"`
	Warnings    []string         `json:"warnings"`
}

// seriesJSON is a series: hyperfine's keys first.
type seriesJSON struct {
	Command    string            `json:"command"`
	Mean       *float64          `json:"mean"`
	Deviation  *float64          `json:"stddev"`
	Median     *float64          `json:"median"`
	User       *float64          `json:"user"`
	System     *float64          `json:"system"`
	Min        *float64          `json:"min"`
	Max        *float64          `json:"max"`
	Times      []float64         `json:"times"`
	Memory     []*int64          `json:"memory_usage_byte"` // null: not known of a run, or of any
	ExitCodes  []*int            `json:"exit_codes"`        // null, of a signal that is not known, is read only
	Parameters map[string]string `json:"parameters"`

	Energy *statisticsJSON `json:"energy_J"`
	Net    *statisticsJSON `json:"net_energy_J"`
	Power  *statisticsJSON `json:"power_W"`

	// Standard uncertainties of the energies of runs, by their causes.
	Parts partsJSON `json:"energy_uncertainty_parts_J"`

	Coverage   []float64       `json:"coverage"`
	Starts     []result.Moment `json:"starts_s"`
	Rounds     []int           `json:"rounds"`
	Executions []int           `json:"executions"`
	UserTimes  []float64       `json:"user_times"`
	SystemTime []float64       `json:"system_times"`
	Windows    []int           `json:"windows"`
	Bridged    []int           `json:"bridged"`
	Repeated   int             `json:"repeated"`
}

// statisticsJSON are those of a quantity. Uncertainties are expanded ones.
type statisticsJSON struct {
	Mean       *float64    `json:"mean"`
	Deviation  *float64    `json:"stddev"`
	Median     *float64    `json:"median"`
	Min        *float64    `json:"min"`
	Max        *float64    `json:"max"`
	Interval   *[2]float64 `json:"ci95"`
	Scatter    *float64    `json:"scatter"`    // half of the interval by the runs alone
	Systematic *float64    `json:"systematic"` // of the mean
	Values     []*float64  `json:"values"`
	Off        []*float64  `json:"uncertainty"`
}

type partsJSON struct {
	Edges      []float64 `json:"edges"`
	LeftOut    []float64 `json:"left_out"`
	Time       []float64 `json:"time"`
	Resolution []float64 `json:"resolution"`
	Meter      []float64 `json:"meter"`
}

// ratioJSON is a comparison in one quantity.
type ratioJSON struct {
	Interval   *[2]float64 `json:"ci95"`
	P          *float64    `json:"p"`
	Verdict    *Verdict    `json:"verdict"`
	Method     *Method     `json:"method"`
	Systematic *float64    `json:"systematic"`
	RunsFor1   *int        `json:"runs_for_1_percent"`
}

type comparisonJSON struct {
	Command   string   `json:"command"`
	Reference string   `json:"reference"`
	Ratio     *float64 `json:"energy_ratio"`
	ratioJSON
	Difference         *float64    `json:"energy_difference_J"`
	DifferenceInterval *[2]float64 `json:"energy_difference_ci95_J"`
	Net                *otherJSON  `json:"net_energy"`
	Time               *otherJSON  `json:"time"`
}

type otherJSON struct {
	Ratio *float64 `json:"ratio"`
	ratioJSON
}

// given returns v, nil for 0.
func given(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return result.Number(v)
}

func (i Interval) pair() *[2]float64 {
	if result.Number(i.Low) == nil || result.Number(i.High) == nil {
		return nil
	}
	return &[2]float64{i.Low, i.High}
}

// Write writes a result as hyperfine's JSON, with energies beside its times. A
// command without a run is left out: there is nothing to say of it. Whatever is
// not visible in names is written as JSON's escapes.
func (r *Result) Write(w io.Writer) error {
	o := resultJSON{
		Version: new(Version), Results: []seriesJSON{}, Comparison: []comparisonJSON{}, Order: r.Order.String(), Seed: r.Seed,
		Precision: given(r.Precision), MinTime: given(r.MinTime.Seconds()), Interrupted: r.Interrupted, Accuracy: given(r.Accuracy),
		Meter: r.Meter, Tool: result.Tool{Version: r.Tool}, Host: r.Host, Warnings: append([]string{}, r.Warnings...),
	}
	if b := r.Baseline; b != nil {
		o.Baseline, o.BaselineOff = result.Number(b.Power), result.Number(b.Uncertainty)
	}
	if r.DelayKnown {
		o.Delay = result.Number(r.Delay.Seconds())
	}
	for i := range r.Series {
		if s := &r.Series[i]; len(s.Runs) > 0 {
			if i == r.Reference {
				o.Reference = new(len(o.Results))
			}
			o.Results = append(o.Results, seriesOf(s, r.Baseline != nil))
		}
	}
	net, times := r.Comparisons(Net), r.Comparisons(Time)
	for i, c := range r.Comparisons(Energy) {
		j := comparisonJSON{
			Command: c.Command, Reference: c.Reference, Ratio: result.Number(c.Ratio), ratioJSON: ratioOf(&c),
			Difference: result.Number(c.Difference), DifferenceInterval: c.DifferenceInterval.pair(), Time: otherOf(&times[i]),
		}
		if r.Baseline != nil {
			j.Net = otherOf(&net[i])
		}
		o.Comparison = append(o.Comparison, j)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(&o); err != nil {
		return err
	}
	_, err := w.Write(harmless.JSON(b.Bytes()))
	return err
}

func ratioOf(c *Comparison) ratioJSON {
	j := ratioJSON{Interval: c.Interval.pair(), P: result.Number(c.P), Systematic: result.Number(c.Systematic)}
	if c.Verdict != Undecided {
		j.Verdict = &c.Verdict
	}
	if c.Method != NoMethod {
		j.Method = &c.Method
	}
	if c.RunsFor1 > 0 {
		j.RunsFor1 = &c.RunsFor1
	}
	return j
}

func otherOf(c *Comparison) *otherJSON { return &otherJSON{result.Number(c.Ratio), ratioOf(c)} }

func seriesOf(s *Series, net bool) seriesJSON {
	t := Summarize(s, Time)
	j := seriesJSON{
		Command: s.Name, Parameters: s.Parameters, Repeated: s.Repeated,
		Mean: result.Number(t.Mean), Deviation: result.Number(t.Deviation), Median: result.Number(t.Median), Min: result.Number(t.Min), Max: result.Number(t.Max),
		Energy: statisticsOf(s, Energy), Power: statisticsOf(s, Power),
	}
	if j.Parameters == nil {
		j.Parameters = map[string]string{}
	}
	if net {
		j.Net = statisticsOf(s, Net)
	}
	var user, system running
	known := false // how much memory one of the runs took
	for i := range s.Runs {
		r := &s.Runs[i]
		user.add(r.User.Seconds())
		system.add(r.System.Seconds())
		j.Times = append(j.Times, r.Duration.Seconds())
		var memory *int64
		if r.MaxRSS > 0 {
			memory, known = &r.MaxRSS, true
		}
		j.Memory = append(j.Memory, memory)
		j.ExitCodes = append(j.ExitCodes, &r.ExitCode)
		j.Coverage = append(j.Coverage, r.Coverage)
		j.Starts = append(j.Starts, result.Moment(r.Start))
		j.Rounds = append(j.Rounds, r.Round)
		j.Executions = append(j.Executions, r.Executions)
		j.UserTimes = append(j.UserTimes, r.User.Seconds())
		j.SystemTime = append(j.SystemTime, r.System.Seconds())
		j.Windows = append(j.Windows, r.Windows)
		j.Bridged = append(j.Bridged, r.Bridged)
		p, u := &j.Parts, &r.Uncertainty
		p.Edges = append(p.Edges, u.Edges)
		p.LeftOut = append(p.LeftOut, u.LeftOut)
		p.Time = append(p.Time, u.Time)
		p.Resolution = append(p.Resolution, u.Resolution)
		p.Meter = append(p.Meter, u.Meter)
	}
	if !known {
		j.Memory = nil // hyperfine's readers take null for all, but not in the list
	}
	j.User, j.System = result.Number(user.value()), result.Number(system.value())
	return j
}

func statisticsOf(s *Series, q Quantity) *statisticsJSON {
	t := Summarize(s, q)
	j := &statisticsJSON{
		Mean: result.Number(t.Mean), Deviation: result.Number(t.Deviation), Median: result.Number(t.Median), Min: result.Number(t.Min), Max: result.Number(t.Max),
		Interval: t.Interval.pair(), Scatter: result.Number(t.Scatter), Systematic: result.Number(t.Systematic),
	}
	for i := range s.Runs {
		v := result.Number(q.Value(&s.Runs[i]))
		j.Values = append(j.Values, v)
		if v != nil {
			v = result.Number(2 * q.Uncertainty(&s.Runs[i]))
		}
		j.Off = append(j.Off, v)
	}
	return j
}
