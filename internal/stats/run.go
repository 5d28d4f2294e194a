package stats

import (
	"math"
	"time"

	"powerspy2/measure"
)

// A Run sums up the readings and gaps of a measurement. Make it with NewRun.
// Taking a reading makes no garbage.
type Run struct {
	Readings int
	Measured time.Duration // sum of the readings' lengths
	Gaps     int
	Lost     time.Duration // sum of the gaps

	// Lowest and highest power of an averaging window in W; not a number before
	// the first reading.
	Min, Max float64

	energy    sum
	power     moments
	frequency moments
	powers    *quantiles // weighted by length
	delays    *quantiles
}

// NewRun returns a Run of nothing.
func NewRun() *Run {
	return &Run{
		Min: math.NaN(), Max: math.NaN(),
		powers: newQuantiles(1e-3, 1e6), // a mW to a MW
		delays: newQuantiles(1e-6, 1e4),
	}
}

// Event takes a reading or a gap. Numbers that are none do not count.
func (r *Run) Event(e *measure.Event) {
	switch e.Kind {
	case measure.ReadingEvent:
		r.reading(&e.Reading)
	case measure.GapEvent:
		r.Gaps++
		r.Lost += e.Gap.To.Sub(e.Gap.From)
	}
}

func (r *Run) reading(g *measure.Reading) {
	r.Readings++
	r.Measured += g.Length
	weight := float64(g.Length) // whole ns, so that their sums are exact for 100 days
	r.delays.add(g.Delay.Seconds(), 1)
	if finite(g.Frequency) {
		r.frequency.add(g.Frequency, weight)
	}
	if !finite(g.Power) || !finite(g.Energy) {
		return
	}
	r.energy.add(g.Energy)
	r.power.add(g.Power, weight)
	r.powers.add(g.Power, weight)
	if finite(g.PowerMin) && !(g.PowerMin >= r.Min) {
		r.Min = g.PowerMin
	}
	if finite(g.PowerMax) && !(g.PowerMax <= r.Max) {
		r.Max = g.PowerMax
	}
}

// Energy returns the energy of all readings in J.
func (r *Run) Energy() float64 { return r.energy.value() }

// Mean returns the mean power in W: energy over the time it was measured in. It
// is not a number before the first reading.
func (r *Run) Mean() float64 { return r.energy.value() / (r.power.weight / 1e9) }

// Deviation returns the standard deviation of the readings' power in W,
// weighted by their lengths.
func (r *Run) Deviation() float64 { return r.power.deviation() }

// Median returns the power in W that was not exceeded for half of the time; the
// lower one when that is true of two.
func (r *Run) Median() float64 { return r.powers.value(0.5) }

// Frequency returns the mean mains frequency in Hz.
func (r *Run) Frequency() float64 { return r.frequency.value() }

// Delay returns what the delay of a fraction q of the last frames did not
// exceed; 0 before the first reading.
func (r *Run) Delay(q float64) time.Duration {
	v := r.delays.value(q)
	if math.IsNaN(v) {
		return 0
	}
	return time.Duration(v * float64(time.Second))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
