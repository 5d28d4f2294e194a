package bench

import (
	"time"

	"powerspy2/internal/result"
)

// A Result is a bench with all that is to be known about it.
type Result struct {
	Series    []Series
	Reference int // index of the series that others are compared with; -1: the one with the lowest mean energy

	Order       Order
	Seed        uint64        // of the random order
	Precision   float64       // that was asked for; 0: none
	MinTime     time.Duration // that a run had to last; 0: none
	Interrupted bool

	Baseline   *Baseline // nil: none
	Meter      result.Meter
	Accuracy   float64       // the meter's class, relative; 0: not given
	Delay      time.Duration // constant delay of frames, where it was given
	DelayKnown bool          // Delay was given
	Tool       string        // version of the program
	Host       string        // name of its machine; may be empty
	Warnings   []string
}

// A Baseline is the power of the idle machine.
type Baseline struct {
	Power       float64 // W
	Uncertainty float64 // standard, W
}

// Compared returns the index of the series that others are compared with: Reference,
// or the one with the lowest mean energy. -1: there is none.
func (r *Result) Compared() int {
	if r.Reference >= 0 && r.Reference < len(r.Series) {
		return r.Reference
	}
	return Best(r.Series, Energy)
}

// Comparisons compares each series that has runs with that of Compared, which is
// left out.
func (r *Result) Comparisons(q Quantity) []Comparison {
	reference := r.Compared()
	if reference < 0 {
		return nil
	}
	var list []Comparison
	for i := range r.Series {
		if i != reference && len(r.Series[i].Runs) > 0 {
			list = append(list, Compare(&r.Series[i], &r.Series[reference], q, r.Order.Rounds()))
		}
	}
	return list
}
