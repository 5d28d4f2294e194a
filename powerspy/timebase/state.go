package timebase

import "math"

// wanders is how far the mains frequency strays at random, relative to itself
// and per root of a second, in each model. Between them lie the grids of
// continents and those of islands.
var wanders = [...]float64{2e-6, 8e-6, 32e-6}

// switchTime is the mean time for which one of the models holds: seconds.
const switchTime = 300

// A state is what one model of the mains knows. Times are in seconds.
type state struct {
	moment, length float64 // when a prompt frame of the last window would arrive; length of a window
	vm, vl, cov    float64 // their variances and covariance
	weight         float64 // probability of the model
	fit            float64 // logarithm of the probability density of the last frame
}

// advance goes on by n windows of mains that wander by so much.
func (s *state) advance(n, wander float64) {
	s.moment += n * s.length
	s.vm += n * (2*s.cov + n*s.vl)
	s.cov += n * s.vl
	// The frequency does a random walk, of which the window sees the integral.
	q := wander * wander * s.length * s.length * s.length
	s.vl += q * n
	s.cov += q * n * n / 2
	s.vm += q * n * n * n / 3
}

const (
	// stallShare and stallMean, in seconds, describe frames that are stalled.
	// Neither matters much: what is stalled tells little.
	stallShare = 0.03
	stallMean  = 0.3

	// deepest is by how many standard errors a frame may come too early before
	// that tells of a shorter constant delay rather than of the mains.
	deepest = 4
)

// learn takes in a frame that arrived at y, given the mean jitter, or that was
// held up by the frame before it.
func (s *state) learn(y, jitter float64, held bool) {
	if early := s.moment - y; early > 0 && early*early > deepest*deepest*s.vm {
		s.vm += early * early
	}
	var m, v float64
	if held {
		m, v, s.fit = truncated(s.moment, s.vm, y, 0)
	} else {
		m1, v1, fit1 := truncated(s.moment, s.vm, y, 1/jitter)
		m2, v2, fit2 := truncated(s.moment, s.vm, y, 1/stallMean)
		fit1 += math.Log(1 - stallShare)
		fit2 += math.Log(stallShare)
		best := max(fit1, fit2)
		p1, p2 := math.Exp(fit1-best), math.Exp(fit2-best)
		s.fit = best + math.Log(p1+p2)
		p1, p2 = p1/(p1+p2), p2/(p1+p2)
		m = p1*m1 + p2*m2
		v = p1*v1 + p2*v2 + p1*p2*(m1-m2)*(m1-m2)
	}
	// What is learnt of the moment is learnt of the length as far as the two
	// go together.
	slope := s.cov / s.vm
	s.length += slope * (m - s.moment)
	s.vl = max(s.vl-slope*slope*(s.vm-v), slope*slope*v) // rounding must not make it negative
	s.cov = slope * v
	s.moment, s.vm = m, v
}

// states are the models side by side.
type states [len(wanders)]state

// advance lets the models exchange what they know, as far as the mains may
// have gone from one to another, and goes on by n windows.
func (ss *states) advance(n float64) {
	_, length, _ := ss.estimate()
	// A model that is left at a constant rate, for any of the others alike.
	const models, others = float64(len(ss)), float64(len(ss) - 1)
	leave := -math.Expm1(-n*length/switchTime*models/others) / models
	stay := 1 - leave*others
	var mixed states
	for j := range mixed {
		to := &mixed[j]
		var share [len(ss)]float64
		for i := range ss {
			share[i] = leave * ss[i].weight
			if i == j {
				share[i] = stay * ss[i].weight
			}
			to.weight += share[i]
		}
		for i := range ss {
			share[i] /= to.weight
			to.moment += share[i] * ss[i].moment
			to.length += share[i] * ss[i].length
		}
		for i := range ss {
			from := &ss[i]
			dm, dl := from.moment-to.moment, from.length-to.length
			to.vm += share[i] * (from.vm + dm*dm)
			to.vl += share[i] * (from.vl + dl*dl)
			to.cov += share[i] * (from.cov + dm*dl)
		}
		to.advance(n, wanders[j])
	}
	*ss = mixed
}

// shift moves all moments by n windows and a delay of a given variance.
func (ss *states) shift(n, delay, variance float64) {
	for i := range ss {
		s := &ss[i]
		s.moment += n*s.length + delay
		s.vm += variance
	}
}

// learn takes in a frame, as state.learn, and keeps lengths within bounds.
func (ss *states) learn(y, jitter float64, held bool, shortest, longest float64) {
	best := math.Inf(-1)
	for i := range ss {
		s := &ss[i]
		s.learn(y, jitter, held)
		s.length = min(max(s.length, shortest), longest)
		best = max(best, s.fit)
	}
	var sum float64
	for i := range ss {
		ss[i].weight *= math.Exp(ss[i].fit - best)
		sum += ss[i].weight
	}
	for i := range ss {
		ss[i].weight /= sum
	}
}

// estimate returns moment and length as the models together know them, and the
// standard error of the moment.
func (ss *states) estimate() (moment, length, sigma float64) {
	for i := range ss {
		moment += ss[i].weight * ss[i].moment
		length += ss[i].weight * ss[i].length
	}
	var v float64
	for i := range ss {
		d := ss[i].moment - moment
		v += ss[i].weight * (ss[i].vm + d*d)
	}
	return moment, length, math.Sqrt(v)
}
