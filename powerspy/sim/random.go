package sim

import (
	"math"
	"time"
)

// random gives the random numbers of one seed. Each number is a function of
// what it is for, so that the past can be asked for again.
type random uint64

// A purpose keeps the numbers of different uses apart.
type purpose uint64

const (
	forMains purpose = iota + 1
	forBurst
	forFlicker
	forIdle
	forUplink
	forDelay
	forStall
	forStallLength
	forNoise
	forNonsense
	forChop
	forSkip
	forBattery
	forDeck
	forLoss
	forContent
	forFirst
	forRadio
	forAnswer
	forRequest
	forField
)

// bits returns 64 random bits for the n-th use of p (splitmix64).
func (r random) bits(p purpose, n, m uint64) uint64 {
	x := mix(uint64(r) + uint64(p)*0x9e3779b97f4a7c15)
	x = mix(x + n)
	return mix(x + m)
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit returns a number in [0, 1).
func (r random) unit(p purpose, n, m uint64) float64 {
	return float64(r.bits(p, n, m)>>11) / (1 << 53)
}

// exponential returns an exponentially distributed duration.
func (r random) exponential(mean time.Duration, p purpose, n, m uint64) time.Duration {
	if mean == 0 {
		return 0
	}
	return time.Duration(-math.Log(1-r.unit(p, n, m)) * float64(mean))
}
