package main

import (
	"time"

	"powerspy2/meter"
)

// gapsApart is the time between two lines about gaps: a bad link may make many
// short ones, which would hide everything else.
const gapsApart = time.Second

const gapTime = "15:04:05.000"

// A gapTeller tells a person of gaps: one at once, and those that follow within a
// second in one line with their number. Its methods must not be called
// concurrently.
type gapTeller struct {
	line  func(format string, args ...any)
	after time.Time // when the next line may come

	// Gaps that are still to be told.
	count    int
	from, to time.Time
	lost     time.Duration
	reason   string
	various  bool // there are other reasons, too
}

func (g *gapTeller) add(gap *meter.Gap) {
	if g.count == 0 {
		g.from, g.lost, g.reason, g.various = gap.From, 0, gap.Reason, false
	}
	g.count++
	g.to = gap.To
	g.lost += gap.To.Sub(gap.From)
	g.various = g.various || gap.Reason != g.reason
	g.flush(false)
}

// flush says what is left to tell, if it is time or the end.
func (g *gapTeller) flush(end bool) {
	now := time.Now()
	if g.count == 0 || !end && now.Before(g.after) {
		return
	}
	reason := g.reason
	if g.various {
		reason += ", and other reasons"
	}
	layout := gapTime
	if g.from.Format(time.DateOnly) != g.to.Format(time.DateOnly) {
		layout = time.DateOnly + " " + gapTime
	}
	from, to := g.from.Format(layout), g.to.Format(layout)
	if g.count == 1 {
		g.line("nothing was measured from %s to %s: %s", from, to, reason)
	} else {
		g.line("%d gaps from %s to %s, %v in all: %s", g.count, from, to, g.lost.Round(time.Millisecond), reason)
	}
	g.count, g.after = 0, now.Add(gapsApart)
}
