package sim

import (
	"cmp"
	"math"
	"time"
)

// silentAfter is the length of window, in seconds of nominal mains frequency,
// above which meters send no frames at all (users of real meters).
const silentAfter = 2

// live is the course of windows that follow the simulated mains and load.
type live struct {
	m       *Meter
	number  uint64 // Of the stream.
	periods int
	phase   float64 // Mains periods before the first window.
	pace    float64 // How many times as fast as the mains.
	manner  *manner // Of a field test, or nil.

	// The last blocks of windows whose passing of the radio was worked out: one
	// for the sender, one for whoever asks for the truth.
	blocks [2]passed
}

// passed says when the frames of a block of windows arrive.
type passed struct {
	number uint64
	arrive []float64
}

// newLive begins at the next mains zero crossing.
func (m *Meter) newLive(now time.Time, periods int) *live {
	after := m.cfg.First.After
	var seen *manner
	if m.cfg.Field != nil {
		seen = m.cfg.Field.manner(periods)
		after = seen.after
	}
	start := m.seconds(now.Add(after))
	return &live{
		manner:  seen,
		m:       m,
		number:  uint64(m.streams),
		periods: periods,
		phase:   math.Ceil(m.mains.periods(start)),
		pace:    cmp.Or(m.faults.Fast, 1),
	}
}

func (l *live) end(i int) float64 {
	return l.m.mains.seconds(l.phase + float64(i+1)*float64(l.periods)/l.pace)
}

func (l *live) ended(t float64) int {
	return int(math.Floor((l.m.mains.periods(t) - l.phase) * l.pace / float64(l.periods)))
}

func (l *live) measure(i int) Truth {
	t := l.m.electric(l.end(i-1), l.end(i))
	switch {
	case i > 0:
	case l.manner != nil:
		l.manner.spoil(&t, l.m.rnd, l.number)
	default:
		l.m.cfg.First.spoil(&t, l.m.rnd, l.number, l.periods)
	}
	return t
}

// arrive works out what the radio does block by block, so that the past can
// be asked for again.
func (l *live) arrive(i int) float64 {
	switch {
	case float64(l.periods) > silentAfter*math.Round(l.m.cfg.Frequency):
		return math.NaN()
	case l.manner != nil && l.manner.silent:
		return math.NaN()
	case l.manner != nil:
		return l.end(i) + l.manner.slot(l.m.rnd, l.number, i).delay
	case l.m.cfg.Radio == Radio{}:
		return l.end(i)
	}
	size := max(16, 1024/l.periods)
	number := uint64(i / size)
	for n := range l.blocks {
		if b := &l.blocks[n]; b.arrive != nil && b.number == number {
			return b.arrive[i%size]
		}
	}
	ends := make([]float64, size)
	for n := range ends {
		ends[n] = l.end(int(number)*size + n)
	}
	l.blocks[1] = l.blocks[0]
	l.blocks[0] = passed{number, l.m.cfg.Radio.carry(l.m.rnd, l.number, number, ends)}
	return l.blocks[0].arrive[i%size]
}

// damaged reports whether the frame of a window arrives damaged, as it did in a
// field test.
func (l *live) damaged(i int) bool {
	return l.manner != nil && l.manner.slot(l.m.rnd, l.number, i).damaged
}
