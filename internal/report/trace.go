package report

import (
	"math"
	"time"

	"powerspy2/meter"
)

// A trace is power over time in so many points at most: windows as they came, or
// what they were merged to, with their lowest and highest power.
type trace struct {
	most   int
	origin time.Time // of times
	points []point
	grid   time.Duration // points of one cell of it are merged; 0: none are
	breaks int           // points that begin later than the one before them ended
}

// A point is a window, or some that were merged, gaps among them.
type point struct {
	start, end     time.Duration // since the origin
	low, high      float64       // W
	energy, length float64       // J, s
}

func (p *point) mean() float64 { return p.energy / p.length }

// rounding is what the times of a recording may be off that was written by a program
// with 64-bit floats: those that tell UNIX seconds are a quarter of a microsecond apart.
const rounding = time.Microsecond

// firstGrid is the first length of merged points in windows.
const firstGrid = 2

func (t *trace) add(w *meter.Window) {
	if t.origin.IsZero() {
		t.origin = w.Start
	}
	p := point{
		start: w.Start.Sub(t.origin), end: w.End.Sub(t.origin), low: w.Power, high: w.Power, energy: w.Energy(), length: w.Length.Seconds(),
	}
	if n := len(t.points); n > 0 {
		last := &t.points[n-1]
		switch off := p.start - last.end; {
		case off.Abs() <= rounding:
			p.start = last.end
		case off > 0:
			t.breaks++
		}
		if t.grid > 0 && t.same(last, &p) {
			last.merge(&p)
			return
		}
	}
	t.points = append(t.points, p)
	for len(t.points) >= t.most {
		t.halve(w.Length)
	}
}

// halve merges on a grid twice as wide.
func (t *trace) halve(window time.Duration) {
	t.grid = max(2*t.grid, firstGrid*window)
	n := 0
	for i := 1; i < len(t.points); i++ {
		if t.same(&t.points[n], &t.points[i]) {
			t.points[n].merge(&t.points[i])
			continue
		}
		n++
		t.points[n] = t.points[i]
	}
	t.points = t.points[:n+1]
}

// same reports whether two points lie in one cell of the grid, with no gap between
// them unless there are very many.
func (t *trace) same(p, q *point) bool {
	return p.start/t.grid == q.start/t.grid && (q.start <= p.end || t.breaks > min(mostGaps, t.most/2))
}

func (p *point) merge(q *point) {
	p.end = q.end
	p.low, p.high = math.Min(p.low, q.low), math.Max(p.high, q.high)
	p.energy += q.energy
	p.length += q.length
}

// merged reports whether points are more than windows.
func (t *trace) merged() bool { return t.grid > 0 }
