package timebase

import "math"

// A law says how many windows the meter leaves out between two frames: none
// mostly, then a run whose length is geometrically distributed, with a tail of
// long pauses.
//
// How likely a run is depends on whether the next window had already ended when
// the frame before arrived, which is so for that frame's slots up to waits: a
// radio that gives all it has would have given that window too.
type law struct {
	share [2]float64 // of frames with a run before them, by whether a window was waiting
	waits float64
	ramp  float64 // over how many slots below that a window is ever more surely waiting
	more  float64 // that a run goes on

	// Damaged frames before this one: told is how many, and believed that they
	// were just those windows. Damaged data may also have been mere noise.
	told     int
	believed float64
}

const (
	pauses    = 0.02 // share of the runs that are pauses
	pauseMore = 0.9  // that one goes on
	trust     = 0.5  // that damaged frames were windows, one each
)

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

func (b belief) high() int64 { return b.low + int64(len(b.p)) - 1 }

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
	run := (1 - pauses) * (1 - l.more)
	pause := pauses * (1 - pauseMore)
	ordinary, lost := 1-l.believed, l.believed
	// The sums over the beginnings of runs and pauses that end at a slot.
	var runs, paused float64
	before := func(slot int64) (p, left float64) {
		if i := slot - from.low; i >= 0 && i < int64(len(from.p)) {
			p = from.p[i]
			left = p * l.shareAfter(slot)
		}
		return p, left
	}
	for slot := from.low + 1; slot < low+int64(len(into)); slot++ {
		_, left := before(slot - 2)
		runs = runs*l.more + left
		paused = paused*pauseMore + left
		if slot < low {
			if slot > from.high()+2 {
				// Only what the sums have left over: far above, soon nothing.
				skip := float64(low - 1 - slot)
				runs *= math.Pow(l.more, skip)
				paused *= math.Pow(pauseMore, skip)
				slot = low - 1
			}
			continue
		}
		p, left := before(slot - 1)
		p = ordinary * (p - left + run*runs + pause*paused)
		if lost > 0 {
			told, _ := before(slot - 1 - int64(l.told))
			p += lost * told
		}
		into[slot-low] = p
	}
}

// recall is the inverse of foretell: it sets into, which begins at slot low, to
// the expectation of a weight of the next frame's slots.
func (l *law) recall(weight belief, low int64, into []float64) {
	run := (1 - pauses) * (1 - l.more)
	pause := pauses * (1 - pauseMore)
	ordinary, lost := 1-l.believed, l.believed
	var runs, paused float64
	after := func(slot int64) float64 {
		if i := slot - weight.low; i >= 0 && i < int64(len(weight.p)) {
			return weight.p[i]
		}
		return 0
	}
	for slot := max(weight.high()-1, low+int64(len(into))-1); slot >= low; slot-- {
		runs = runs*l.more + after(slot+2)
		paused = paused*pauseMore + after(slot+2)
		if slot >= low+int64(len(into)) {
			continue
		}
		share := l.shareAfter(slot)
		p := ordinary * ((1-share)*after(slot+1) + share*(run*runs+pause*paused))
		if lost > 0 {
			p += lost * after(slot+1+int64(l.told))
		}
		into[slot-low] = p
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
	share [kinds][2]rate // by whether a window was waiting
	more  rate           // runs that go on
	given rate           // frames of windows that were waiting that came at once
}

const (
	// remembers is over how many frames rates are forgotten.
	remembers = 3000

	// Shares are kept between these.
	minShare, maxShare = 2e-4, 0.98
	minMore, maxMore   = 0.02, 0.95

	longestRun = 10 // to learn from
)

func newHabits(share float64) habits {
	const frames = 30
	var h habits
	for k := range h.share {
		h.share[k] = [2]rate{{share * frames, frames}, {share, 1}}
	}
	h.more = rate{1, 3}
	return h
}

// learn takes in that so many were left out before a frame, while the next
// window was waiting as surely.
func (h *habits) learn(k kind, waiting float64, left int64) {
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
	n := float64(min(left, longestRun))
	h.more.happened += n - 1
	h.more.of += n
	if h.more.of > 300 {
		h.more.happened /= 2
		h.more.of /= 2
	}
}

// law returns the law of frames of a kind, when the windows after slots up to
// waits were waiting, and some frames were damaged.
func (h *habits) law(k kind, waits, ramp float64, damaged int) law {
	l := law{waits: waits, ramp: ramp, more: min(max(h.more.value(), minMore), maxMore)}
	all := h.share[k]
	if gives := h.given.of > 8 && h.given.value() > 0.95; gives {
		rare := 1e-3
		if r := h.share[free][0]; r.happened > 20+2*h.share[free][1].happened {
			rare = r.value()
		}
		all[0] = rate{rare, 1}
		all[1] = rate{0.97, 1}
		if k == stuck {
			all[1] = all[0]
		}
	} else {
		r := rate{all[0].happened + all[1].happened, all[0].of + all[1].of}
		all = [2]rate{r, r}
	}
	for w := range l.share {
		l.share[w] = min(max(all[w].value(), minShare), maxShare)
		if damaged > 0 {
			l.share[w] = max(l.share[w], 0.5)
		}
	}
	if damaged > 0 {
		l.told, l.believed = damaged, trust
	}
	return l
}
