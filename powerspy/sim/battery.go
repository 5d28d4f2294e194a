package sim

import "time"

// The battery is every fault in turn: the time since the meter was made is cut
// into stretches of Faults.Battery, and each but the first has one fault,
// somewhere in it. Each round of faults has every one of them once, in an
// order of its own. All of it follows from the seed.
var battery = [...]string{
	silenceFault, dropFault, hangFault, deadFault, awayFault, slowFault, lateFault,
	noiseFault, skipFault, chopFault, muteFault, garbageFault, refuseFault,
}

// What the battery's faults are like.
const (
	minBattery   = 4 * time.Second
	batteryShare = 0.5             // Of frames that noise spoils and skip leaves out.
	batterySlow  = 3 * time.Second // What connecting takes while it is slow.
	shortest     = time.Second
	longest      = 10 * time.Second // Or half a stretch.
	longestLate  = 3 * time.Second  // What the meter keeps for later is bounded.
)

// draw returns the battery's fault in stretch n, from 1.
func (m *Meter) draw(n int64) spell {
	mean := m.faults.Battery
	number := func(what uint64) float64 { return m.rnd.unit(forBattery, uint64(n), what) }
	s := spell{fault: m.dealt(n - 1)}
	limit := min(longest, mean/2)
	switch s.fault {
	case lateFault:
		limit = min(limit, longestLate)
	case hangFault:
		s.mortal = true
	case dropFault, awayFault, slowFault, muteFault, garbageFault, refuseFault:
		// A client that is streaming would not notice without.
		s.drops = true
	}
	length := shortest + time.Duration(number(0)*float64(limit-shortest))
	if s.fault == dropFault {
		length = 0
	}
	s.from = time.Duration(n)*mean + time.Duration(number(1)*float64(mean-length))
	s.to = s.from + length
	return s
}

// dealt returns the n-th fault, from 0.
func (m *Meter) dealt(n int64) string {
	deck := battery
	round, card := uint64(n)/uint64(len(deck)), int(uint64(n)%uint64(len(deck)))
	for i := range card + 1 {
		j := i + int(m.rnd.bits(forDeck, round, uint64(i))%uint64(len(deck)-i))
		deck[i], deck[j] = deck[j], deck[i]
	}
	return deck[card]
}
