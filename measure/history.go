package measure

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"powerspy2/meter"
)

// A History is a sink that remembers windows and tells the energy between any
// two moments. What it remembers grows by some 5 KiB a second at 50 windows a
// second, and by 100 bytes a second for what is older than Keep.
//
// Set the exported fields before its first event. Its methods may be called
// concurrently.
type History struct {
	// Keep is for how long single windows are remembered; before that, they are
	// merged to a second each, so that an energy whose moments lie there has
	// more uncertain edges. 0: an hour.
	Keep time.Duration

	// Forget drops what is older than Keep instead of merging it.
	Forget bool

	// Resolution is the step of power in W in which the meter counts:
	// [meter.Info.Resolution].
	Resolution float64

	// Accuracy is the relative limit of error of the meter, such as 0.01 for 1 %;
	// 0: not known, and not counted.
	Accuracy float64

	// DelayKnown is for a constant delay of frames that was measured: the time of
	// windows is then not taken to be uncertain by it.
	DelayKnown bool

	// ClockError is the standard uncertainty of the moments' clock against that of
	// the windows, where they are not of one machine.
	ClockError time.Duration

	mu       sync.Mutex
	origin   time.Time
	pieces   []piece
	merged   int // the first ones of pieces, which are merged
	gaps     []meter.Gap
	noise    float64    // how far off the mean of its neighbours a window is beyond half their difference: mean square, W²
	last     [2]float64 // powers of the last windows that were measured, the last one first, W
	row      int        // how many of them follow on each other
	reached  time.Time
	ended    bool
	progress chan struct{} // closed and replaced with each event while somebody waits
}

// A piece is a window, or some that were merged.
type piece struct {
	start, end        time.Duration // since the origin
	length            float64       // s
	energy            float64       // J
	low, high         float64       // W
	error             float64       // standard error of its start and end, s
	noise             float64       // bridged: h.noise, W²
	leftOut           float64       // merged: variance of its energy by what was left out, J²
	measured, bridged int
}

const (
	keepUsually = time.Hour
	mergeTo     = time.Second

	// constantDelay is the range in which the constant part of the delay of
	// frames may lie, which no arrival shows: of a rectangular distribution.
	constantDelay = 20 * time.Millisecond

	// noiseMemory is over how many windows the noise is taken.
	noiseMemory = 50
)

var (
	root3  = math.Sqrt(3)
	root12 = math.Sqrt(12)
)

var _ Sink = (*History)(nil)

// Event implements [Sink]. It never fails.
func (h *History) Event(e *meter.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.Kind {
	case meter.WindowEvent:
		h.add(&e.Window)
		h.reached = e.Window.End
	case meter.GapEvent:
		h.gaps = append(h.gaps, e.Gap)
		h.reached = e.Gap.To
	default:
		return nil
	}
	h.wake()
	return nil
}

// End implements [Sink].
func (h *History) End() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.wake()
	return nil
}

func (h *History) wake() {
	if h.progress != nil {
		close(h.progress)
		h.progress = nil
	}
}

// Wait waits until what is remembered reaches a moment, or the measurement has
// ended. The error is that of ctx.
func (h *History) Wait(ctx context.Context, moment time.Time) error {
	for {
		h.mu.Lock()
		if h.ended || !h.reached.IsZero() && !h.reached.Before(moment) {
			h.mu.Unlock()
			return nil
		}
		if h.progress == nil {
			h.progress = make(chan struct{})
		}
		progress := h.progress
		h.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Reached returns up to when it is known what was measured and what was not; zero
// before the first window.
func (h *History) Reached() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reached
}

// Gaps returns the times between two moments that were not measured.
func (h *History) Gaps(from, to time.Time) []meter.Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	var gaps []meter.Gap
	for _, g := range h.gaps {
		if g.To.After(from) && g.From.Before(to) {
			gaps = append(gaps, g)
		}
	}
	return gaps
}

func (h *History) add(w *meter.Window) {
	if h.origin.IsZero() {
		h.origin, h.last[0] = w.Start, w.Power
	}
	l := w.Length.Seconds()
	p := piece{
		start: w.Start.Sub(h.origin), end: w.End.Sub(h.origin), length: l, energy: w.Energy(),
		low: w.Power, high: w.Power, error: w.Error.Seconds(),
	}
	if n := len(h.pieces); n > 0 && p.start > h.pieces[n-1].end {
		h.row = 0
	}
	if w.Bridged {
		p.noise = h.noise
		p.bridged = 1
		h.row = 0
	} else {
		if h.row == 2 {
			half := (w.Power - h.last[1]) / 2
			off := h.last[1] + half - h.last[0]
			h.noise += (max(off*off-half*half, 0) - h.noise) / noiseMemory
		}
		h.last[0], h.last[1] = w.Power, h.last[0]
		h.row = min(h.row+1, 2)
		p.measured = 1
	}
	h.pieces = append(h.pieces, p)
	h.tidy()
}

// tidy merges or drops what is old, a second at a time.
func (h *History) tidy() {
	keep := h.Keep
	if keep == 0 {
		keep = keepUsually
	}
	horizon := h.pieces[len(h.pieces)-1].end - keep
	first := h.merged
	if h.pieces[first].start > horizon-2*mergeTo {
		return
	}
	n := first
	for n < len(h.pieces) && h.pieces[n].end <= horizon && h.pieces[n].end-h.pieces[first].start <= mergeTo && (n == first || h.pieces[n].start == h.pieces[n-1].end) {
		n++
	}
	if n == first {
		n++ // longer than what is merged to
	}
	if h.Forget {
		h.pieces = slices.Delete(h.pieces, 0, n)
		h.gaps = slices.DeleteFunc(h.gaps, func(g meter.Gap) bool { return g.To.Sub(h.origin) < horizon })
		return
	}
	var leftOut float64
	for i := first; i < n; i++ {
		leftOut += h.leftOut(i)
	}
	all := h.pieces[first]
	all.noise, all.leftOut = 0, leftOut
	for _, p := range h.pieces[first+1 : n] {
		all.end = p.end
		all.length += p.length
		all.energy += p.energy
		all.low, all.high = min(all.low, p.low), max(all.high, p.high)
		all.error = max(all.error, p.error)
		all.measured += p.measured
		all.bridged += p.bridged
	}
	h.pieces[first] = all
	h.pieces = slices.Delete(h.pieces, first+1, n)
	h.merged++
}
