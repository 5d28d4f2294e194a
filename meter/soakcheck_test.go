package meter

import (
	"math"
	"testing"
	"time"

	"powerspy2/powerspy/sim"
)

const (
	// soakRecovery is what a recovery may take after the end of the fault.
	soakRecovery = 10 * time.Second

	// soakSettle is for how long after a fault that left frames out, or damaged
	// them, windows may be in the wrong place: nothing tells at once.
	soakSettle = 12 * time.Second

	// soakLag is how far the check stays behind, so that what is to be
	// compared is over.
	soakLag = 5 * time.Second

	// soakPower is how well frames tell a power: a step of the count is 12 mW.
	soakPower = 0.02
)

// A soakCheck compares events with what the simulator knows.
type soakCheck struct {
	t      *testing.T
	sim    *sim.Meter
	window time.Duration

	pending []Event
	started bool
	last    time.Time // end of what was checked
	stream  int       // of the next window
	index   int
	matched windowID // the last window that was found in a reading

	readings, gaps, recoveries int
	measured, missed           int
	misplaced                  int
	latest, slowest, lost      time.Duration
	energy, ofWindows, byTimes float64
}

// A windowID tells a window of the simulator's.
type windowID struct{ stream, index int }

func (a windowID) before(b windowID) bool {
	return a.stream < b.stream || a.stream == b.stream && a.index < b.index
}

// take checks the events that are old enough.
func (c *soakCheck) take(e Event) {
	if e.Kind == StatusEvent {
		if e.Status.Text == "" {
			c.t.Error("a status that says nothing")
		}
		return
	}
	c.pending = append(c.pending, e)
	for len(c.pending) > 0 && time.Since(span(c.pending[0]).end) > soakLag {
		c.check(c.pending[0])
		c.pending = append(c.pending[:0], c.pending[1:]...)
	}
}

// finish checks the rest.
func (c *soakCheck) finish() {
	for _, e := range c.pending {
		c.check(e)
	}
}

type period struct{ start, end time.Time }

func span(e Event) period {
	if e.Kind == GapEvent {
		return period{e.Gap.From, e.Gap.To}
	}
	return period{e.Reading.Start, e.Reading.End}
}

func (c *soakCheck) check(e Event) {
	p := span(e)
	switch {
	case !p.end.After(p.start):
		c.t.Errorf("%v of no length: %+v", e.Kind, e)
	case !c.started:
		c.started, c.stream = true, 1
		c.windows(p.start)
	case !p.start.Round(0).Equal(c.last.Round(0)):
		c.t.Errorf("%v from %v, after what ended at %v", e.Kind, p.start, c.last)
	}
	c.last = p.end
	in := c.windows(p.end)
	if e.Kind == GapEvent {
		c.checkGap(e.Gap, in)
	} else {
		c.checkReading(e.Reading, in)
	}
}

// windows returns the next windows, up to those whose middle is before a time.
func (c *soakCheck) windows(end time.Time) []sim.Truth {
	var in []sim.Truth
	for {
		w, ok := c.sim.StreamTruth(c.stream, c.index)
		if !ok {
			if s, _ := c.sim.Stream(); s.Number == c.stream {
				return in
			}
			c.stream++
			c.index = 0
			continue
		}
		if middle := w.Start.Add(w.End.Sub(w.Start) / 2); !middle.Before(end) {
			return in
		}
		c.index++
		in = append(in, w)
	}
}

func (c *soakCheck) checkReading(r Reading, in []sim.Truth) {
	c.readings++
	c.measured += len(in)
	if r.Windows < 1 || r.Energy <= 0 || r.Power <= 0 {
		c.t.Errorf("a reading of nothing: %+v", r)
	}
	var power, energy float64
	for _, w := range in {
		power += w.Power / float64(len(in))
		energy += w.Energy
	}
	if len(in) == r.Windows && math.Abs(power-r.Power) < soakPower {
		c.found(windowID{c.stream, c.index - 1}, r)
		c.energy += r.Energy
		c.ofWindows += energy
		c.byTimes += c.sim.Energy(r.Start, r.End)
		return
	}
	c.misplaced++
	c.t.Logf("misplaced %v +%v windows %d in %d power %g / %g", r.Start, r.End.Sub(r.Start), r.Windows, len(in), r.Power, power)
}

func (c *soakCheck) found(w windowID, r Reading) {
	if !c.matched.before(w) {
		c.t.Errorf("window %+v once more: %+v", w, r)
	}
	c.matched = w
}

func (c *soakCheck) checkGap(g Gap, in []sim.Truth) {
	c.gaps++
	c.missed += len(in)
	c.lost += g.To.Sub(g.From)
	c.t.Logf("gap %v +%v windows %d in %d: %s", g.From, g.To.Sub(g.From), g.Windows, len(in), g.Reason)
}
