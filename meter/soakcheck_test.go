package meter

import (
	"math"
	"slices"
	"testing"
	"time"

	"powerspy2/powerspy/sim"
)

const (
	// soakRecovery is what a recovery may take after the end of the fault.
	soakRecovery = 10 * time.Second

	// soakEarly is how long before a fault a gap may begin: what a stall held
	// back is lost with the link.
	soakEarly = time.Second

	// soakSettle is for how long after frames were left out or damaged their
	// successors may be in the wrong place: until a skip is told from a stall.
	soakSettle = 5 * time.Second

	// soakAnchor is for how long after the beginning of a stream windows may be
	// in the wrong place: a stall may have held up the acknowledgement, and the
	// first frames with it. The times of the first seconds are also poorer than
	// half a mains period now and then.
	soakAnchor        = time.Second
	soakAnchorPeriods = 10 * time.Second

	// soakPatience is how long a meter may be silent before it is given up. Most
	// of it is for the delays of frames that came late before.
	soakPatience = 5 * time.Second

	// soakLag is how far the check stays behind the events, so that all there is
	// to compare them with has happened.
	soakLag = 5 * time.Second

	// soakSearch is how far from its place a window is looked for: a fault lasts
	// for 10 s at most.
	soakSearch = 10*time.Second + soakSettle

	// soakMisplaced is the share of windows that may be in the wrong place without a
	// fault.
	soakMisplaced = 0.007

	// soakPower is how well frames tell a power: a count is worth 12 mW.
	soakPower = 0.015
)

// A soakCheck compares events with what the simulator knows, as they come. It
// remembers little, so that it can do so for weeks.
type soakCheck struct {
	t      *testing.T
	sim    *sim.Meter
	window time.Duration
	anchor time.Duration // see soakAnchor

	pending []Event
	start   time.Time
	last    time.Time  // end of the last event that was checked
	next    soakWindow // of the simulator's
	found   soakWindow // the last one that was found
	resumed time.Time  // when the stream began, or went on
	outages []Gap      // the last ones
	counted time.Time  // up to here, faults were
	faults  map[string]int

	gaps, recoveries           int
	measured, missed, bridged  int // windows
	misplaced, unexplained     int // windows; of these without a fault
	settled, slowest, lost     time.Duration
	energy, ofWindows, byTimes float64
}

// A soakWindow is the number of a window of the simulator's.
type soakWindow struct{ stream, index int }

func (a soakWindow) before(b soakWindow) bool {
	return a.stream < b.stream || a.stream == b.stream && a.index < b.index
}

func newSoakCheck(t *testing.T, m *sim.Meter, window time.Duration) *soakCheck {
	anchor := soakAnchor
	if window < 50*time.Millisecond {
		anchor = soakAnchorPeriods
	}
	return &soakCheck{
		t: t, sim: m, window: window, anchor: anchor, pending: make([]Event, 0, 1024),
		next: soakWindow{1, 0}, found: soakWindow{1, -1}, counted: time.Now(), faults: map[string]int{},
	}
}

// take checks the events that are old enough.
func (c *soakCheck) take(e Event) {
	if e.Kind == StatusEvent {
		if e.Status.Text == "" || e.Status.Time.IsZero() {
			c.t.Errorf("a status that says nothing: %+v", e.Status)
		}
		return
	}
	c.pending = append(c.pending, e)
	for len(c.pending) > 0 {
		if _, end := soakSpan(c.pending[0]); time.Since(end) <= soakLag {
			return
		}
		c.check(c.pending[0])
		c.pending = append(c.pending[:0], c.pending[1:]...)
	}
}

// finish checks the rest.
func (c *soakCheck) finish() {
	for _, e := range c.pending {
		c.check(e)
	}
	c.countFaults(c.last)
	if float64(c.unexplained) > soakMisplaced*float64(c.measured) {
		c.t.Errorf("%d of %d windows were not those at their time, without a fault: want at most %g %%", c.unexplained, c.measured, 100*soakMisplaced)
	}
	for _, e := range []struct {
		of    string
		error float64
		limit float64
	}{
		{"of their windows", c.energy/c.ofWindows - 1, 1e-4},
		// Here the times of the first seconds of each stream count, which are
		// poorer, and those of frames between damaged ones.
		{"between their times", c.energy/c.byTimes - 1, 5e-4},
	} {
		if !(math.Abs(e.error) < e.limit) {
			c.t.Errorf("the energy is off by %.5f %% from that %s: want at most %g", 100*e.error, e.of, 100*e.limit)
		}
	}
}

// soakSpan returns the time that a window or a gap is about.
func soakSpan(e Event) (begin, end time.Time) {
	if e.Kind == GapEvent {
		return e.Gap.From, e.Gap.To
	}
	return e.Window.Start, e.Window.End
}

// check checks that a window or a gap begins where the one before ended, and
// that it is that of the meter's windows whose middle it covers.
func (c *soakCheck) check(e Event) {
	begin, end := soakSpan(e)
	if !end.After(begin) {
		c.t.Errorf("a %v of no length: %+v", e.Kind, e)
	}
	if c.start.IsZero() {
		c.start, c.resumed = begin, begin
		c.windows(begin)
	} else if !begin.Round(0).Equal(c.last.Round(0)) {
		c.t.Errorf("a %v begins at %v, and the event before ended at %v", e.Kind, begin, c.last)
	}
	c.last = end
	in := c.windows(end)
	if e.Kind == GapEvent {
		c.checkGap(e.Gap, len(in))
	} else {
		c.checkWindow(&e.Window, in)
	}
}

// windows returns the windows from the last one returned up to a time.
func (c *soakCheck) windows(end time.Time) []sim.Truth {
	var in []sim.Truth
	for {
		w, ok := c.sim.StreamTruth(c.next.stream, c.next.index)
		switch {
		case ok && !w.Start.Add(w.End.Sub(w.Start)/2).Before(end):
			return in
		case ok:
			in = append(in, w)
			c.next.index++
		default:
			if s, _ := c.sim.Stream(); s.Number == c.next.stream {
				return in
			}
			c.next = soakWindow{c.next.stream + 1, 0}
		}
	}
}

// checkWindow compares a window with those of the meter's at its time. Those after
// windows that were left out may for a while be in the place of others; they
// must be true all the same, and come in order.
func (c *soakCheck) checkWindow(r *Window, in []sim.Truth) {
	if r.Bridged {
		c.bridged += len(in)
		if _, ok := c.afterHiddenFault(r.Start, r.End); !ok && len(in) != 1 {
			c.t.Errorf("%d windows in a bridged one: %+v", len(in), r)
		}
		return
	}
	c.measured++
	if !(r.Length > 0) || !(r.Power > 0) {
		c.t.Errorf("a window of nothing: %+v", r)
	}
	var power, energy float64
	for _, w := range in {
		power += w.Power / float64(len(in))
		energy += w.Energy
	}
	young := r.Start.Before(c.resumed.Add(c.anchor))
	inPlace := len(in) == 1 && math.Abs(power-r.Power) < soakPower
	if at := (soakWindow{c.next.stream, c.next.index - 1}); inPlace && !young {
		if !c.found.before(at) {
			c.t.Errorf("window %v a second time, in %+v", at, r)
		}
		c.found = at
	} else if !c.elsewhere(r) {
		c.t.Errorf("no window was like %+v", r)
	}
	if inPlace {
		c.energy += r.Energy()
		c.ofWindows += energy
		c.byTimes += c.sim.Energy(r.Start, r.End)
		return
	}
	c.misplaced++
	if young {
		return
	}
	since, ok := c.afterHiddenFault(r.Start, r.End)
	if !ok {
		c.unexplained++ // a stall that was taken for windows left out, until its frames came
	}
	c.settled = max(c.settled, since)
}

// elsewhere looks for a window after the last one that was found. Taking the
// first that fits leaves most for those to come.
func (c *soakCheck) elsewhere(r *Window) bool {
	at := c.found
	if at.stream != c.next.stream {
		at = soakWindow{c.next.stream, -1}
	}
	for range int(soakSearch / c.window) {
		at.index++
		w, ok := c.sim.StreamTruth(at.stream, at.index)
		if !ok {
			break
		}
		if math.Abs(w.Power-r.Power) < soakPower {
			c.found = at
			return true
		}
	}
	return false
}

// hidden are the faults that leave frames out without a trace, when they are
// short enough to pass for a stall, and those that leave it open how many.
var hidden = []string{"silence", "hang", "skip", "noise", "late"}

// afterHiddenFault reports whether windows may be misplaced at a time, and how
// long after the end of the fault that is.
func (c *soakCheck) afterHiddenFault(begin, end time.Time) (since time.Duration, ok bool) {
	for _, i := range slices.Backward(c.sim.Incidents()) {
		if slices.Contains(hidden, i.Fault) && end.After(i.From.Add(-soakEarly)) && begin.Before(i.To.Add(soakSettle)) {
			return max(0, begin.Sub(i.To)), true
		}
	}
	return 0, false
}

// checkGap looks for the fault that explains a gap, and for how long after it
// nothing was measured.
func (c *soakCheck) checkGap(g Gap, windows int) {
	c.gaps++
	c.missed += windows
	c.lost += g.To.Sub(g.From)
	c.countFaults(g.From)
	if g.Reason == "" {
		c.t.Errorf("a gap for no reason: %+v", g)
	}
	if g.Windows > 0 {
		if g.Windows != windows {
			c.t.Errorf("%d windows in gap %+v", windows, g)
		}
		if _, ok := c.afterHiddenFault(g.From, g.To); !ok {
			c.t.Errorf("no fault explains gap %+v", g)
		}
		return
	}
	c.recoveries++
	c.resumed = g.To
	c.outages = append(c.outages, g)
	if len(c.outages) > 8 {
		c.outages = append(c.outages[:0], c.outages[1:]...)
	}
	end, explained := g.From, false
	for _, i := range c.sim.Incidents() {
		if i.From.Before(g.To) && !i.To.Before(g.From.Add(-soakEarly)) {
			explained = true
			if i.To.After(end) {
				end = i.To
			}
		}
	}
	took := g.To.Sub(end)
	c.slowest = max(c.slowest, took)
	if !explained || took > soakRecovery {
		c.t.Errorf("gap %+v lasts for %v after the end of the fault; explained: %v", g, took, explained)
	}
}

// fatal reports whether a stream cannot outlive a fault.
func fatal(i sim.Incident) bool {
	switch i.Fault {
	case "drop", "dead", "away":
		return true
	case "hang", "silence":
		return i.To.Sub(i.From) > soakPatience
	}
	return false
}

// countFaults counts the faults before a time, and checks that those which must
// leave a gap did.
func (c *soakCheck) countFaults(until time.Time) {
	until = until.Add(-soakLag)
	if !until.After(c.counted) {
		return
	}
	for _, i := range c.sim.Incidents() {
		if !i.From.After(c.counted) || i.From.After(until) {
			continue
		}
		c.faults[i.Fault]++
		gap := func(g Gap) bool { return !g.From.After(i.From.Add(soakEarly)) && g.To.After(i.From) }
		if fatal(i) && i.From.After(c.start) && !slices.ContainsFunc(c.outages, gap) {
			c.t.Errorf("no gap at %+v; the last were %+v", i, c.outages)
		}
	}
	c.counted = until
}
