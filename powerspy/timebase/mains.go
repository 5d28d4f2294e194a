package timebase

import "math"

// A model says how the mains and the shortest delays stray.
type model struct {
	// wander is how far the mains frequency strays at random, relative to itself
	// and per root of a second.
	wander float64

	// beat is by how much the shortest delays vary, and beatTime for how long they
	// stay alike: seconds.
	//
	// A radio that polls about every 40 ms for windows of 20 ms keeps step with the
	// mains for seconds. None of its frames is prompt then, and by those that are
	// least late the grid seems to move. A filter that followed would be off by
	// milliseconds, and surer with every frame.
	beat, beatTime float64
}

// models are those that run side by side. First come steady ones, whose shortest
// delays do not vary: the grids of continents and those of islands.
var models = [...]model{
	{wander: 2e-6},
	{wander: 6e-6},
	{wander: 18e-6},
	{wander: 4e-6, beat: 2.5e-3, beatTime: 14},
}

const steady = 3

// modelFor returns a model for windows of some length. Only those that are about as
// short as polls are apart have beats.
func modelFor(i int, nominal float64) model {
	m := models[i]
	if nominal > soughtLength {
		m.beat = 0
	}
	return m
}

const (
	// switchTime is the mean time for which one of the steady models holds: seconds.
	switchTime = 300

	// beatShare is how likely beats are of short windows, before anything is known.
	beatShare = 0.9

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
// on, and of the edge that their frames keep to: the grid and what the shortest
// delays now stand above it, the beat. Times are in seconds.
type state struct {
	moment, length, beat float64 // when a prompt frame of the reference window would arrive; length of a window; what delays now exceed
	vm, vl, vb           float64 // their variances
	ml, mb, lb           float64 // and covariances
	weight               float64 // probability of the model
}

// edge returns the moment of the edge, and its variance.
func (s *state) edge() (moment, variance float64) {
	return s.moment + s.beat, max(s.vm+2*s.mb+s.vb, 1e-18)
}

// advance goes on by n windows by a model.
func (s *state) advance(n float64, by model) {
	s.moment += n * s.length
	s.vm += n * (2*s.ml + n*s.vl)
	s.ml += n * s.vl
	s.mb += n * s.lb
	// The frequency does a random walk, of which the window sees the integral.
	q := by.wander * by.wander * s.length * s.length * s.length
	s.vl += q * n
	s.ml += q * n * n / 2
	s.vm += q * n * n * n / 3
	if by.beat == 0 {
		return
	}
	// The beat returns to its mean.
	keep := math.Exp(-n * s.length / by.beatTime)
	s.beat *= keep
	s.mb *= keep
	s.lb *= keep
	s.vb = keep*keep*s.vb + (1-keep*keep)*square(by.beat)
}

// bound keeps what is known within what is possible.
func (s *state) bound(nominal float64) {
	s.length = min(max(s.length, nominal*(1-maxDeviation)), nominal*(1+maxDeviation))
	if most := square(4 * lengthError * nominal); s.vl > most {
		r := math.Sqrt(most / s.vl)
		s.vl = most
		s.ml *= r
		s.lb *= r
	}
	if most := square(max(nominal, firstError)); s.vm > most {
		r := math.Sqrt(most / s.vm)
		s.vm = most
		s.ml *= r
		s.mb *= r
	}
	limit := func(cov, v, u float64) float64 {
		most := math.Sqrt(v*u) * 0.999
		return min(max(cov, -most), most)
	}
	s.ml = limit(s.ml, s.vm, s.vl)
	s.mb = limit(s.mb, s.vm, s.vb)
	s.lb = limit(s.lb, s.vl, s.vb)
}

// learn takes in that the edge is off by shift, and its variance now v. What
// is learnt of the edge is learnt of all else as far as they go together.
func (s *state) learn(shift, v float64) {
	_, before := s.edge()
	m, l, b := (s.vm+s.mb)/before, (s.ml+s.lb)/before, (s.mb+s.vb)/before
	s.moment += m * shift
	s.length += l * shift
	s.beat += b * shift
	less := before - v
	floor := 1e-6 * v // rounding must not make them negative
	s.vm = max(s.vm-m*m*less, floor)
	s.vl = max(s.vl-l*l*less, l*l*v)
	s.vb = max(s.vb-b*b*less, 0)
	s.ml -= m * l * less
	s.mb -= m * b * less
	s.lb -= l * b * less
}

// mains are the models side by side.
type mains [len(models)]state

// advance goes on by n windows.
func (ss *mains) advance(n, nominal float64) {
	_, length := ss.estimate()
	mix(ss[:steady], n*length)
	for i := range ss {
		ss[i].advance(n, modelFor(i, nominal))
		ss[i].bound(nominal)
	}
}

// mix lets models exchange what they know, as far as the mains may have gone from
// one to another within some seconds. Those with beats and those without do not:
// a link has them or not, and what is known without them is far too sure with them.
func mix(ss []state, seconds float64) {
	// A model that is left at a constant rate, for any of the others alike.
	all, others := float64(len(ss)), float64(len(ss)-1)
	leave := -math.Expm1(-seconds/switchTime*all/others) / all
	stay := 1 - leave*others
	var mixed mains
	for j := range ss {
		to := &mixed[j]
		var share [len(mixed)]float64
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
			to.ml += share[i] * (from.ml + dm*dl)
		}
	}
	copy(ss, mixed[:])
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
		v += s.weight * (max(s.vm+n*(2*s.ml+n*s.vl), 0) + d*d)
		sum += s.weight
	}
	return math.Sqrt(v / sum)
}

// edge returns when a prompt frame of the reference window would now arrive.
func (ss *mains) edge() float64 {
	var edge, sum float64
	for i := range ss {
		e, _ := ss[i].edge()
		edge += ss[i].weight * e
		sum += ss[i].weight
	}
	return edge / sum
}

// widest returns the largest standard error of the edge that a model has.
func (ss *mains) widest() float64 {
	var v float64
	for i := range ss {
		_, variance := ss[i].edge()
		v = max(v, variance)
	}
	return math.Sqrt(v)
}

func square(x float64) float64 { return x * x }

// begin sets what is known of the grid before a frame tells more: the edge, with
// some variance, and the length by the Config's frequency.
func (ss *mains) begin(edge, variance, nominal float64) {
	share := minWeight
	if nominal <= soughtLength {
		share = beatShare
	}
	for i := range ss {
		beat := square(modelFor(i, nominal).beat)
		ss[i] = state{
			moment: edge, vm: variance + beat, mb: -beat, vb: beat,
			length: nominal, vl: square(nominal * lengthError),
			weight: share / float64(len(ss)-steady),
		}
		if i < steady {
			ss[i].weight = (1 - share) / steady
		}
	}
}
