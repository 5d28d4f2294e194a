package report

import (
	"fmt"
	"math"
	"slices"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/measure"
)

// What is listed in tables at most.
const (
	shownPhases = 500
	shownGaps   = 200
	shownRuns   = 2000
)

func (r *Recording) figuresTable() table {
	t := &r.total
	u := t.Uncertainty.Expanded()
	rows := [][]string{
		{"Energy", plusMinus(t.Energy, u, "J")},
		{"Energy in watt-hours", wattHours(t.Energy, u)},
	}
	if r.baseline != nil {
		rows = append(rows, []string{"Net energy", plusMinus(r.net, 2*r.netError, "J")}, []string{"Baseline", plusMinus(r.baseline.Power, 2*r.baseline.Uncertainty, "W")})
	}
	rows = append(rows,
		[]string{"Mean power", watts(t.Power())},
		[]string{"Median power", watts(r.summary.Median())},
		[]string{"Lowest power of a window", watts(r.low)},
		[]string{"Highest power of a window", watts(r.high)},
		[]string{"Standard deviation of windows", watts(r.summary.Deviation())},
		[]string{"Duration", figures.Duration(t.Duration)},
		[]string{"Measured of it", fmt.Sprintf("%s (coverage %.4f)", figures.Duration(t.Covered), r.coverage())},
		[]string{"Windows", fmt.Sprintf("%s measured, %s left out by the meter and bridged", grouped(r.windows), grouped(r.bridged))},
		[]string{"Gaps", grouped(r.gapsCount)},
		[]string{"Mains", fmt.Sprintf("%.1f V, %.3f Hz", math.Sqrt(r.voltage/r.weight), r.summary.Frequency())},
	)
	return table{Caption: "Figures", Columns: []string{"Quantity", "Value"}, Rows: rows}
}

func (r *Recording) totalsTable() table {
	totals := slices.SortedStableFunc(slices.Values(r.totals), measure.ByEnergy)
	t := table{Caption: "Phases, by their energy", Columns: []string{"Phase", "Times", "Duration", "Energy", "Share", "Mean power"}}
	for i := range totals {
		if i == shownPhases {
			t.Note = fmt.Sprintf("And %s more names, which the data have.", grouped(len(totals)-i))
			break
		}
		p := &totals[i]
		energy, share := "not measured", "–"
		if p.Covered > 0 {
			energy = plusMinus(p.Energy, p.Uncertainty.Expanded(), "J")
			if r.total.Energy != 0 {
				share = fmt.Sprintf("%.1f %%", 100*p.Energy/r.total.Energy)
			}
		}
		t.Rows = append(t.Rows, []string{harmless.Text(p.Name), fmt.Sprint(p.Times), figures.Duration(p.Duration), energy, share, watts(p.Power())})
	}
	return t
}

func (r *Report) spansTable(caption, name string, spans []measure.PhaseEnergy) table {
	t := table{Caption: caption, Columns: []string{name, "From", "To", "Duration", "Energy", "Mean power", "Coverage"}, Folded: len(spans) > 20}
	for i := range spans {
		if i == shownPhases {
			t.Note = fmt.Sprintf("And %s more, which the data have.", grouped(len(spans)-i))
			break
		}
		s := &spans[i].Span
		energy := "not measured"
		if s.Covered > 0 {
			energy = plusMinus(s.Energy, s.Uncertainty.Expanded(), "J")
		}
		t.Rows = append(t.Rows, []string{
			harmless.Text(spans[i].Name), r.clock(s.From), r.clock(s.To), figures.Duration(s.Duration()), energy, watts(s.Power()), fmt.Sprintf("%.4f", s.Coverage()),
		})
	}
	return t
}

func (r *Report) gapsTable(rec *Recording) table {
	t := table{Caption: "Not measured", Columns: []string{"From", "To", "Length", "Why"}, Folded: len(rec.gaps) > 20}
	for i, g := range rec.gaps {
		if i == shownGaps {
			t.Note = fmt.Sprintf("And %s more gaps.", grouped(rec.gapsCount-i))
			break
		}
		t.Rows = append(t.Rows, []string{r.moment(g.From), r.clock(g.To), figures.Duration(g.To.Sub(g.From)), harmless.Text(g.Reason)})
	}
	return t
}

// budgetTable tells where an uncertainty comes from.
func budgetTable(t *measure.PhaseTotal) table {
	u := t.Uncertainty
	class := "not counted: the meter's class was not given"
	if u.Meter > 0 {
		class = joules(u.Meter)
	}
	return table{
		Caption: "Uncertainty of the energy, by its causes (standard uncertainties)", Columns: []string{"Cause", "Standard uncertainty"},
		Rows: [][]string{
			{"Windows that the ends of the time cut", joules(u.Edges)},
			{"Windows that the meter left out", joules(u.LeftOut)},
			{"Times of the windows, and the constant delay of the link", joules(u.Time)},
			{"Steps in which the meter counts", joules(u.Resolution)},
			{"The meter's accuracy class", class},
			{"All together", joules(u.Standard())},
			{"Expanded (k = 2, about 95 %)", joules(u.Expanded())},
		},
	}
}
