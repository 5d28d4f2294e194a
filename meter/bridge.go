package meter

import (
	"fmt"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// bridgeable is for how long windows that were left out in a row are bridged. A
// single one always is.
const bridgeable = 200 * time.Millisecond

// yield queues a window in its place, after what stands for those that were
// left out before it: real meters leave out 0.7 to 4.4 % of windows of one mains
// period, nearly always a single one. What was left out is gone, and the next
// frame is not longer for it. So it is filled with the mean of its measured
// neighbours, once and here, for all readings to agree.
func (s *Stream) yield(w *timebase.Window, f *frame) {
	if f.first {
		// Its end is known, and nothing else.
		return
	}
	now := Window{
		Start: w.Start, End: w.End, Length: w.Length, Error: w.Error, Delay: w.Delay,
		Frequency: w.Frequency, Measurement: f.Measurement,
	}
	leftOut := w.LeftOut
	if s.begun.IsZero() {
		s.begun, leftOut = now.Start, 0
	}
	switch {
	case leftOut == 0:
	case leftOut == 1 || time.Duration(leftOut)*w.Length <= bridgeable:
		s.bridge(&now, leftOut)
	case s.lastEnd.Before(now.Start):
		reason := "the meter left data out"
		if f.damaged {
			reason = "damaged data from the meter"
		}
		s.events.push(Event{Kind: GapEvent, Gap: Gap{From: s.lastEnd, To: now.Start, Windows: leftOut, Reason: reason}})
	}
	s.events.push(Event{Kind: WindowEvent, Window: now})
	s.last, s.lastEnd = now, now.End
	if st, ok := s.quality.add(&now, leftOut); ok && !s.timeline.toldLeftOut {
		s.timeline.toldLeftOut = true
		s.say(st)
	}
	if s.failed == nil && s.quality.exceeded {
		s.failed = errLeftOut
	}
}

// bridge fills n windows between the last one and the next, which divide the
// time between their ends with it evenly.
func (s *Stream) bridge(next *Window, n int) {
	mean := powerspy.Measurement{
		Voltage:     (s.last.Voltage + next.Voltage) / 2,
		Current:     (s.last.Current + next.Current) / 2,
		Power:       (s.last.Power + next.Power) / 2,
		VoltagePeak: (s.last.VoltagePeak + next.VoltagePeak) / 2,
		CurrentPeak: (s.last.CurrentPeak + next.CurrentPeak) / 2,
	}
	span := next.End.Sub(s.lastEnd)
	start := s.lastEnd
	for i := 1; i <= n; i++ {
		end := s.lastEnd.Add(span * time.Duration(i) / time.Duration(n+1))
		s.events.push(Event{Kind: WindowEvent, Window: Window{
			Start: start, End: end, Length: next.Length, Error: max(s.last.Error, next.Error),
			Frequency: next.Frequency, Measurement: mean, Bridged: true,
		}})
		start = end
	}
	next.Start = start
}

// A quality tells how much a meter leaves out.
type quality struct {
	limit    float64 // share of windows
	switches bool    // longer windows may be tried
	exceeded bool    // and should be

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
		q.exceeded = q.exceeded || q.switches && q.trial.share() > q.limit
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
