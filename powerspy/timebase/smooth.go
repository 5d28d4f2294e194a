package timebase

import "time"

// A held frame waits for later ones to tell more of it.
type held struct {
	y     float64 // arrival, seconds
	poll  float64 // when the radio began to give it and those before it
	start int     // in the arena: beliefs, then densities
	n     int     // slots
	low   int64
	law   law  // of what was left out before it
	kind  kind // of the frame
}

const (
	// mostHeld and arenaSize bound the frames that wait, and their slots.
	mostHeld  = 128
	arenaSize = 6 * maxSlots

	// mostReady is how many settled windows wait to be fetched.
	mostReady = 128

	// grace is the share of the lag that a frame is held for after it came,
	// however late it was: those that queued behind it are about to come.
	grace = 0.2

	// learnLag is how long frames are held for learning from them, at least:
	// seconds.
	learnLag = 0.4
)

// A queue holds frames in order, with constant memory.
type queue struct {
	frames       [mostHeld]held
	first, count int // held
	settled      int // of them
	arena        [arenaSize]float64
	weights      [2][maxSlots]float64 // work space
}

func (q *queue) at(i int) *held { return &q.frames[(q.first+i)%mostHeld] }

// room returns where in the arena n more slots find room, or -1.
func (q *queue) room(n int) int {
	if q.count == 0 {
		return 0
	}
	if q.count == mostHeld {
		return -1
	}
	last, first := q.at(q.count-1), q.at(0)
	from := last.start + 2*last.n
	switch {
	case last.start >= first.start && from+2*n <= arenaSize:
		return from
	case last.start >= first.start && 2*n <= first.start:
		return 0
	case last.start < first.start && from+2*n <= first.start:
		return from
	}
	return -1
}

func (q *queue) belief(h *held) belief {
	return belief{h.low, q.arena[h.start : h.start+h.n]}
}

func (q *queue) density(h *held) []float64 {
	return q.arena[h.start+h.n : h.start+2*h.n]
}

// smoothed returns what is known of held frame i with all that came since. It is
// valid until the next call.
func (q *queue) smoothed(i int) belief {
	// What later frames say of the slots of a frame: the backward pass of the
	// forward-backward algorithm.
	later := belief{}
	next, spare := &q.weights[0], &q.weights[1]
	for j := q.count - 1; j > i; j-- {
		h, before := q.at(j), q.at(j-1)
		density := q.density(h)
		weight := next[:h.n]
		var most float64
		for k := range weight {
			w := density[k]
			if j < q.count-1 {
				w *= later.p[k]
			}
			weight[k] = w
			most = max(most, w)
		}
		if most > 0 {
			for k := range weight {
				weight[k] /= most
			}
		}
		later = belief{before.low, spare[:before.n]}
		h.law.recall(belief{h.low, weight}, before.low, later.p)
		// later lives in spare, which next frame's weights must not touch.
	}
	h := q.at(i)
	known := q.belief(h)
	if i == q.count-1 {
		return known
	}
	result := belief{h.low, next[:h.n]}
	var sum float64
	for k, p := range known.p {
		result.p[k] = p * later.p[k]
		sum += result.p[k]
	}
	if !(sum > 0) {
		return known
	}
	for k := range result.p {
		result.p[k] /= sum
	}
	return result
}

// drop lets go of the first frame.
func (q *queue) drop() {
	q.first = (q.first + 1) % mostHeld
	q.count--
	q.settled = max(q.settled-1, 0)
}

// A ready queue holds windows that were settled before they were asked for.
type ready struct {
	windows      [mostReady]Window
	first, count int
}

func (r *ready) put(w Window) {
	if r.count == mostReady {
		r.first = (r.first + 1) % mostReady
		r.count--
	}
	r.windows[(r.first+r.count)%mostReady] = w
	r.count++
}

func (r *ready) take() (Window, bool) {
	if r.count == 0 {
		return Window{}, false
	}
	w := r.windows[r.first]
	r.first = (r.first + 1) % mostReady
	r.count--
	return w, true
}

// Settled returns the oldest window not yet returned by it whose time has come
// by now, with all that is known of it: Config.Lag after its end, and a fifth of
// that after its frame came. Every window that was added comes out once, and in
// order; the last ones only by Flush. Windows may be settled earlier when many
// frames come within the lag. Of windows that nobody asks for, the oldest are
// forgotten once 128 are settled.
func (f *Filter) Settled(now time.Time) (Window, bool) {
	f.settle(now.Sub(f.origin).Seconds() + 1e-6) // times are rounded
	return f.ready.take()
}

// Flush settles all windows that are held, by what is known now. What arrives
// later is still taken in.
func (f *Filter) Flush() {
	for f.queue.settled < f.queue.count {
		f.settleOne()
	}
}

// Due returns when the oldest window that is held will be settled, or a time
// that has passed if one is ready; zero if none is held.
func (f *Filter) Due() time.Time {
	switch {
	case f.ready.count > 0:
		return f.at(f.y)
	case f.queue.settled < f.queue.count:
		return f.at(f.due())
	}
	return time.Time{}
}

// due returns when the oldest held window that is not settled will be.
func (f *Filter) due() float64 {
	h := f.queue.at(f.queue.settled)
	end := f.moment(f.queue.belief(h).mode()) - f.offset
	return max(end+f.lag, h.y+grace*f.lag)
}

// settle settles what is due, and learns from what has been held long enough.
func (f *Filter) settle(now float64) {
	for f.queue.settled < f.queue.count && f.due() <= now {
		f.settleOne()
	}
	for f.queue.settled > 0 && f.queue.at(0).y+learnLag <= now {
		f.learnOne()
	}
}

// settleOne settles the oldest window that is not.
func (f *Filter) settleOne() {
	q := &f.queue
	i := q.settled
	q.settled++
	b := q.smoothed(i)
	f.ready.put(f.final.place(f, b, q.at(i).y))
	if f.lag >= learnLag {
		f.learn(q.at(i), b)
		q.drop()
	}
}

// learnOne learns from the oldest frame, and lets it go.
func (f *Filter) learnOne() {
	f.learn(f.queue.at(0), f.queue.smoothed(0))
	f.queue.drop()
}

// makeRoom returns where in the arena n slots find room.
func (f *Filter) makeRoom(n int) int {
	for {
		if start := f.queue.room(n); start >= 0 {
			return start
		}
		if f.queue.settled > 0 {
			f.learnOne()
		} else {
			f.settleOne()
		}
	}
}

// push holds a frame whose slots are in the arena.
func (q *queue) push(h held) {
	*q.at(q.count) = h
	q.count++
}
