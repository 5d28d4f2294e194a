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

	early float64 // of the frames that came before that

	free density // of a frame that came on its own
	held density // of one that came with the frame before it: only where it begins is known
}

// A density is constant in blocks. The last one has no end.
type density struct {
	blocks int
	edge   [len(earlyEdge) + bins + 1]float64 // seconds
	value  [len(earlyEdge) + bins]float64     // per second
}

// The density does not end sharply: some frames come a little early by a grid
// that all of them agree on. Ahead of its start are blocks that begin at these
// delays, and have such shares of the density at the start, times another one that
// is learnt.
var (
	earlyEdge  = [...]float64{-2e-3, -1e-3, -0.5e-3, -0.25e-3}
	earlyShare = [...]float64{0.05, 0.22, 0.47, 0.78} // exp(delay/0.5 ms), in the mean
)

const (
	bins = 61

	// priorWeight is how many delays seen outweigh what was assumed before.
	priorWeight = 15

	// remembered is over how many delays the shape forgets.
	remembered = 3000

	// priorShare is what is kept of what was assumed before, so that nothing
	// becomes impossible.
	priorShare = 0.01

	// earlyArea is the mass before the start for a density of 1 there: seconds.
	earlyArea = 0.47e-3

	// What frames just before the start have of the density there.
	minSoft, maxSoft = 0.0005, 0.3

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
	const jitter, flat, stall, stalls = 0.012, 0.040, 0.3, 0.03
	below := func(d float64) float64 {
		return (1-stalls)*(0.5*-math.Expm1(-d/jitter)+0.5*min(d/flat, 1)) + stalls*(d/(d+stall))
	}
	for i := range p {
		p[i] = below(binEdge[i+1]) - below(binEdge[i])
	}
	p[bins-1] += 1 - below(binEdge[bins])
	return p
}()

func newShape() shape {
	s := shape{unit: 1}
	s.rebuild()
	return s
}

// learn takes in a delay with the given probability that it was that.
func (s *shape) learn(delay, probability float64) {
	if delay < 0 {
		s.early += s.unit * probability
		return
	}
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
		s.early /= s.unit
		s.unit = 1
	}
	if n := int(s.n); n%rebuilt == 0 || n < rebuilt && n&(n-1) == 0 {
		s.rebuild()
	}
}

// rebuild makes the densities of the histogram.
func (s *shape) rebuild() {
	seen := s.early
	for _, m := range s.mass {
		seen += m
	}
	prior := s.unit * priorWeight
	prior = max(prior*max(0, 1-s.n/remembered), priorShare*seen, 1e-9)
	total := seen + prior

	const before = len(earlyEdge)
	d := &s.free
	d.blocks = before
	for i := range s.mass {
		width := binEdge[i+1] - binEdge[i]
		value := (s.mass[i] + prior*priorShape[i]) / total / width
		from := binEdge[i]
		// As long as density would grow, this and the block before are one.
		for d.blocks > before && d.value[d.blocks-1] <= value*(1+1e-12) {
			d.blocks--
			more := from - d.edge[d.blocks]
			value = (value*width + d.value[d.blocks]*more) / (width + more)
			width += more
			from = d.edge[d.blocks]
		}
		d.edge[d.blocks], d.value[d.blocks] = from, value
		d.blocks++
	}
	d.edge[d.blocks] = math.Inf(1)

	start := d.value[before]
	soft := (s.early + 0.02*prior) / total / (start * earlyArea)
	soft = min(max(soft, minSoft), maxSoft)
	s.held.blocks = before + 1
	s.held.edge[before], s.held.value[before] = 0, 1
	s.held.edge[before+1] = math.Inf(1)
	for i := range before {
		d.edge[i], d.value[i] = earlyEdge[i], start*soft*earlyShare[i]
		s.held.edge[i], s.held.value[i] = earlyEdge[i], soft*earlyShare[i]
	}
}

// below returns the share of delays that are shorter.
func (s *shape) below(delay float64) float64 {
	var p float64
	d := &s.free
	for i := len(earlyEdge); i < d.blocks && d.edge[i] < delay; i++ {
		p += d.value[i] * (min(delay, d.edge[i+1]) - d.edge[i])
	}
	return min(p, 1)
}

// reach is by how many standard errors the grid may be off.
const reach = 6.5

// meet returns the probability density p of a frame that has the given delay if
// the grid is where it is thought to be, though that is uncertain by a normal
// error of standard deviation sigma; and the mean and variance of that error
// now that the frame has come. A p of 0 says that the frame came earlier
// than that allows.
func (s *density) meet(delay, sigma float64) (p, shift, variance float64) {
	low, high := delay-reach*sigma, delay+reach*sigma
	i := 0
	for s.edge[i+1] <= low {
		i++
	}
	if s.edge[i] <= low && high <= s.edge[i+1] {
		return s.value[i], 0, sigma * sigma
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
		share := s.value[i] * (tailB - tailA)
		p += share
		m1 += s.value[i] * (densA - densB)
		m2 += share + s.value[i]*(a*densA-b*densB)
		b, tailB, densB = a, tailA, densA
	}
	if p < 1e-30 {
		return 0, 0, sigma * sigma
	}
	m1 /= p
	m2 = min(max(m2/p-m1*m1, 1e-3), 4)
	return p, m1 * sigma, m2 * sigma * sigma
}

// normal returns the share below x, and the density there, of the standard
// normal distribution.
func normal(x float64) (below, density float64) {
	if x >= reach {
		return 1, 0
	}
	return math.Erfc(-x/math.Sqrt2) / 2, math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
}
