package meter

import (
	"math/rand/v2"
	"time"
)

const (
	// stable is how long a meter has to measure for a recovery to count as one:
	// if it fails sooner, the steps go on above the one that seemed to help.
	stable = 10 * time.Second

	// The pause after a round of steps grows with the outage, so that it never
	// costs more than this share of it in addition, within bounds.
	pauseShare = 20
	minPause   = time.Second
	maxPause   = time.Minute

	// pauseJitter keeps the clients of several meters apart: the pause is
	// longer or shorter by up to this share.
	pauseJitter = 0.2
)

// A ladder says which step comes next. It climbs from the bottom to the top,
// pauses, and starts at the bottom again, until a step helps.
type ladder struct {
	from, to Step
	step     Step      // the next one to consider; above to: a pause is due
	began    time.Time // of the outage
	helped   time.Time // when a step helped last
	random   func() float64
}

func newLadder(from, to Step) *ladder {
	return &ladder{from: from, to: to, step: from, random: rand.Float64}
}

// fail begins an outage, or carries on with one that seemed to be over.
func (l *ladder) fail(now time.Time) {
	if !l.helped.IsZero() && now.Sub(l.helped) < stable {
		return
	}
	l.began = now
	l.step = l.from
}

// next returns the step to consider now; ok is false when a pause is due.
func (l *ladder) next() (s Step, ok bool) {
	if l.step > l.to {
		return 0, false
	}
	s = l.step
	l.step++
	return s, true
}

// help says that the last step helped.
func (l *ladder) help(now time.Time) { l.helped = now }

// pause returns how long to wait before the next round, which begins at the
// bottom.
func (l *ladder) pause(now time.Time) time.Duration {
	l.step = l.from
	d := min(max(now.Sub(l.began)/pauseShare, minPause), maxPause)
	return d + time.Duration(pauseJitter*(2*l.random()-1)*float64(d))
}
