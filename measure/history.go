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

	// Moments are those that will be asked for, in their order, where they are
	// known beforehand, as in a recording: only windows close to one of them are
	// remembered singly, all others are merged, whatever Keep is, and gaps are
	// forgotten. What is remembered then does not grow with the time. The last
	// moment may also be that of the last window's end.
	Moments []time.Time

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
	passed   int // the first ones of Moments, which pieces have passed
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
	leftOut           float64       // settled: variance of its energy by what was left out, J²
	settled           bool          // leftOut is known
	far               bool          // from all moments that will be asked for
	gaps              time.Duration // far: those in it
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
		if h.Moments == nil {
			h.gaps = append(h.gaps, e.Gap)
		}
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

// Since returns from when on what was measured is remembered; zero before the first
// window.
func (h *History) Since() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pieces) == 0 {
		return time.Time{}
	}
	return h.origin.Add(h.pieces[0].start)
}

// Gaps returns the times between two moments that were not measured. Of a gap that
// one of them cuts it is the part between them; Windows is then not known.
func (h *History) Gaps(from, to time.Time) []meter.Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	var gaps []meter.Gap
	for _, g := range h.gaps {
		if g.To.After(from) && g.From.Before(to) {
			gaps = append(gaps, cut(g, from, to))
		}
	}
	return gaps
}

// cut returns the part of a gap between two moments.
func cut(g meter.Gap, from, to time.Time) meter.Gap {
	if g.From.Before(from) {
		g.From, g.Windows = from, 0
	}
	if g.To.After(to) {
		g.To, g.Windows = to, 0
	}
	return g
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
	if h.Moments != nil {
		h.tidyFar()
	} else {
		h.tidy()
	}
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
		h.pieces = h.pieces[n:] // which append moves now and then, not each time
		h.gaps = slices.DeleteFunc(h.gaps, func(g meter.Gap) bool { return g.To.Sub(h.origin) < horizon })
		return
	}
	var leftOut float64
	for i := first; i < n; i++ {
		leftOut += h.leftOut(i)
	}
	all := h.pieces[first]
	all.leftOut, all.settled = leftOut, true
	for _, p := range h.pieces[first+1 : n] {
		all.add(&p)
	}
	h.pieces[first] = all
	h.pieces = slices.Delete(h.pieces, first+1, n)
	h.merged++
}

// add merges a later piece into p, but for what was left out.
func (p *piece) add(q *piece) {
	p.gaps += q.gaps + q.start - p.end
	p.end = q.end
	p.length += q.length
	p.energy += q.energy
	p.low, p.high = min(p.low, q.low), max(p.high, q.high)
	p.error = max(p.error, q.error)
	p.measured += q.measured
	p.bridged += q.bridged
}

// tidyFar merges what is far from all moments: the last piece of which it is known
// what stands around it.
func (h *History) tidyFar() {
	if i := len(h.pieces) - 1 - around; i >= 0 {
		p := &h.pieces[i]
		p.leftOut, p.settled = h.leftOut(i), true
	}
	i := len(h.pieces) - 2 - 2*around
	if i < 0 {
		return
	}
	p := &h.pieces[i]
	margin := nearWindows*(p.end-p.start) + constantDelay
	for h.passed < len(h.Moments) && h.Moments[h.passed].Sub(h.origin) < p.start-margin {
		h.passed++
	}
	if h.passed < len(h.Moments) && h.Moments[h.passed].Sub(h.origin) <= p.end+margin {
		return
	}
	p.far = true
	if i == 0 || !h.pieces[i-1].far {
		return
	}
	all := &h.pieces[i-1]
	all.add(p)
	all.leftOut += p.leftOut
	h.pieces = slices.Delete(h.pieces, i, i+1)
}

// nearWindows is how many windows from a moment one is still close to it.
const nearWindows = 2 * around
