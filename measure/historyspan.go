package measure

import (
	"math"
	"slices"
	"time"
)

// Span returns the energy between two moments, as far as it is remembered. A to
// before from is taken for from.
func (h *History) Span(from, to time.Time) Span {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to.Before(from) {
		to = from
	}
	s := Span{From: from, To: to, PowerMin: math.NaN(), PowerMax: math.NaN()}
	if h.origin.IsZero() {
		return s
	}
	begin, end := from.Sub(h.origin), to.Sub(h.origin)
	first, _ := slices.BinarySearchFunc(h.pieces, begin, func(p piece, at time.Duration) int {
		if p.end <= at {
			return -1
		}
		return 1
	})
	var edges, leftOut, length float64
	last, whole := first, false
	for i := first; i < len(h.pieces) && h.pieces[i].start < end; i++ {
		p := &h.pieces[i]
		last = i
		share := 1.
		inside := min(p.end, end) - max(p.start, begin)
		if all := p.end - p.start; inside < all {
			share = float64(inside) / float64(all)
		} else {
			whole = true
		}
		s.Covered += inside - p.gaps // which only a piece that is whole has
		length += p.length * share
		s.Energy += p.energy * share
		leftOut += h.leftOut(i) * share * share
		s.Windows += p.measured
		s.Bridged += p.bridged
		if !(p.low >= s.PowerMin) {
			s.PowerMin = p.low
		}
		if !(p.high <= s.PowerMax) {
			s.PowerMax = p.high
		}
	}
	if s.Covered > 0 {
		for i := first; i <= last; i++ {
			// A job that changes the power does so at both ends.
			edges += h.edge(i, begin, end, whole)
			if i == first && last > first+1 {
				i = last - 1 // those between are whole
			}
		}
		// The lengths add up to the time between the moments but for what the
		// times of the first and the last window are off. That time is known.
		s.Energy *= s.Covered.Seconds() / length
		s.Uncertainty = Uncertainty{
			Edges:   edges,
			LeftOut: math.Sqrt(leftOut),
			Time:    h.timing(first, last, begin, end, s.Power()),
			// A constant power is rounded the same way each time.
			Resolution: h.Resolution / root12 * s.Covered.Seconds(),
			Meter:      h.Accuracy / root3 * math.Abs(s.Energy),
		}
	}
	return s
}

// edge returns the standard uncertainty in J of the energy from begin to end of a
// piece that they may cut. The power may have gone from that of the piece before
// to that of the one after anywhere in it, at most at the cut. Where no piece is
// whole between begin and end none shows the power there: all that a piece has
// more than its neighbours, or less, may belong to the part.
func (h *History) edge(i int, begin, end time.Duration, whole bool) float64 {
	p := &h.pieces[i]
	share := float64(min(p.end, end)-max(p.start, begin)) / float64(p.end-p.start)
	if share >= 1 {
		return 0
	}
	low, high := p.low, p.high
	for _, n := range [...]int{i - 1, i + 1} {
		if n >= 0 && n < len(h.pieces) {
			mean := h.pieces[n].power()
			low, high = min(low, mean), max(high, mean)
		}
	}
	bound := (high - low) * (1 - share) * p.length
	if whole {
		bound *= share
	}
	return bound / root3
}

// leftOut returns the variance in J² of the energy of a piece by the windows that
// the meter left out. What stands there is the mean of the neighbours. It may
// have been either, and by mistake be one place from where it belongs.
func (h *History) leftOut(i int) float64 {
	p := &h.pieces[i]
	if p.bridged == 0 || p.settled {
		return p.leftOut
	}
	low, high := p.low, p.high
	for n := max(i-around, h.merged); n <= min(i+around, len(h.pieces)-1); n++ {
		low, high = min(low, h.pieces[n].low), max(high, h.pieces[n].high)
	}
	half := (high - low) / 2
	return (half*half + p.noise) * p.length * p.length
}

// around is how many windows before and after one tell what it may have been.
const around = 2

// timing returns the uncertainty in J of an energy, of the mean power mean, between
// two moments since the origin, which lie in the pieces first and last, by that
// of the times of windows. It asks what the energy would be if windows were
// elsewhere, since the power may change abruptly close to a moment.
func (h *History) timing(first, last int, begin, end time.Duration, mean float64) float64 {
	// Each end by itself. Its energy goes with the time it moves, which is known.
	var variance float64
	for _, at := range [...]struct {
		piece  int
		moment time.Duration
	}{{first, begin}, {last, end}} {
		e := h.pieces[at.piece].error
		for _, shift := range [...]float64{-e, e} {
			off := h.beyond(at.piece, at.moment, shift) - mean*shift
			variance += off * off / 2
		}
	}
	// Both together.
	common := func(shift float64) float64 {
		off := h.beyond(last, end, shift) - h.beyond(first, begin, shift)
		return off * off
	}
	if e := h.ClockError.Seconds(); e > 0 {
		variance += (common(e) + common(-e)) / 2
	}
	if !h.DelayKnown {
		const half = float64(constantDelay) / 2 / float64(time.Second)
		for _, n := range nodes {
			variance += n.weight / 2 * (common(half*n.at) + common(-half*n.at))
		}
	}
	return math.Sqrt(variance)
}

// nodes are those of Gauss and Legendre's quadrature with six points from -1 to 1:
// the positive ones, with the weights of both signs together. (Abramowitz and
// Stegun, Handbook of Mathematical Functions, table 25.4.)
var nodes = [...]struct{ at, weight float64 }{
	{0.2386191860831969, 0.4679139345726910},
	{0.6612093864662645, 0.3607615730481386},
	{0.9324695142031521, 0.1713244923791704},
}

// beyond returns the energy in J from a moment, which lies in piece i, to one so
// many seconds later, negative for an earlier one. The power of the last piece
// before a gap goes on.
func (h *History) beyond(i int, moment time.Duration, shift float64) float64 {
	var energy float64
	at := moment.Seconds()
	to := at + shift
	for to > at {
		p := &h.pieces[i]
		end := p.end.Seconds()
		if end >= to || i+1 == len(h.pieces) || h.pieces[i+1].start > p.end {
			return energy + p.power()*(to-at)
		}
		energy += p.power() * (end - at)
		at = end
		i++
	}
	for to < at {
		p := &h.pieces[i]
		start := p.start.Seconds()
		if start <= to || i == 0 || h.pieces[i-1].end < p.start {
			return energy - p.power()*(at-to)
		}
		energy -= p.power() * (at - start)
		at = start
		i--
	}
	return energy
}

// power returns the mean power of a piece in W.
func (p *piece) power() float64 { return p.energy / p.length }
