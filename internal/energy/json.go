package energy

import (
	"io"

	"powerspy2/internal/result"
)

// JSON writes the result as an object, a [result.Job].
func (r *Result) JSON(w io.Writer) error {
	s, u := &r.Span, &r.Span.Uncertainty
	ok := r.Measured()
	o := result.Job{
		Version: result.JobVersion, Command: append([]string{}, r.Command...), Start: result.Moment(r.From), End: result.Moment(r.To), Duration: s.Duration().Seconds(),
		Energy: result.Where(ok, s.Energy), Uncertainty: result.Where(ok, u.Expanded()), Parts: new(result.Parts(*u)),
		Coverage: s.Coverage(), Windows: s.Windows, Bridged: s.Bridged,
		PowerMean: result.Where(ok, s.Power()), PowerMin: result.Where(ok, s.PowerMin), PowerMax: result.Where(ok, s.PowerMax),
		Gaps: []result.Gap{}, Phases: []result.Span{}, PhaseTotals: []result.Total{}, Warnings: append([]string{}, r.Warnings...),
		Meter: r.Meter, Tool: result.Tool{Version: r.Tool},
	}
	if j := r.Job; j != nil {
		o.ExitCode = new(j.Status())
		if j.Signal != 0 {
			o.Signal = new(int(j.Signal))
		}
		o.User, o.System, o.MaxRSS = result.Number(j.User.Seconds()), result.Number(j.System.Seconds()), &j.MaxRSS
	}
	if r.Baseline != nil {
		o.Baseline, o.Net, o.NetUncertainty = result.Number(r.Baseline.Power), result.Where(ok, r.Net), result.Where(ok, r.NetExpanded())
	}
	if ok && r.Cost != nil {
		o.Cost = &result.Cost{Amount: r.Cost.Of(s.Energy), Factor: r.Cost.Text}
	}
	if ok && r.Carbon != nil {
		o.Carbon = result.Number(r.Carbon.Of(s.Energy))
	}
	if ok && r.Work != nil {
		o.Per = &result.Per{Count: r.Work.Count, Unit: r.Work.Unit, Energy: s.Energy / r.Work.Count, Uncertainty: u.Expanded() / r.Work.Count}
	}
	for _, g := range r.Gaps {
		o.Gaps = append(o.Gaps, result.Gap{Start: result.Moment(g.From), End: result.Moment(g.To), Reason: g.Reason})
	}
	for _, p := range r.Phases {
		o.Phases = append(o.Phases, result.SpanOf(p.Name, &p.Span))
	}
	for _, t := range r.Totals {
		o.PhaseTotals = append(o.PhaseTotals, result.TotalOf(t.Name, &t))
	}
	return result.Write(w, o)
}
