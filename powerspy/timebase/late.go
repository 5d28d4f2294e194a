package timebase

import "math"

// A lateness watches for frames that are all late, which says that the grid is too
// early: the constant part of the delay has grown, or the first frames misled.
type lateness struct {
	// Of a block of frames, and of the one before:
	least [2]float64 // the shortest delay, seconds
	n     [2]float64 // how many frames

	since float64 // when the block began
}

const (
	// A block is of so many frames and so many seconds, at least.
	lateFrames = 12
	lateTime   = 0.5

	// So many nats make sure that it is no chance, with so many frames.
	lateSure  = 25
	lateLeast = 8
)

// watch takes in a frame of which no more will be known. Frames that were held up
// by others say nothing.
func (f *Filter) watch(h *held, b belief) {
	if h.kind != free {
		return
	}
	r := &f.run
	delay := max(h.y-f.edge(b.mode()), 0)
	if r.n[0] == 0 {
		r.least[0], r.since = delay, h.y
	}
	r.least[0] = min(r.least[0], delay)
	r.n[0]++
	least, n := r.least[0], r.n[0]+r.n[1]
	if r.n[1] > 0 {
		least = min(least, r.least[1])
	}
	unlikely := -n * math.Log1p(-min(f.delays.below(least), 0.999))
	sigma := f.mains.widest()
	if unlikely > lateSure && n >= lateLeast && least > 4*sigma {
		// The mean of the least of n delays is an nth of theirs.
		f.mains.shift(least*(1-1/n), least/n+sigma)
		*r = lateness{}
		return
	}
	if r.n[0] >= lateFrames && h.y-r.since >= lateTime {
		r.least[1], r.n[1] = r.least[0], r.n[0]
		r.n[0] = 0
	}
}
