package energy

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"

	"powerspy2/internal/result"
	"powerspy2/internal/shell"
	"powerspy2/measure"
)

var csvHeader = []string{
	"kind", "name", "start_s", "end_s", "duration_s", "energy_J", "energy_uncertainty_J", "coverage",
	"power_mean_W", "power_min_W", "power_max_W", "baseline_W", "net_energy_J", "net_energy_uncertainty_J", "exit_code",
}

// CSV writes a row for the job and one for each phase.
func (r *Result) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	cell := func(v float64, decimals int) string {
		if math.IsNaN(v) {
			return ""
		}
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
	row := func(kind, name string, s *measure.Span) []string {
		energy, u := s.Energy, s.Uncertainty.Expanded()
		if s.Covered <= 0 && s.Duration() > 0 {
			energy, u = math.NaN(), math.NaN()
		}
		return []string{
			kind, name, result.Moment(s.From).String(), result.Moment(s.To).String(), cell(s.Duration().Seconds(), 6), cell(energy, 6), cell(u, 6), cell(s.Coverage(), 6),
			cell(s.Power(), 6), cell(s.PowerMin, 6), cell(s.PowerMax, 6),
		}
	}
	first := row("job", shell.Join(r.Command), &r.Span)
	net := []string{"", "", "", ""}
	if r.Baseline != nil {
		net[0] = cell(r.Baseline.Power, 6)
		if r.Measured() {
			net[1], net[2] = cell(r.Net, 6), cell(r.NetExpanded(), 6)
		}
	}
	if r.Job != nil {
		net[3] = strconv.Itoa(r.Job.Status())
	}
	rows := [][]string{csvHeader, append(first, net...)}
	for _, p := range r.Phases {
		rows = append(rows, append(row("phase", p.Name, &p.Span), "", "", "", ""))
	}
	return c.WriteAll(rows)
}
