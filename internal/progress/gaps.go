package progress

import (
	"time"

	"powerspy2/meter"
)

// gapsApart is the time between two lines about gaps: a bad link may make many
// short ones, which would hide everything else.
const gapsApart = time.Second

// TimeOfDay is the layout of a moment that a person is told, in local time.
const TimeOfDay = "15:04:05.000"

// Gaps tells a person of gaps: one at once, and those that follow within a
// second in one line with their number. Its methods must not be called
// concurrently.
type Gaps struct {
	Line  func(format string, args ...any)
	after time.Time // when the next line may come

	// Gaps that are still to be told.
	count    int
	from, to time.Time
	lost     time.Duration
	reason   string
	various  bool // there are other reasons, too
}

// Add tells a gap, or keeps it for the next line.
func (g *Gaps) Add(gap *meter.Gap) {
	if g.count == 0 {
		g.from, g.lost, g.reason, g.various = gap.From, 0, gap.Reason, false
	}
	g.count++
	g.to = gap.To
	g.lost += gap.To.Sub(gap.From)
	g.various = g.various || gap.Reason != g.reason
	g.Flush(false)
}

// Flush says what is left to tell, if it is time or the end.
func (g *Gaps) Flush(end bool) {
	now := time.Now()
	if g.count == 0 || !end && now.Before(g.after) {
		return
	}
	reason := g.reason
	if g.various {
		reason += ", and other reasons"
	}
	layout := TimeOfDay
	if g.from.Format(time.DateOnly) != g.to.Format(time.DateOnly) {
		layout = time.DateOnly + " " + TimeOfDay
	}
	from, to := g.from.Format(layout), g.to.Format(layout)
	if g.count == 1 {
		g.Line("nothing was measured from %s to %s: %s", from, to, reason)
	} else {
		g.Line("%d gaps from %s to %s, %v in all: %s", g.count, from, to, g.lost.Round(time.Millisecond), reason)
	}
	g.count, g.after = 0, now.Add(gapsApart)
}
