package client

import (
	"math"
	"time"

	"powerspy2/meter"
)

// A placer puts what a server tells in its place in this machine's time. Windows
// that follow on each other do so here, too: what the offset of the clocks is
// corrected by is spread over them, and is part of their standard error meanwhile.
type placer struct {
	clock  *clock
	delay  time.Duration // constant, of the server's link to the meter
	server time.Time     // up to where it is known what was measured, by the server's clock; zero: nothing is
	local  time.Time     // the same by this machine's
}

// time places a moment.
func (p *placer) time(server time.Time) time.Time { return p.clock.local(server).Add(-p.delay) }

// missing returns the gap between what is known and a window that comes next, if
// there is one.
func (p *placer) missing(w *meter.Window) (g meter.Gap, ok bool) {
	if p.local.IsZero() {
		return g, false
	}
	start := p.start(w)
	return meter.Gap{From: p.local, To: start}, start.After(p.local)
}

// past reports whether a window lies in a time that is known already, as one does that
// the server measured while this machine slept: its clock stood still then.
func (p *placer) past(w *meter.Window) bool {
	return !p.local.IsZero() && p.time(w.End).Before(p.local.Add(-muchTooEarly))
}

// muchTooEarly is more than corrections of the offset.
const muchTooEarly = time.Second

// start returns the place of the start of a window: it follows on what is known where
// it would begin before the end of that, or less than half a window after it.
func (p *placer) start(w *meter.Window) time.Time {
	length := w.End.Sub(w.Start)
	if apart := w.Start.Sub(p.server); !p.server.IsZero() && apart.Abs() <= length/2 {
		return p.local
	}
	start := p.time(w.Start)
	if !p.local.IsZero() && start.Sub(p.local) <= length/2 {
		return p.local
	}
	return start
}

// window places a window.
func (p *placer) window(w *meter.Window) {
	length := w.End.Sub(w.Start)
	server := w.End
	w.Start = p.start(w)
	right := p.time(w.End)
	w.End = w.Start.Add(min(max(right.Sub(w.Start), length-length/2), length+length/2))
	if e := p.clock.own(right) + right.Sub(w.End).Abs(); e > 0 {
		w.Error = time.Duration(min(math.Hypot(float64(w.Error), float64(e)), float64(time.Hour)))
	}
	p.server, p.local = server, w.End
}

// gap places a gap that the server tells, as far as it was not known.
func (p *placer) gap(g *meter.Gap) (ok bool) {
	from, to := g.From, g.To
	if !p.server.IsZero() && !to.After(p.server) {
		return false
	}
	if p.server.IsZero() || from.Before(p.server) {
		g.Windows = 0 // not all of it, perhaps
	}
	g.From, g.To = p.local, later(p.time(to), p.local)
	if p.local.IsZero() || from.After(p.server) {
		g.From = later(p.time(from), p.local)
		g.To = later(g.To, g.From)
	}
	p.server, p.local = to, g.To
	return true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
