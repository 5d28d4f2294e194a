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
	noise    float64 // variance of power from window to window, W²
	last     float64 // power of the last window that was measured, W
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
	leftOut           float64       // variance of its energy by what was left out, J²
	squares           float64       // sum of the squares of the lengths of its windows, s²
	measured, bridged int
}

const (
	keepUsually = time.Hour
	mergeTo     = time.Second

	// constantDelay is the range in which the constant part of the delay of
	// frames may lie, which no arrival shows: of a rectangular distribution.
	constantDelay = 20 * time.Millisecond

	// noiseMemory is over how many windows the variance of power is taken.
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
		h.origin, h.last = w.Start, w.Power
	}
	l := w.Length.Seconds()
	p := piece{
		start: w.Start.Sub(h.origin), end: w.End.Sub(h.origin), length: l, energy: w.Energy(),
		low: w.Power, high: w.Power, error: w.Error.Seconds(), squares: l * l,
	}
	if w.Bridged {
		// What stands there is the mean of its neighbours, the last one before and
		// the next after it.
		half := w.Power - h.last
		p.leftOut = (half*half + h.noise) * l * l
		p.bridged = 1
	} else {
		d := w.Power - h.last
		h.noise += (d*d/2 - h.noise) / noiseMemory
		h.last = w.Power
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
		return
	}
	all := h.pieces[first]
	for _, p := range h.pieces[first+1 : n] {
		all.end = p.end
		all.length += p.length
		all.energy += p.energy
		all.low, all.high = min(all.low, p.low), max(all.high, p.high)
		all.error = max(all.error, p.error)
		all.leftOut += p.leftOut
		all.squares += p.squares
		all.measured += p.measured
		all.bridged += p.bridged
	}
	h.pieces[first] = all
	h.pieces = slices.Delete(h.pieces, first+1, n)
	h.merged++
}

// Span returns the energy between two moments, as far as it is remembered. A to
// before from is taken for from.
func (h *History) Span(from, to time.Time) Span {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to.Before(from) {
		to = from
	}
	s := Span{From: from, To: to, PowerMin: math.NaN(), PowerMax: math.NaN()}
	if h.origin.IsZero() {
		return s
	}
	begin, end := from.Sub(h.origin), to.Sub(h.origin)
	first, _ := slices.BinarySearchFunc(h.pieces, begin, func(p piece, at time.Duration) int {
		if p.end <= at {
			return -1
		}
		return 1
	})
	var edges, leftOut, squares float64
	last := first
	for i := first; i < len(h.pieces) && h.pieces[i].start < end; i++ {
		p := &h.pieces[i]
		last = i
		share := 1.
		if inside := min(p.end, end) - max(p.start, begin); inside < p.end-p.start {
			share = float64(inside) / float64(p.end-p.start)
			edge := h.edge(i) * share * (1 - share) * p.length
			edges += edge * edge
			s.Covered += inside
		} else {
			s.Covered += p.end - p.start
		}
		s.Energy += p.energy * share
		leftOut += p.leftOut * share * share
		squares += p.squares * share * share
		s.Windows += p.measured
		s.Bridged += p.bridged
		if !(p.low >= s.PowerMin) {
			s.PowerMin = p.low
		}
		if !(p.high <= s.PowerMax) {
			s.PowerMax = p.high
		}
	}
	if s.Covered > 0 {
		s.Uncertainty = Uncertainty{
			Edges:      math.Sqrt(edges),
			LeftOut:    math.Sqrt(leftOut),
			Time:       h.timing(first, last),
			Resolution: h.Resolution / root12 * math.Sqrt(squares),
			Meter:      h.Accuracy / root3 * math.Abs(s.Energy),
		}
	}
	return s
}

// edge returns the standard uncertainty of the power within a piece that is cut,
// in W, relative to the part that is cut off: the power may have gone from that
// of the piece before to that of the one after anywhere in it.
func (h *History) edge(i int) float64 {
	low, high := h.pieces[i].low, h.pieces[i].high
	for _, n := range [...]int{i - 1, i + 1} {
		if n >= 0 && n < len(h.pieces) {
			mean := h.pieces[n].energy / h.pieces[n].length
			low, high = min(low, mean), max(high, mean)
		}
	}
	return 2 * (high - low) / root12 * 2
}

// timing returns the uncertainty in J of an energy from one piece to another by
// that of their times.
func (h *History) timing(first, last int) float64 {
	a, b := &h.pieces[first], &h.pieces[last]
	pa, pb := a.energy/a.length, b.energy/b.length
	// Each end by itself, and both together.
	apart := math.Hypot(a.error*pa, b.error*pb)
	common := h.ClockError.Seconds()
	if !h.DelayKnown {
		common = math.Hypot(common, constantDelay.Seconds()/root12)
	}
	return math.Hypot(apart, common*(pb-pa))
}
