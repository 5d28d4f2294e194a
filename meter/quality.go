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

	told StatusKind // of the minute before; Ordinary: there was nothing to tell

	minute, trial counts
	end           time.Time // of the last window
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

	// comparable is over how long these can be compared: times are off by some
	// tens of milliseconds at first.
	comparable = 10 * time.Second
)

// surplus takes in a window that has no place: it counts as longer than the time
// that there is for it.
func (q *quality) surplus(length time.Duration) {
	q.minute.lengths += length
	q.trial.lengths += length
}

// add takes in a window and how many were left out before it. What a person
// should know of it is returned with ok.
func (q *quality) add(w *Window, leftOut int) (st Status, ok bool) {
	q.end = w.End
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
	if w.End.Sub(q.minute.since) < time.Minute {
		return Status{}, false
	}
	return q.judge(time.Minute)
}

// finish is add at the end of a stream, for what is there of a minute.
func (q *quality) finish() (st Status, ok bool) {
	if q.minute.since.IsZero() {
		return Status{}, false
	}
	return q.judge(comparable)
}

// judge tells what a person should know of the windows since the last time, if
// they span that much: once, until a minute is as it should be.
func (q *quality) judge(least time.Duration) (st Status, ok bool) {
	c, span := q.minute, q.end.Sub(q.minute.since)
	if span < least {
		return Status{}, false
	}
	q.minute = counts{since: q.end}
	st = Status{Time: q.end, Phase: Streaming}
	switch parted := float64(c.lengths)/float64(span) - 1; {
	case parted > disagreement || parted < -disagreement:
		st.Kind = TimesDisagree
		st.Text = fmt.Sprintf("the windows of the last %.0f s are %s than the time that they span; their energy may be wrong by as much",
			span.Seconds(), percentLonger(parted))
	case c.share() > q.limit && span >= time.Minute:
		st.Kind = ManyLeftOut
		st.Text = fmt.Sprintf("the meter left out %.1f %% of the windows in the last minute", 100*c.share())
	}
	again := st.Kind == q.told
	q.told = st.Kind
	return st, st.Kind != Ordinary && !again
}

// percentLonger writes by how much something is longer or shorter.
func percentLonger(share float64) string {
	if share < 0 {
		return fmt.Sprintf("%.1f %% shorter", -100*share)
	}
	return fmt.Sprintf("%.1f %% longer", 100*share)
}

// share returns the share of windows that were left out.
func (c *counts) share() float64 { return float64(c.leftOut) / float64(max(c.all, 1)) }
