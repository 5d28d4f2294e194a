package meter

import (
	"fmt"
	"time"
)

// A quality tells how much a meter leaves out.
type quality struct {
	limit    float64 // share of windows
	switches bool    // there are longer windows to be tried
	exceeded bool    // and should be
	left     float64 // share that was left out over the last trial

	minute, trial counts
}

// counts are over some time.
type counts struct {
	since        time.Time
	all, leftOut int           // windows
	lengths      time.Duration // of all
}

const (
	// trialTime is over how long a meter has to leave out too much for longer
	// windows to be tried.
	trialTime = 20 * time.Second

	// disagreement is by how much the lengths of windows and the time that they
	// span may part.
	disagreement = 0.01
)

// add takes in a window and how many were left out before it. What a person
// should know of it is returned with ok.
func (q *quality) add(w *Window, leftOut int) (st Status, ok bool) {
	for _, c := range [...]*counts{&q.minute, &q.trial} {
		if c.since.IsZero() {
			c.since = w.Start
		}
		c.all += 1 + leftOut
		c.leftOut += leftOut
		c.lengths += time.Duration(1+leftOut) * w.Length
	}
	if w.End.Sub(q.trial.since) >= trialTime {
		q.left = q.trial.share()
		q.exceeded = q.exceeded || q.switches && q.left > q.limit
		q.trial = counts{since: w.End}
	}
	span := w.End.Sub(q.minute.since)
	if span < time.Minute {
		return Status{}, false
	}
	c := q.minute
	q.minute = counts{since: w.End}
	st = Status{Time: w.End, Phase: Streaming}
	switch parted := float64(c.lengths)/float64(span) - 1; {
	case c.share() > q.limit:
		st.Kind = ManyLeftOut
		st.Text = fmt.Sprintf("the meter left out %.1f %% of the windows in the last minute", 100*c.share())
		return st, true
	case parted > disagreement || parted < -disagreement:
		st.Kind = TimesDisagree
		st.Text = fmt.Sprintf("the windows of the last minute are %.1f %% longer than the time that they span", 100*parted)
		return st, true
	}
	return Status{}, false
}

// share returns the share of windows that were left out.
func (c *counts) share() float64 { return float64(c.leftOut) / float64(max(c.all, 1)) }
