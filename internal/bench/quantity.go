package bench

import "math"

func (q Quantity) value(r *Run) float64 {
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
