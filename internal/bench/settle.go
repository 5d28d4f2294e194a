package bench

import (
	"math"
	"time"
)

// A Settler watches power go back to what it was. It goes by the mean of a second,
// or of a window that is longer.
type Settler struct {
	power, within float64 // W
	windows       []settling
	energy        float64 // of windows, J
	length        time.Duration
}

type settling struct {
	power  float64
	length time.Duration
}

// settleFloor is how close in W counts as back in any case: a share of next to
// nothing is less than a meter's noise.
const settleFloor = 0.1

// NewSettler returns a settler for power in W to be back within a share.
func NewSettler(power, within float64) *Settler {
	return &Settler{power: power, within: max(within*math.Abs(power), settleFloor)}
}

// Add takes the mean power of a window in W and its length, and says whether power
// is back.
func (s *Settler) Add(power float64, length time.Duration) bool {
	s.windows = append(s.windows, settling{power, length})
	s.energy += power * length.Seconds()
	s.length += length
	for len(s.windows) > 1 && s.length-s.windows[0].length >= time.Second {
		first := s.windows[0]
		s.windows = s.windows[1:]
		s.energy -= first.power * first.length.Seconds()
		s.length -= first.length
	}
	return s.length >= time.Second && math.Abs(s.Power()-s.power) <= s.within
}

// Power returns the mean of the last second in W.
func (s *Settler) Power() float64 { return s.energy / s.length.Seconds() }

// Reset forgets what came, after a gap.
func (s *Settler) Reset() { s.windows, s.energy, s.length = nil, 0, 0 }
