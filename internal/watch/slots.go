package watch

import "time"

const (
	// slotTime is the finest that a chart shows.
	slotTime = 20 * time.Millisecond

	// longest is how far back a chart goes.
	longest = time.Hour

	slotCount = int64(longest / slotTime)
)

// slots is the memory of a chart: the extremes of each fiftieth of a second.
type slots struct {
	ring []slot
	last int64 // number of the newest slot, since the epoch
}

type slot struct {
	low, high float32 // W
	seen      bool    // some of it was measured
	gap       bool    // some of it was not
}

// number returns which slot a moment lies in.
func number(at time.Time) int64 { return at.UnixMilli() / slotTime.Milliseconds() }

// at returns a slot, or nil for one that is forgotten or still to come.
func (s *slots) at(n int64) *slot {
	if n > s.last || n <= s.last-slotCount || n < 0 || s.ring == nil {
		return nil
	}
	return &s.ring[n%slotCount]
}

// reach makes room up to a slot.
func (s *slots) reach(n int64) {
	if s.ring == nil {
		s.ring = make([]slot, slotCount)
		s.last = n - 1
	}
	if n-s.last > slotCount {
		s.last = n - slotCount
	}
	for s.last < n {
		s.last++
		s.ring[s.last%slotCount] = slot{}
	}
}

// measured takes a window.
func (s *slots) measured(start, end time.Time, power float64) {
	p := float32(power)
	s.each(start, end, func(x *slot) {
		if !x.seen {
			x.low, x.high, x.seen = p, p, true
			return
		}
		x.low, x.high = min(x.low, p), max(x.high, p)
	})
}

// gap takes a time that was not measured.
func (s *slots) gap(from, to time.Time) { s.each(from, to, func(x *slot) { x.gap = true }) }

// each calls f with each slot that a time has a part in, as far as is remembered.
func (s *slots) each(start, end time.Time, f func(*slot)) {
	first, last := number(start), number(end.Add(-1))
	if last < 0 {
		return // a clock before 1970
	}
	s.reach(last)
	for n := max(first, last-slotCount+1); n <= last; n++ {
		if x := s.at(n); x != nil {
			f(x)
		}
	}
}

// A column is a place in a chart.
type column struct {
	low, high float64 // W
	seen      bool
	gap       bool
}

// columns returns the last n columns before now, each of a duration. They begin at
// multiples of it, so that they do not change as time goes on. What was not
// reached yet is a gap if the meter is away.
func (s *slots) columns(now, reached time.Time, away bool, n int, each time.Duration) ([]column, time.Time) {
	per := max(int64(each/slotTime), 1)
	first := (number(now)/per - int64(n) + 1) * per
	list := make([]column, n)
	after := number(reached)
	for i := range list {
		c := &list[i]
		for k := range per {
			at := first + int64(i)*per + k
			if away && !reached.IsZero() && at > after && at <= number(now) {
				c.gap = true
			}
			x := s.at(at)
			if x == nil {
				continue
			}
			c.gap = c.gap || x.gap
			if !x.seen {
				continue
			}
			low, high := float64(x.low), float64(x.high)
			if !c.seen {
				c.low, c.high, c.seen = low, high, true
				continue
			}
			c.low, c.high = min(c.low, low), max(c.high, high)
		}
	}
	return list, time.UnixMilli(first * slotTime.Milliseconds())
}
