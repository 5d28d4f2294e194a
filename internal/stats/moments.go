package stats

import "math"

// sum adds numbers without losing the small ones beside a large total
// (Neumaier's compensated summation).
type sum struct{ total, lost float64 }

func (s *sum) add(v float64) {
	t := s.total + v
	if math.Abs(s.total) >= math.Abs(v) {
		s.lost += s.total - t + v
	} else {
		s.lost += v - t + s.total
	}
	s.total = t
}

func (s *sum) value() float64 { return s.total + s.lost }

// moments are the weighted mean and variance of numbers, updated with each of
// them (Welford's method, with West's weights).
type moments struct {
	weight, mean, squares float64
}

func (m *moments) add(v, weight float64) {
	if !(weight > 0) {
		return
	}
	m.weight += weight
	d := v - m.mean
	m.mean += d * weight / m.weight
	// Never negative: rounding may put the mean a hair beyond v.
	m.squares += max(0, weight*d*(v-m.mean))
}

// value is the mean, not a number when nothing was added.
func (m *moments) value() float64 {
	if m.weight == 0 {
		return math.NaN()
	}
	return m.mean
}

// deviation is the standard deviation of what was added.
func (m *moments) deviation() float64 { return math.Sqrt(m.squares / m.weight) }
