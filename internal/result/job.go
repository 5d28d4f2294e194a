package result

// JobVersion is that of a [Job]. It changes when a reader may no longer skip what it
// does not know.
const JobVersion = 1

// A Job is the result of `powerspy run --format json`. What is nil is not known, or was
// not measured.
type Job struct {
	Version     int      `json:"version"`
	Command     []string `json:"command"`
	ExitCode    *int     `json:"exit_code"`
	Signal      *int     `json:"signal"`
	Start       Moment   `json:"start_s"`
	End         Moment   `json:"end_s"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"`
	Parts       *Parts   `json:"energy_uncertainty_parts_J"`
	Coverage    float64  `json:"coverage"`
	Windows     int      `json:"windows"`
	Bridged     int      `json:"bridged"`
	PowerMean   *float64 `json:"power_mean_W"`
	PowerMin    *float64 `json:"power_min_W"`
	PowerMax    *float64 `json:"power_max_W"`

	Baseline       *float64 `json:"baseline_W"`
	Net            *float64 `json:"net_energy_J"`
	NetUncertainty *float64 `json:"net_energy_uncertainty_J"`
	Cost           *Cost    `json:"cost,omitempty"`
	Carbon         *float64 `json:"carbon_g,omitempty"`
	Per            *Per     `json:"per,omitempty"`

	User   *float64 `json:"user_s"`
	System *float64 `json:"system_s"`
	MaxRSS *int64   `json:"max_rss_byte"` // at least that of powerspy itself

	Gaps        []Gap    `json:"gaps"`
	Phases      []Span   `json:"phases"`
	PhaseTotals []Total  `json:"phase_totals"`
	Warnings    []string `json:"warnings"`
	Meter       *Meter   `json:"meter"`
	Tool        Tool     `json:"tool"`
}

// A Cost is what the energy costs.
type Cost struct {
	Amount float64 `json:"amount"`
	Factor string  `json:"factor"`
}

// A Per is the energy for each of so many units of work.
type Per struct {
	Count       float64 `json:"count"`
	Unit        string  `json:"unit"`
	Energy      float64 `json:"energy_J"`
	Uncertainty float64 `json:"energy_uncertainty_J"`
}
