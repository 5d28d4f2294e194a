package measure

import (
	"math"
	"time"
)

// A Span is the energy between two moments.
type Span struct {
	From, To time.Time

	// Energy is that of the covered time in J: the sum of power times length over
	// the windows between the moments, of which those that a moment cuts count in
	// proportion. What a gap took is not made up.
	Energy float64

	// Covered is how much of the time was measured, bridged windows included.
	Covered time.Duration

	Windows int // measured windows, those that a moment cuts included
	Bridged int // windows that the meter left out

	PowerMin float64 // lowest mean power of a window in W; NaN when nothing is covered
	PowerMax float64 // highest mean power of a window in W; NaN when nothing is covered

	Uncertainty Uncertainty
}

// Duration returns the time between the two moments.
func (s *Span) Duration() time.Duration { return s.To.Sub(s.From) }

// Coverage returns the covered share of the time, 0 to 1. For no time it is 1.
func (s *Span) Coverage() float64 {
	if d := s.Duration(); d > 0 {
		return min(float64(s.Covered)/float64(d), 1)
	}
	return 1
}

// Power returns the mean power over the covered time in W; NaN when there is
// none.
func (s *Span) Power() float64 {
	if s.Covered <= 0 {
		return math.NaN()
	}
	return s.Energy / s.Covered.Seconds()
}

// An Uncertainty is the standard uncertainty of an energy in J, by its causes,
// which are independent of each other.
type Uncertainty struct {
	// Edges: how the power ran within the windows that the two moments cut.
	Edges float64

	// LeftOut: what the load did during the windows that were bridged.
	LeftOut float64

	// Time: when the windows began and ended.
	Time float64

	// Resolution: the meter counts power in steps.
	Resolution float64

	// Meter: what the accuracy of the meter allows, where its class is known.
	Meter float64
}

// Standard returns the standard uncertainty in J: the root of the sum of squares.
func (u *Uncertainty) Standard() float64 {
	return math.Sqrt(u.Edges*u.Edges + u.LeftOut*u.LeftOut + u.Time*u.Time + u.Resolution*u.Resolution + u.Meter*u.Meter)
}

// Expanded returns the expanded uncertainty in J with a coverage factor of 2,
// for a level of confidence of about 95 %: what is told behind a plus-minus
// sign.
func (u *Uncertainty) Expanded() float64 { return 2 * u.Standard() }
