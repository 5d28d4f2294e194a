package bench

import "math"

// A Quantity is what a run has one value of.
type Quantity int

// The quantities.
const (
	Energy Quantity = iota // of an execution, J
	Net                    // energy above the baseline, J
	Time                   // of an execution, s
	Power                  // mean, W
)

// String returns the name of the quantity.
func (q Quantity) String() string {
	return [...]string{"energy", "net energy", "time", "mean power"}[q]
}

// Unit returns the symbol of its unit.
func (q Quantity) Unit() string { return [...]string{"J", "J", "s", "W"}[q] }

// Value returns the quantity of a run, NaN where it has none: an energy that was
// not measured as a whole, a net energy without a baseline.
func (q Quantity) Value(r *Run) float64 {
	switch q {
	case Time:
		return r.Duration.Seconds()
	case Power:
		return r.Power
	}
	if !r.Whole() {
		return math.NaN()
	}
	if q == Net {
		return r.Net
	}
	return r.Energy
}

// Uncertainty returns the standard uncertainty of the quantity of a run by
// measuring, in its unit; 0 for a time.
func (q Quantity) Uncertainty(r *Run) float64 {
	p := q.parts(r)
	return math.Sqrt(p.random*p.random + p.shift*p.shift + p.gain*p.gain + p.base*p.base)
}

// Systematic returns what of it is off by the same in each run of a command, so
// that the scatter of runs does not show it: the meter's class, its steps, which
// round a power the same way each time, the constant delay of frames, and the
// baseline.
func (q Quantity) Systematic(r *Run) float64 {
	p := q.parts(r)
	return math.Sqrt(p.shift*p.shift + p.gain*p.gain + p.base*p.base)
}

// parts are standard uncertainties of a value by what becomes of them: random is
// in the scatter of runs, the others are alike in all.
type parts struct {
	random float64
	shift  float64 // by delay and steps: of commands on the same machine in the same direction
	gain   float64 // in proportion to the value: cancels in a ratio
	base   float64 // by the baseline
}

func (q Quantity) parts(r *Run) parts {
	if q == Time {
		return parts{}
	}
	u := &r.Uncertainty
	p := parts{random: math.Hypot(u.Edges, u.LeftOut), shift: math.Hypot(u.Time, u.Resolution), gain: u.Meter}
	switch {
	case q == Net:
		p.base = r.BaselineUncertainty
		if r.Energy != 0 {
			p.gain *= math.Abs(r.Net / r.Energy)
		}
	case q == Power:
		covered := r.Duration.Seconds() * r.Coverage
		if covered <= 0 {
			return parts{}
		}
		p = parts{p.random / covered, p.shift / covered, p.gain / covered, 0}
	}
	return p
}

// sample is the values of a quantity in a series.
type sample struct {
	values []float64
	runs   []int // index in the series of each value
	parts        // means over the values
}

func (q Quantity) sample(s *Series) sample {
	var list sample
	for i := range s.Runs {
		r := &s.Runs[i]
		v := q.Value(r)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		list.values, list.runs = append(list.values, v), append(list.runs, i)
		p := q.parts(r)
		n := float64(len(list.values))
		list.shift += (p.shift - list.shift) / n
		list.gain += (p.gain - list.gain) / n
		list.base += (p.base - list.base) / n
	}
	return list
}

// systematic returns the standard uncertainty of the mean by what is alike in all
// runs.
func (s *sample) systematic() float64 {
	return math.Sqrt(s.shift*s.shift + s.gain*s.gain + s.base*s.base)
}
