package timebase

import (
	"math"
	"sort"
)

// A shape is what is known of the distribution of the delays of frames, the
// constant part apart: a histogram that forgets, and the density made of it.
//
// Nothing is assumed of the density but that it does not increase. That is
// what ties it to the grid: were the grid thought to be too early, the shortest
// delays would be thought not to occur, which no such density allows. The
// likeliest one is Grenander's: the slope of the least concave majorant of the
// distribution (U. Grenander, On the theory of mortality measurement, part 2,
// Skandinavisk Aktuarietidskrift 39, 1956), here by pooling adjacent bins.
type shape struct {
	mass [bins]float64 // of the delays seen, in units of the last one
	unit float64       // what the last one counted
	n    float64       // delays seen

	total float64 // mass with that of the prior

	// Blocks of constant density. The last one has no end.
	blocks  int
	edge    [bins + 1]float64
	density [bins]float64 // per second
}

const (
	bins = 61

	// priorWeight is how many delays seen outweigh what was assumed before.
	priorWeight = 40

	// remembered is over how many delays the shape forgets.
	remembered = 1500

	// priorShare is what is kept of what was assumed before, so that nothing
	// becomes impossible.
	priorShare = 0.01

	// rebuilt is after how many delays the density is made anew.
	rebuilt = 16
)

// binEdge are the limits of the bins in seconds: fine at the start, where the
// grid is found.
var binEdge = func() (edge [bins + 1]float64) {
	i := 0
	for _, part := range []struct{ step, end float64 }{{0.25e-3, 1e-3}, {0.5e-3, 2e-3}, {1e-3, 8e-3}, {2e-3, 50e-3}} {
		for edge[i] < part.end-1e-9 {
			edge[i+1] = edge[i] + part.step
			i++
		}
	}
	for ; i < bins; i++ {
		edge[i+1] = edge[i] * 1.25
	}
	return edge
}()

// priorShape is what is assumed at first: delays that are flat and fall off then,
// as the links of real meters and exponential delays are alike, and stalls.
var priorShape = func() (p [bins]float64) {
	const jitter, flat, stall, stalls = 0.012, 0.060, 0.3, 0.03
	below := func(d float64) float64 {
		return (1-stalls)*(0.5*-math.Expm1(-d/jitter)+0.5*min(d/flat, 1)) + stalls*(d/(d+stall))
	}
	for i := range p {
		p[i] = below(binEdge[i+1]) - below(binEdge[i])
	}
	p[bins-1] += 1 - below(binEdge[bins])
	return p
}()

// anyDelay is the shape of which nothing is known but that no delay is negative.
var anyDelay = shape{blocks: 1, edge: [bins + 1]float64{0, math.Inf(1)}, density: [bins]float64{1}}

func newShape() shape {
	s := shape{unit: 1}
	s.rebuild()
	return s
}

// learn takes in a delay with the given probability that it was that.
func (s *shape) learn(delay, probability float64) {
	i := sort.SearchFloat64s(binEdge[1:bins], delay)
	s.mass[i] += s.unit * probability
}

// learnt ends what was told of one frame.
func (s *shape) learnt() {
	s.n++
	s.unit *= 1 + 1./remembered
	if s.unit > 1e9 {
		for i := range s.mass {
			s.mass[i] /= s.unit
		}
		s.unit = 1
	}
	if n := int(s.n); n%rebuilt == 0 || n < rebuilt && n&(n-1) == 0 {
		s.rebuild()
	}
}

// rebuild makes the density of the histogram.
func (s *shape) rebuild() {
	var seen float64
	for _, m := range s.mass {
		seen += m
	}
	prior := s.unit * priorWeight
	prior = max(prior*max(0, 1-s.n/remembered), priorShare*seen, 1e-9)
	s.total = seen + prior
	s.blocks = 0
	for i := range s.mass {
		width := binEdge[i+1] - binEdge[i]
		density := (s.mass[i] + prior*priorShape[i]) / s.total / width
		from := binEdge[i]
		// As long as density would grow, this and the block before are one.
		for s.blocks > 0 && s.density[s.blocks-1] <= density*(1+1e-12) {
			s.blocks--
			before := from - s.edge[s.blocks]
			density = (density*width + s.density[s.blocks]*before) / (width + before)
			width += before
			from = s.edge[s.blocks]
		}
		s.edge[s.blocks], s.density[s.blocks] = from, density
		s.blocks++
	}
	s.edge[s.blocks] = math.Inf(1)
}

// below returns the share of delays that are shorter.
func (s *shape) below(delay float64) float64 {
	var p float64
	for i := 0; i < s.blocks && s.edge[i] < delay; i++ {
		p += s.density[i] * (min(delay, s.edge[i+1]) - s.edge[i])
	}
	return min(p, 1)
}

// reach is by how many standard errors the grid may be off.
const reach = 6.5

// meet returns the probability density of a frame that has the given delay if
// the grid is where it is thought to be, though that is uncertain by a normal
// error of standard deviation sigma; and the mean and variance of that error
// now that the frame has come. A density of 0 says that the frame came earlier
// than that allows.
func (s *shape) meet(delay, sigma float64) (density, shift, variance float64) {
	low, high := delay-reach*sigma, delay+reach*sigma
	i := 0
	for s.edge[i+1] <= low {
		i++
	}
	if s.edge[i] <= low && high <= s.edge[i+1] {
		return s.density[i], 0, sigma * sigma
	}
	// The error is between delay minus the end and delay minus the start of
	// each block: moments of truncated normal distributions, in units of
	// sigma.
	var m1, m2 float64
	b := (delay - s.edge[i]) / sigma
	tailB, densB := normal(b)
	for ; i < s.blocks && s.edge[i] < high; i++ {
		a := -reach
		if s.edge[i+1] < high {
			a = (delay - s.edge[i+1]) / sigma
		}
		tailA, densA := normal(a)
		p := s.density[i] * (tailB - tailA)
		density += p
		m1 += s.density[i] * (densA - densB)
		m2 += p + s.density[i]*(a*densA-b*densB)
		b, tailB, densB = a, tailA, densA
	}
	if density < 1e-30 {
		return 0, 0, sigma * sigma
	}
	m1 /= density
	m2 = min(max(m2/density-m1*m1, 1e-3), 4)
	return density, m1 * sigma, m2 * sigma * sigma
}

// normal returns the share below x, and the density there, of the standard
// normal distribution.
func normal(x float64) (below, density float64) {
	if x >= reach {
		return 1, 0
	}
	return math.Erfc(-x/math.Sqrt2) / 2, math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
}
