package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
)

// benchJSON is a bench in the data: its result as `powerspy bench --export-json`
// writes it, and what is drawn of it.
type benchJSON struct {
	Name     string          `json:"name"`
	Result   json.RawMessage `json:"result"`
	Commands []seriesOf      `json:"commands"`
	Ratios   []ratioJSON     `json:"ratios"`
}

// seriesOf are the energies of the runs of a command, in J.
type seriesOf struct {
	Label    string          `json:"label"`
	Values   []*float64      `json:"energy_J"`
	Starts   []result.Moment `json:"starts_s"`
	Mean     *float64        `json:"mean_J"`
	Interval []*float64      `json:"ci95_J"`
	Box      [5]*float64     `json:"box_J"` // lowest, lower quartile, median, upper quartile, highest
}

type ratioJSON struct {
	Label    string     `json:"label"`
	Ratio    *float64   `json:"energy_ratio"`
	Interval []*float64 `json:"ci95"`
	Verdict  string     `json:"verdict"`
}

func (b *Bench) data() (benchJSON, error) {
	var text bytes.Buffer
	if err := b.Result.Write(&text); err != nil {
		return benchJSON{}, err
	}
	j := benchJSON{Name: harmless.Text(b.Name), Result: text.Bytes(), Commands: []seriesOf{}, Ratios: []ratioJSON{}}
	for i := range b.Result.Series {
		j.Commands = append(j.Commands, drawnSeries(&b.Result.Series[i]))
	}
	for _, c := range b.Result.Comparisons(bench.Energy) {
		j.Ratios = append(j.Ratios, ratioJSON{
			harmless.Text(c.Command) + " against " + harmless.Text(c.Reference), result.Number(c.Ratio), []*float64{result.Number(c.Interval.Low), result.Number(c.Interval.High)}, string(c.Verdict),
		})
	}
	return j, nil
}

func drawnSeries(s *bench.Series) seriesOf {
	t := bench.Summarize(s, bench.Energy)
	j := seriesOf{
		Label: harmless.Text(s.Name), Values: []*float64{}, Starts: []result.Moment{},
		Mean: result.Number(t.Mean), Interval: []*float64{result.Number(t.Interval.Low), result.Number(t.Interval.High)},
	}
	values := energies(s)
	for i, v := range values {
		j.Values = append(j.Values, result.Number(v))
		j.Starts = append(j.Starts, result.Moment(s.Runs[i].Start))
	}
	for i, v := range box(values) {
		j.Box[i] = result.Number(v)
	}
	return j
}

// energies returns the energy of each run in J, NaN where it was not measured.
func energies(s *bench.Series) []float64 {
	values := make([]float64, len(s.Runs))
	for i := range s.Runs {
		values[i] = bench.Energy.Value(&s.Runs[i])
	}
	return values
}

// box returns the lowest, the quartiles and the highest of the values that are
// numbers, NaN where there is none.
func box(values []float64) [5]float64 {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(values)
	var b [5]float64
	for i := range b {
		b[i] = math.NaN()
		if n := len(values); n > 0 {
			at := float64(i) / 4 * float64(n-1)
			low := int(at)
			b[i] = values[low]
			if low+1 < n {
				b[i] += (at - float64(low)) * (values[low+1] - values[low])
			}
		}
	}
	return b
}

func (r *Report) benchSection(b Bench, index int) section {
	res := b.Result
	s := section{ID: fmt.Sprintf("bench-%d", index+1), Title: "Bench of " + count(len(res.Series), "command")}
	if from, to := (&Report{Zone: r.Zone, Benches: []Bench{b}}).span(); !from.IsZero() {
		s.About = meterText(res.Meter) + ", " + r.stretch(from, to)
	}
	if b.Name != "" {
		s.Title = harmless.Text(b.Name)
	}
	if res.Meter.Simulated {
		s.Notices = append(s.Notices, simulatedNotice)
	}
	if res.Interrupted {
		s.Notices = append(s.Notices, "The bench was interrupted: these are the runs that there are.")
	}
	for _, w := range res.Warnings {
		s.Notices = append(s.Notices, harmless.Text(w))
	}
	s.Notices = append(s.Notices, seriesNotices(res)...)
	s.Plots = append(s.Plots, plotView{
		Kind: "runs", Index: index, Title: "Energy of each run", Summary: runsSummary(res),
		Key: "A dot is a run. The box holds the middle half of the runs, with the median in it. The diamond is the mean, and the bar its 95 % interval.",
	})
	comparisons := res.Comparisons(bench.Energy)
	if len(comparisons) > 0 {
		s.Plots = append(s.Plots, plotView{
			Kind: "ratios", Index: index, Title: "Energy against the reference", Summary: ratiosSummary(comparisons),
			Key: "The bar is the 95 % interval of the ratio of energies: where it holds 1 no difference was found.",
		})
	}
	s.Plots = append(s.Plots, plotView{
		Kind: "drift", Index: index, Title: "Runs over time", Summary: driftSummary(res),
		Key: "How far the energy of each run is from the mean of its command, by when it started. What drifts goes up or down.",
	})
	s.Tables = append(s.Tables, energyTable(res))
	if len(comparisons) > 0 {
		s.Tables = append(s.Tables, ratioTable("Energy ratios", comparisons))
	}
	if res.Baseline != nil {
		if net := res.Comparisons(bench.Net); len(net) > 0 {
			s.Tables = append(s.Tables, ratioTable("Ratios of net energies", net))
		}
	}
	s.Tables = append(s.Tables, quantitiesTable(res), r.runsTable(res))
	s.Method = r.benchMethod(res)
	return s
}

// seriesNotices tells what is odd about the runs of a command.
func seriesNotices(res *bench.Result) (list []string) {
	for i := range res.Series {
		s := &res.Series[i]
		name := harmless.Text(s.Name)
		t := bench.Summarize(s, bench.Energy)
		if n := len(t.Outliers); n > 0 {
			list = append(list, fmt.Sprintf("%s: %s far from the others; none was left out.", name, countAre(n, "run")))
		}
		if t.Drift.Told {
			list = append(list, fmt.Sprintf("%s: its energy drifted by %+.2g %% from the first run to the last.", name, 100*t.Drift.Change))
		}
		if t.First.Told {
			list = append(list, fmt.Sprintf("%s: the first run took %+.2g %% against the others.", name, 100*t.First.Difference))
		}
		if s.Repeated > 0 {
			list = append(list, fmt.Sprintf("%s: %s repeated, since they were not measured as a whole.", name, countWere(s.Repeated, "run")))
		}
		failed := 0
		for k := range s.Runs {
			if s.Runs[k].ExitCode != 0 {
				failed++
			}
		}
		if failed > 0 {
			list = append(list, fmt.Sprintf("%s: %s of %d failed.", name, grouped(failed), len(s.Runs)))
		}
	}
	return list
}

// meanText writes a mean with its interval.
func meanText(t *bench.Statistics, unit string) string {
	if math.IsNaN(t.Mean) {
		return "not measured"
	}
	half := (t.Interval.High - t.Interval.Low) / 2
	if math.IsNaN(half) {
		return figures.Significant(t.Mean) + " " + unit
	}
	return plusMinus(t.Mean, half, unit)
}

// like writes a value with the decimals that a mean is known to.
func like(v float64, t *bench.Statistics) string {
	if math.IsNaN(v) {
		return "–"
	}
	half := (t.Interval.High - t.Interval.Low) / 2
	if !(half > 0) {
		return figures.Significant(v)
	}
	return fmt.Sprintf("%.*f", figures.Decimals(t.Mean, half), v)
}

func energyTable(res *bench.Result) table {
	t := table{
		Caption: "Energy of an execution", Columns: []string{"Command", "Runs", "Mean", "Standard deviation / J", "Median / J", "Lowest / J", "Highest / J", "Systematic ±/J"},
		Note: "Behind ± is half of the 95 % interval of the mean, which contains the systematic part of the measuring uncertainty.",
	}
	for i := range res.Series {
		s := &res.Series[i]
		m := bench.Summarize(s, bench.Energy)
		t.Rows = append(t.Rows, []string{
			harmless.Text(s.Name), fmt.Sprint(m.Runs), meanText(&m, "J"), like(m.Deviation, &m), like(m.Median, &m), like(m.Min, &m), like(m.Max, &m), figures.Significant(m.Systematic),
		})
	}
	return t
}

func quantitiesTable(res *bench.Result) table {
	list := []bench.Quantity{bench.Energy, bench.Time, bench.Power}
	if res.Baseline != nil {
		list = slices.Insert(list, 1, bench.Net)
	}
	t := table{Caption: "Energy, time and power: means, with half of their 95 % interval", Columns: []string{"Command"}}
	for _, q := range list {
		text := q.String()
		t.Columns = append(t.Columns, string(text[0]-'a'+'A')+text[1:])
	}
	t.Columns = append(t.Columns, "Processor time", "Coverage")
	for i := range res.Series {
		s := &res.Series[i]
		row := []string{harmless.Text(s.Name)}
		for _, q := range list {
			m := bench.Summarize(s, q)
			row = append(row, meanText(&m, q.Unit()))
		}
		var busy time.Duration
		coverage := 1.
		for k := range s.Runs {
			busy += s.Runs[k].User + s.Runs[k].System
			coverage = min(coverage, s.Runs[k].Coverage)
		}
		t.Rows = append(t.Rows, append(row, figures.Duration(busy/time.Duration(max(len(s.Runs), 1))), fmt.Sprintf("%.4f", coverage)))
	}
	return t
}

// verdictText says what a comparison found.
func verdictText(c *bench.Comparison) string {
	switch c.Verdict {
	case bench.Undecided:
		return "too few runs to say"
	case bench.NoDifference:
		return "no difference found"
	}
	return string(c.Verdict)
}

func ratioTable(caption string, comparisons []bench.Comparison) table {
	t := table{Caption: caption, Columns: []string{"Command", "Reference", "Ratio", "95 % interval", "Difference", "p", "Verdict", "Runs to tell 1 %"}}
	for i := range comparisons {
		c := &comparisons[i]
		ratio, interval, difference, p, runs := "–", "–", "–", "–", "–"
		if !math.IsNaN(c.Ratio) {
			ratio = fmt.Sprintf("%.4f", c.Ratio)
			difference = fmt.Sprintf("%+.2f %%", 100*(c.Ratio-1))
		} else if !math.IsNaN(c.Difference) {
			difference = figures.Significant(c.Difference) + " " + c.Quantity.Unit()
		}
		if !math.IsNaN(c.Interval.Low) {
			interval = fmt.Sprintf("%.4f to %.4f", c.Interval.Low, c.Interval.High)
		}
		if !math.IsNaN(c.P) {
			p = fmt.Sprintf("%.2g", c.P)
			if c.P < 1e-4 {
				p = "< 0.0001"
			}
		}
		if c.RunsFor1 > 0 {
			runs = fmt.Sprintf("%s of each", grouped(c.RunsFor1))
		}
		t.Rows = append(t.Rows, []string{harmless.Text(c.Command), harmless.Text(c.Reference), ratio, interval, difference, p, verdictText(c), runs})
	}
	return t
}

func (r *Report) runsTable(res *bench.Result) table {
	t := table{Caption: "Every run", Columns: []string{"Command", "Round", "Started", "Energy / J", "± / J", "Time / s", "Mean power / W", "Coverage"}, Folded: true}
	for i := range res.Series {
		s := &res.Series[i]
		for k := range s.Runs {
			if len(t.Rows) == shownRuns {
				t.Note = "And more, which the data have."
				return t
			}
			run := &s.Runs[k]
			energy, u := "not measured", "–"
			if !math.IsNaN(run.Energy) {
				e := 2 * run.Uncertainty.Standard()
				d := figures.Decimals(run.Energy, e)
				energy, u = fmt.Sprintf("%.*f", d, run.Energy), fmt.Sprintf("%.*f", d, e)
			}
			t.Rows = append(t.Rows, []string{
				harmless.Text(s.Name), fmt.Sprint(run.Round + 1), r.clock(run.Start), energy, u, fmt.Sprintf("%.3f", run.Duration.Seconds()), fmt.Sprintf("%.2f", run.Power), fmt.Sprintf("%.4f", run.Coverage),
			})
		}
	}
	return t
}

func runsSummary(res *bench.Result) string {
	text := ""
	for i := range res.Series {
		m := bench.Summarize(&res.Series[i], bench.Energy)
		text += fmt.Sprintf("%s: %s, mean %s. ", harmless.Text(res.Series[i].Name), count(m.Runs, "run"), meanText(&m, "J"))
	}
	return text + "The table of energies has the figures."
}

func ratiosSummary(list []bench.Comparison) string {
	text := ""
	for i := range list {
		text += fmt.Sprintf("%s against %s: %.4f, %s. ", harmless.Text(list[i].Command), harmless.Text(list[i].Reference), list[i].Ratio, verdictText(&list[i]))
	}
	return text
}

func driftSummary(res *bench.Result) string {
	text := ""
	for i := range res.Series {
		m := bench.Summarize(&res.Series[i], bench.Energy)
		if math.IsNaN(m.Drift.Change) {
			continue
		}
		what := "not more than by chance"
		if m.Drift.Told {
			what = "more than by chance"
		}
		text += fmt.Sprintf("%s: %+.2f %% from the first run to the last, %s. ", harmless.Text(res.Series[i].Name), 100*m.Drift.Change, what)
	}
	return text + "The table of every run has the figures."
}
