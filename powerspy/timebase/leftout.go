package timebase

import "math"

// A law says how many windows the meter leaves out between two frames: none
// mostly, then a run of them, of which short ones have probabilities of their own,
// and pauses of any length.
//
// How likely a run is depends on whether the next window had already ended when
// the radio gave the frame before, which is so for that frame's slots up to waits.
type law struct {
	share [2]float64 // of frames with a run before them, by whether a window was waiting
	waits float64
	ramp  float64 // over how many slots below that a window is ever more surely waiting

	runs *runs

	// Damaged frames before this one: told is how many, and believed that they
	// were just those windows. Damaged data may also have been mere noise.
	told     int
	believed float64
}

const (
	longestRun = 12   // with a probability of its own
	pauses     = 0.02 // share of the runs that are pauses, at least
	pauseMore  = 0.9  // that one goes on
	noisy      = 0.5  // share of runs after damaged frames that were not windows, one each
	seldom     = 2e-3 // share from which a run has a probability of its own
)

// Runs are the probabilities of runs of left-out windows by their length.
type runs struct {
	p      [longestRun]float64 // of 1, 2 ... windows
	n      int                 // how many of them there are
	pauses float64             // share of the runs that are pauses
}

// shareAfter returns the share of runs after a slot.
func (l *law) shareAfter(slot int64) float64 {
	surely := min(max((l.waits-float64(slot))/l.ramp, 0), 1)
	return l.share[0] + surely*(l.share[1]-l.share[0])
}

// A belief is the probability of each slot to be that of a frame's window.
// Slots are numbered along the grid.
type belief struct {
	low int64     // slot of the first
	p   []float64 // they add up to 1
}

// mode returns the likeliest slot.
func (b belief) mode() int64 {
	best := 0
	for i, p := range b.p {
		if p > b.p[best] {
			best = i
		}
	}
	return b.low + int64(best)
}

// spread returns the mean square distance, in windows, from a slot.
func (b belief) spread(slot int64) float64 {
	var v float64
	for i, p := range b.p {
		v += p * square(float64(b.low+int64(i)-slot))
	}
	return v
}

// foretell sets into, which begins at slot low, to the probability of the slots
// of the next frame.
func (l *law) foretell(from belief, low int64, into []float64) {
	clear(into)
	shift := int(min(from.low-low, maxSlots)) // place in into of the slot from.low
	add := func(i int, p float64) {
		if i >= 0 && i < len(into) {
			into[i] += p
		}
	}
	ordinary := 1 - l.believed
	var paused float64
	for i, p := range from.p {
		slot := shift + i
		left := p * l.shareAfter(from.low+int64(i))
		add(slot+1, ordinary*(p-left))
		for j, run := range l.runs.p[:l.runs.n] {
			add(slot+2+j, ordinary*left*run)
		}
		if l.believed > 0 {
			add(slot+1+l.told, l.believed*p)
		}
		// Pauses that end at the slot after next.
		paused = paused*pauseMore + ordinary*left*l.runs.pauses*(1-pauseMore)
		add(slot+2, paused)
	}
	slot := shift + len(from.p) + 2
	if slot < 0 {
		paused *= math.Pow(pauseMore, float64(-slot))
		slot = 0
	}
	for ; slot < len(into); slot++ {
		paused *= pauseMore
		into[slot] += paused
	}
}

// recall is the inverse of foretell: it sets into, which begins at slot low, to
// the expectation of a weight of the next frame's slots.
func (l *law) recall(weight belief, low int64, into []float64) {
	shift := int(min(weight.low-low, maxSlots)) // place in into of the slot weight.low
	after := func(slot int) float64 {
		if i := slot - shift; i >= 0 && i < len(weight.p) {
			return weight.p[i]
		}
		return 0
	}
	ordinary := 1 - l.believed
	var paused float64
	for slot := max(shift+len(weight.p)-2, len(into)-1); slot >= 0; slot-- {
		paused = paused*pauseMore + after(slot+2)
		if slot >= len(into) {
			continue
		}
		share := l.shareAfter(low + int64(slot))
		left := l.runs.pauses * (1 - pauseMore) * paused
		for j, run := range l.runs.p[:l.runs.n] {
			left += run * after(slot+2+j)
		}
		p := ordinary * ((1-share)*after(slot+1) + share*left)
		if l.believed > 0 {
			p += l.believed * after(slot+1+l.told)
		}
		into[slot] = p
	}
}

// A rate is how often something happens: counts that forget.
type rate struct{ happened, of float64 }

func (r *rate) learn(happened, of float64) {
	const keep = 1 - 1./remembers
	r.happened = r.happened*keep + happened
	r.of = r.of*keep + of
}

func (r *rate) value() float64 { return r.happened / r.of }

// Habits are what is learnt of how many windows are left out before frames of
// each kind.
//
// A radio that, when it is polled, gives all it has, is known by the windows that
// have ended by then: their frames always come with the ones before. Windows are
// left out then because what holds them is full, so that it happens after those
// that were waiting. Otherwise it may happen anywhere.
type habits struct {
	share [kinds][2]rate          // by whether a window was waiting
	count [longestRun + 1]float64 // of runs by their length; the last are longer
	runs  runs
	given rate // frames of windows that were waiting that came at once
	trust rate // damaged frames that were windows, one each
}

const (
	// remembers is over how many frames rates are forgotten.
	remembers = 3000

	// Shares are kept between these.
	minShare, maxShare = 2e-4, 0.98

	// A radio gives all it has if it gave so large a share, of so many frames at
	// least. After windows that were waiting and did not come then, it is sure that
	// they were left out; elsewhere it is rare.
	givenFrames, givenShare = 8, 0.95
	surelyLeft, rarely      = 0.97, 1e-3

	// Trust in damaged frames is kept between these.
	minTrust, maxTrust = 0.2, 0.995

	// What is learnt of frames with and without a window that was waiting is told
	// apart after so many of each: a wrong guess which of two windows was left out
	// teaches itself.
	pooledFrames = 200

	// often is the share of frames with runs before them from which a radio is
	// thought to be why.
	often = 3e-3

	// rememberedRuns is over how many runs their lengths are forgotten.
	rememberedRuns = 200
)

func newHabits(share float64) habits {
	const frames = 30
	h := habits{trust: rate{9, 10}}
	for k := range h.share {
		h.share[k] = [2]rate{{share * frames, frames}, {share, 1}}
	}
	for i, p := 0, 1.; i <= longestRun; i++ {
		h.count[i] = p
		p *= 0.4
	}
	h.weigh()
	return h
}

// learn takes in that so many were left out before a frame, of which damaged frames
// told some, while the next window was waiting as surely.
func (h *habits) learn(k kind, waiting float64, left int64, told int) {
	if told > 0 {
		// That says nothing of what else is left out.
		if left >= int64(told) {
			h.trust.learn(1, 1)
		} else {
			h.trust.learn(0, 1)
		}
		return
	}
	happened := 0.
	if left > 0 {
		happened = 1
	}
	h.share[k][0].learn((1-waiting)*happened, 1-waiting)
	h.share[k][1].learn(waiting*happened, waiting)
	if left <= 0 {
		if k == stuck {
			h.given.learn(waiting, waiting)
		} else {
			h.given.learn(0, waiting)
		}
		return
	}
	for i := range h.count {
		h.count[i] *= 1 - 1./rememberedRuns
	}
	h.count[min(left, longestRun+1)-1]++
	h.weigh()
}

// weigh makes probabilities of the counts of runs.
func (h *habits) weigh() {
	var sum float64
	for _, n := range h.count {
		sum += n
	}
	h.runs.pauses = max(h.count[longestRun]/sum, pauses)
	h.runs.n = 0
	for i, n := range h.count[:longestRun] {
		h.runs.p[i] = (1 - h.runs.pauses) * n / sum
		if n > seldom*sum {
			h.runs.n = i + 1
		}
	}
}

// law returns the law of frames of a kind, when the windows after slots up to
// waits were waiting, and some frames were damaged.
func (h *habits) law(k kind, waits, ramp float64, damaged int) law {
	l := law{waits: waits, ramp: ramp, runs: &h.runs}
	all := h.share[k]
	var any rate
	for k := range h.share {
		for _, r := range h.share[k] {
			any.happened += r.happened
			any.of += r.of
		}
	}
	if h.given.of > givenFrames && h.given.value() > givenShare && any.value() > often {
		// What holds windows is full, and the radio gives it away, or else there
		// are other reasons too.
		rare := rarely
		if r := h.share[free][0]; r.happened > 20+2*h.share[free][1].happened {
			rare = r.value()
		}
		all[0] = rate{rare, 1}
		all[1] = rate{surelyLeft, 1}
		if k == stuck {
			all[1] = all[0]
		}
	} else if min(all[0].of, all[1].of) < pooledFrames {
		pooled := rate{all[0].happened + all[1].happened, all[0].of + all[1].of}
		all = [2]rate{pooled, pooled}
	}
	for w := range l.share {
		l.share[w] = min(max(all[w].value(), minShare), maxShare)
		if damaged > 0 {
			l.share[w] = max(l.share[w], noisy)
		}
	}
	if damaged > 0 {
		l.told, l.believed = damaged, min(max(h.trust.value(), minTrust), maxTrust)
	}
	return l
}
