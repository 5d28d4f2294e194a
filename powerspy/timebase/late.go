package timebase

import "math"

// A lateness watches for frames that are all late, which says that the grid is
// too early: the constant part of the delay has grown, or the first frames
// misled.
type lateness struct {
	least    [2]float64 // delay of a block of frames, and of the one before
	n        [2]float64
	since    float64
	evidence float64
}

const (
	lateFrames = 12
	lateTime   = 0.5 // seconds
	lateSure   = 25  // nats
)

func (f *Filter) watch(h *held, b belief) {
	if h.kind != free {
		return
	}
	r := &f.run
	delay := max(h.y-f.moment(b.mode()), 0)
	if r.n[0] == 0 || delay < r.least[0] {
		r.least[0] = delay
	}
	if r.n[0] == 0 {
		r.since = h.y
	}
	r.n[0]++
	least := r.least[0]
	n := r.n[0]
	if r.n[1] > 0 {
		least = min(least, r.least[1])
		n += r.n[1]
	}
	rarely := -math.Log1p(-min(f.delays.below(least), 0.999))
	if n*rarely > lateSure && least > 4*f.mains.widest() && n >= 8 {
		f.mains.shift(least*(1-1/n), least/n+f.mains.widest())
		f.shifts++
		*r = lateness{}
		return
	}
	if r.n[0] >= lateFrames && h.y-r.since >= lateTime {
		r.least[1], r.n[1] = r.least[0], r.n[0]
		r.n[0] = 0
	}
}
