package bench

import "time"

// A Settler waits for power to be back at what it was. Times are the meter's.
type Settler struct {
	Within float64 // relative
	power  float64
}

// NewSettler returns one for power within a share of what it was, W.
func NewSettler(power, within float64) *Settler { return &Settler{Within: within, power: power} }

// Add takes the mean power of a window and its length, and says whether power is back: a
// second's mean is.
func (s *Settler) Add(power float64, length time.Duration) bool { return false }
