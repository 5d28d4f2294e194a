package timebase

import "math"

// An echo measures how much frames repeat each other. A radio whose polls keep step
// with the mains for a while shows the same delays again and again, so that many
// frames say no more of the grid than a few.
//
// What a frame moves the grid by is, if frames are independent, independent of
// what those before it did. Where it is not, the variance of their sum is larger
// by one plus twice the sum of the correlations, and a frame is worth less by so
// much.
type echo struct {
	recent          float64 // sum of moves that is forgotten within echoTime: seconds
	products, power float64 // of moves and what was recent; of moves
}

const (
	echoTime       = 0.5 // seconds
	echoMemory     = 60. // seconds
	leastWorth     = 0.2
	independentFor = 1e-12 // power of moves, to begin with: square seconds
)

// add takes in that a frame that came so long after the one before moved the grid.
func (e *echo) add(gap, moved float64) {
	if math.IsInf(gap, 1) {
		return
	}
	e.recent *= math.Exp(-gap / echoTime)
	keep := math.Exp(-gap / echoMemory)
	e.products = e.products*keep + moved*e.recent
	e.power = e.power*keep + moved*moved
	e.recent += moved
}

// worth returns the share of a frame's word that counts.
func (e *echo) worth() float64 {
	return min(max(1/(1+2*e.products/(e.power+independentFor)), leastWorth), 1)
}
