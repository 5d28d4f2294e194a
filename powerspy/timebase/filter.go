package timebase

import (
	"math"
	"time"
)

// A Filter finds out when windows ended from arrivals that are never early,
// sometimes prompt, mostly late and now and then very late, and which windows
// never arrived. It is for one goroutine.
//
// Windows end on a grid. What it does not know of that is of two kinds. One is
// continuous: when a prompt frame of a window would arrive, the length of a window,
// and how much the shortest delays exceed what they are in the mean. That is a
// normal distribution; with each window the moment moves on by the length, the
// length takes a random step as the mains wander, and the excess, the beat of a
// radio's polls with the mains, comes and goes within seconds. How much they do
// differs, so that such states for calm, ordinary and restless mains, and for a
// link with beats, run side by side and are mixed by how well each foretells the
// frames (interacting multiple models: H. A. P. Blom, Y. Bar-Shalom, IEEE
// Transactions on Automatic Control 33, 1988): see models.
//
// The other is an integer: which window a frame is of. Windows as short as one
// mains period are left out singly and at random by real meters, while their
// frames are late by as much as one or two of them, so that a missing window and a
// late frame are told from each other only by the next ten or twenty frames. A
// hidden Markov model over the windows, or slots, of the grid keeps the probability
// of each (L. R. Rabiner, Proceedings of the IEEE 77, 1989): see belief and law.
// What a delay says of a slot is learnt, see shape, and so is how often windows
// are left out, see habits.
//
// Each frame says of the grid what it would say as one of each of its slots,
// weighted by their probabilities (probabilistic data association: Y. Bar-Shalom,
// E. Tse, Automatica 11, 1975), less where that is in doubt. The exact answer, a
// mixture of truncated normal distributions, is replaced by the normal distribution
// of the same mean and variance (assumed density filtering: P. S. Maybeck,
// Stochastic Models, Estimation and Control, volume 2, 1982, chapter 12).
//
// Add returns what is known at once. Settled returns what is known a lag later:
// slots by the backward pass of the forward-backward algorithm over the frames that
// came since, ends by the grid as it is known then. Neither takes back what it
// returned: see output.
//
// The length stays within 0.5 % of that by the Config's frequency: frames that come
// more slowly had windows left out between them, whatever the pattern, and ones that
// come faster are told by Suspect.
//
// Errors of times have a constant part: the true constant delay of frames less half
// of the shortest round trip. A constant delay that grows cannot be told from delays
// whose distribution changes; where no frame has been prompt for long, the grid
// moves on: see lateness. With windows as short as delays, the constant part may
// seem to change by just a window.
//
// Work and memory per frame are constant, and nothing is allocated: some 2 us with
// windows of one period.
type Filter struct {
	origin  time.Time // of the seconds below
	began   time.Time // no window starts before; or zero
	periods float64
	nominal float64 // length of a window at the Config's frequency, s
	offset  float64 // constant part of the delay, s
	lag     float64 // s

	mains mains // their moment is that of slot top
	top   int64
	known belief // slots of the last frame

	delays shape // of free frames
	habits habits
	run    lateness

	frames  int
	y       float64 // arrival of the last frame, s
	damaged int     // since then
	tempo   tempo
	poll    float64 // when the radio last began to give frames, s
	waited  float64 // for the last frame that was learnt from: how surely the next window had ended by then
	learned int64   // slot of the last frame that was learnt from
	learns  bool

	causal, final output
	queue         queue
	ready         ready
	spare         [2][maxSlots]float64
	work          [maxSlots]float64
}

const (
	// firstError is the standard error of the first moment when nothing is
	// known of it: seconds.
	firstError = 0.03

	// firstDelay is what the first frame is thought to be late by, at first: seconds.
	firstDelay = 0.012

	// firstShare is what the share of frames with a run of left-out windows before
	// them is thought to be at first, of short windows and of long ones, which no
	// meter was seen to leave out.
	firstShare, firstShareLong = 0.05, 0.002

	// maxSlots is how many slots one frame may have at most.
	maxSlots = 512

	// unlikely is the probability from which a slot is not looked at.
	unlikely = 1e-7

	// waitMargin is how long before the radio begins to give frames a window
	// must have ended to be surely among them: seconds.
	waitMargin = 0.002

	// mostDamaged bounds what is believed of a number of damaged frames.
	mostDamaged = maxSlots / 2
)

// A kind is that of a frame by what its arrival after the one before says of
// the link.
type kind int

const (
	free  kind = iota // came on its own
	stuck             // was held up by the one before
	kinds
)

// heldShare is the share of a window up to which a gap says that the frame was
// held up by the one before, or is of a queue that the link works off: windows
// don't end so soon after each other.
const (
	heldShare   = 0.3
	mostHeldGap = 0.03 // seconds
)

// NewFilter returns the filter of a stream. The error, of no type of its own,
// says that cfg makes no sense: windows of less than one period, a frequency
// that is not above 0, windows under a millisecond or of a day or more.
func NewFilter(cfg Config) (*Filter, error) {
	length, err := windowLength(cfg.Periods, cfg.Frequency)
	if err != nil {
		return nil, err
	}
	f := &Filter{
		periods: float64(cfg.Periods),
		nominal: length.Seconds(),
		offset:  max(cfg.RoundTrip.Seconds(), 0) / 2,
		lag:     max(cfg.Lag.Seconds(), 0),
	}
	f.delays = newShape()
	f.habits = newHabits(firstShare)
	if f.nominal > soughtLength {
		f.habits = newHabits(firstShareLong)
	}
	if !cfg.Sent.IsZero() && !cfg.Acknowledged.IsZero() {
		f.origin, f.began = cfg.Sent, cfg.Sent
	}
	f.mains.begin(0, square(firstError), f.nominal)
	return f, nil
}

// Lost says that n frames came damaged since the last one was added: windows
// that are missing, or noise.
func (f *Filter) Lost(n int) { f.damaged = min(f.damaged+min(max(n, 0), mostDamaged), mostDamaged) }

// Length returns the best knowledge of the length of a window.
func (f *Filter) Length() time.Duration {
	_, length := f.mains.estimate()
	return seconds(length)
}

// Frequency returns the mains frequency in hertz that goes with Length: that over
// the last seconds, by the host's monotonic clock.
func (f *Filter) Frequency() float64 {
	_, length := f.mains.estimate()
	return f.periods / length
}

// at returns the time so many seconds after the origin.
func (f *Filter) at(t float64) time.Time { return f.origin.Add(seconds(t)) }

// seconds returns s seconds, rounded to nanoseconds and limited to what a
// time.Duration can hold.
func seconds(s float64) time.Duration {
	const limit = 9e18
	return time.Duration(math.Round(min(max(s*1e9, -limit), limit)))
}

// moment returns when a prompt frame of the slot would arrive.
func (f *Filter) moment(slot int64) float64 {
	moment, length := f.mains.estimate()
	return moment + float64(slot-f.top)*length
}

// edge returns when a prompt frame of the slot would arrive with the present beat.
func (f *Filter) edge(slot int64) float64 {
	_, length := f.mains.estimate()
	return f.mains.edge() + float64(slot-f.top)*length
}

// waiting returns up to which slot the next window had ended by a time.
func (f *Filter) waiting(t float64) float64 {
	moment, length := f.mains.estimate()
	return float64(f.top) + (t-moment)/length - 1
}

// Add takes in a frame that arrived at a time, and returns its window as far
// as that can be known at once. Arrivals must carry the monotonic clock, as those
// of powerspy.Realtime do; the times returned then carry it too, and are right
// even if the wall clock is set: their wall clock is that of the start of the
// stream.
func (f *Filter) Add(arrival time.Time) Window {
	if f.frames == 0 {
		f.start(arrival)
	}
	y := arrival.Sub(f.origin).Seconds()
	f.settle(y)
	gap := math.Inf(1)
	if f.frames > 0 {
		y = max(y, f.y)
		gap = y - f.y
	}
	f.y = y
	f.frames++
	k := free
	if gap < min(heldShare*f.nominal, mostHeldGap) {
		k = stuck
	}
	f.tempo.add(gap, f.nominal, k)
	f.take(y, k)
	f.acquire()
	w := f.causal.place(f, f.known, y)
	f.settle(y)
	return w
}

// start puts the grid just before the first arrival.
func (f *Filter) start(arrival time.Time) {
	if f.origin.IsZero() {
		f.origin = arrival
	}
	y := arrival.Sub(f.origin).Seconds()
	f.mains.begin(y-firstDelay, square(firstError), f.nominal)
	f.known = belief{low: -1, p: f.spare[0][:1]}
	f.known.p[0] = 1
}

// take brings the grid up to the arrival of a frame, and finds the frame's slot
// and what it says of the grid.
func (f *Filter) take(y float64, k kind) {
	moment, length := f.mains.estimate()
	l := f.habits.law(k, f.waiting(f.poll), waitMargin/length, f.damaged)
	if k == free {
		f.poll = y
	}
	f.damaged = 0
	if n := math.Floor((y - moment) / length); n > 0 {
		f.mains.advance(n, f.nominal)
		f.top += int64(n)
	}
	// The slots that the frame may have.
	low := f.known.low + 1
	_, length = f.mains.estimate()
	moment = f.mains.edge()
	sigma := f.mains.widest()
	high := f.top + int64(math.Floor((y-moment-earlyEdge[0]+reach*sigma)/length))
	if high < low {
		// It came before its window can have ended: the constant part of the
		// delay has become shorter, or this is no grid of that length.
		early := f.edge(low) - y
		f.mains.shift(0, max(early, 0))
		high = low
	}
	low = max(low, high-maxSlots+1)
	n := int(high - low + 1)
	start := f.makeRoom(n)
	prior := f.work[:n]
	l.foretell(f.known, low, prior)

	p := f.queue.arena[start : start+n]
	density := f.queue.arena[start+n : start+2*n]
	shape := &f.delays.free
	if k == stuck {
		shape = &f.delays.held
	}
	for try := 0; !f.meet(y, low, prior, p, density, shape); try++ {
		// The grid is less certain than was thought, or wrong.
		early := f.edge(low) - y
		if try < 3 {
			f.mains.shift(0, max(early, f.mains.widest()))
			continue
		}
		clear(p)
		clear(density)
		p[0], density[0] = 1, 1
		f.mains.shift(-max(early, 0), sigma)
		break
	}
	from, to := trim(p)
	p, density = p[from:to], density[from:to]
	low += int64(from)
	n = copy(f.queue.arena[start:], p)
	copy(f.queue.arena[start+n:], density)
	f.queue.push(held{y: y, start: start, n: n, low: low, law: l, kind: k, poll: f.poll})
	f.known = belief{low, append(f.spare[f.frames%2][:0], f.queue.arena[start:start+n]...)}
}

// meet finds the probabilities p and densities of slots from low on, given those
// before the frame that arrived at y, and moves the grid. It returns false if
// the frame can't be.
func (f *Filter) meet(y float64, low int64, prior, p, density []float64, shape *density) bool {
	var total float64
	var next mains
	for i := range p {
		p[i], density[i] = 0, 0
	}
	var learnt [len(f.mains)][2]float64
	for m := range f.mains {
		s := &f.mains[m]
		edge, variance := s.edge()
		sigma := math.Sqrt(variance)
		delay := y - edge - float64(low-f.top)*s.length
		var z, m1, m2 float64
		for i := range p {
			if d, shift, v := shape.meet(delay, sigma); d > 0 {
				w := prior[i] * d
				density[i] += s.weight * d
				p[i] += s.weight * w
				z += w
				m1 += w * shift
				m2 += w * (v + shift*shift)
			}
			delay -= s.length
		}
		next[m] = *s
		next[m].weight *= z
		learnt[m] = [2]float64{0, variance}
		if z > 0 {
			m1 /= z
			learnt[m] = [2]float64{m1, max(m2/z-m1*m1, 1e-4*variance)}
		}
		total += s.weight * z
	}
	if !(total > 1e-12) {
		return false
	}
	var most float64
	for _, x := range p {
		most = max(most, x)
	}
	// Where it is in doubt which window it was, a frame tells less of the grid
	// than each of them alone would.
	sure := min(max(2*most/total-1, 0), 1)
	for m := range next {
		s := &next[m]
		_, v := f.mains[m].edge()
		w := s.weight
		shift, variance := learnt[m][0], learnt[m][1]
		*s = f.mains[m]
		s.weight = w
		s.learn(sure*shift, v-sure*(v-variance))
	}
	f.mains = next
	f.mains.normalize()
	for i := range f.mains {
		f.mains[i].bound(f.nominal)
	}
	for i := range p {
		p[i] /= total
	}
	return true
}

// trim returns the range of the slots that are not unlikely.
func trim(p []float64) (from, to int) {
	to = len(p)
	for to > 1 && p[to-1] < unlikely {
		to--
	}
	for from < to-1 && p[from] < unlikely {
		from++
	}
	return from, to
}

// learn learns from a frame of which no more will be known.
func (f *Filter) learn(h *held, b belief) {
	if h.kind == free {
		for i, p := range b.p {
			if p > 0.01 {
				f.delays.learn(h.y-f.edge(b.low+int64(i)), p)
			}
		}
		f.delays.learnt()
	}
	slot := b.mode()
	if f.learns {
		f.habits.learn(h.kind, f.waited, max(slot-f.learned-1, 0), h.law.told)
	}
	f.learned, f.learns = max(slot, f.learned), true
	f.waited = min(max((h.poll-f.moment(slot+1))/waitMargin, 0), 1)
	f.watch(h, b)
}
