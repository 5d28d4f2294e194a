package timebase

import "math"

// wanders is how far the mains frequency strays at random, relative to itself
// and per root of a second, in each model. Between them lie the grids of
// continents and those of islands.
var wanders = [...]float64{2e-6, 6e-6, 14e-6}

const (
	// switchTime is the mean time for which one of the models holds: seconds.
	switchTime = 300

	// lengthError is the standard error of the length by the Config's
	// frequency, relative: the mains wander by as much within minutes, and
	// the clocks of meter and host differ. It is also all that may be
	// forgotten of it, however long no frame came.
	lengthError = 300e-6

	// maxDeviation bounds the length, relative to that: no public grid strays
	// so far from what a meter measured shortly before. What seems slower is
	// left-out windows, and what is faster is no stream of this frequency.
	maxDeviation = 0.005

	// minWeight keeps a model alive.
	minWeight = 1e-6
)

// A state is what one model of the mains knows of the grid that windows end
// on. Times are in seconds.
type state struct {
	moment, length float64 // when a prompt frame of the reference window would arrive; length of a window
	vm, vl, cov    float64 // their variances and covariance
	weight         float64 // probability of the model
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

// bound keeps what is known within what is possible.
func (s *state) bound(nominal float64) {
	s.length = min(max(s.length, nominal*(1-maxDeviation)), nominal*(1+maxDeviation))
	s.vl = min(s.vl, square(4*lengthError*nominal))
	s.vm = min(s.vm, square(max(nominal, firstError)))
	limit := math.Sqrt(s.vm*s.vl) * 0.999
	s.cov = min(max(s.cov, -limit), limit)
}

// learn takes in that the moment is off by shift, and its variance now v. What
// is learnt of the moment is learnt of the length as far as the two go
// together.
func (s *state) learn(shift, v float64) {
	slope := s.cov / s.vm
	s.moment += shift
	s.length += slope * shift
	s.vl = max(s.vl-slope*slope*(s.vm-v), slope*slope*v) // rounding must not make it negative
	s.cov = slope * v
	s.vm = v
}

// mains are the models side by side.
type mains [len(wanders)]state

// advance lets the models exchange what they know, as far as the mains may
// have gone from one to another, and goes on by n windows.
func (ss *mains) advance(n, nominal float64) {
	_, length := ss.estimate()
	// A model that is left at a constant rate, for any of the others alike.
	const models, others = float64(len(ss)), float64(len(ss) - 1)
	leave := -math.Expm1(-n*length/switchTime*models/others) / models
	stay := 1 - leave*others
	var mixed mains
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
		to.bound(nominal)
	}
	*ss = mixed
}

// shift moves all moments by some time of a given standard error.
func (ss *mains) shift(by, sigma float64) {
	for i := range ss {
		ss[i].moment += by
		ss[i].vm += sigma * sigma
	}
}

// normalize makes probabilities of weights.
func (ss *mains) normalize() {
	var sum float64
	for i := range ss {
		sum += ss[i].weight
	}
	for i := range ss {
		ss[i].weight = max(ss[i].weight/sum, minWeight)
	}
}

// estimate returns moment and length as the models together know them.
func (ss *mains) estimate() (moment, length float64) {
	var sum float64
	for i := range ss {
		moment += ss[i].weight * ss[i].moment
		length += ss[i].weight * ss[i].length
		sum += ss[i].weight
	}
	return moment / sum, length / sum
}

// sigma returns the standard error of the moment of the window n after the
// reference.
func (ss *mains) sigma(n float64) float64 {
	moment, length := ss.estimate()
	var v, sum float64
	for i := range ss {
		s := &ss[i]
		d := s.moment - moment + n*(s.length-length)
		v += s.weight * (max(s.vm+n*(2*s.cov+n*s.vl), 0) + d*d)
		sum += s.weight
	}
	return math.Sqrt(v / sum)
}

// widest returns the largest standard error that a model has.
func (ss *mains) widest() float64 {
	var v float64
	for i := range ss {
		v = max(v, ss[i].vm)
	}
	return math.Sqrt(v)
}

func square(x float64) float64 { return x * x }
