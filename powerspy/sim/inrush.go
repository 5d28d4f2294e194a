package sim

import "math"

// inrush is a load that is switched on and off. It is switched on at a crest
// of the voltage, which is the worst moment; each half wave of its current is
// smaller than the one before until the power is high. Half waves end at the
// mains zero crossings, so that the half one at the beginning has half the
// power of a whole one, as its samples have.
type inrush struct {
	mains            *mains
	low, first, high float64 // W: off, in the first half wave, and in the end
	period           float64 // s; it is off in the first half.
}

const (
	inrushDecay = 0.5 // Of a half wave to the next, of what is above high.
	inrushEnd   = 15  // Half waves; then less than a ten-thousandth is left.
)

func newInrush(cfg *Config, rnd random) inrush {
	first := cfg.Inrush / newShape(cfg.PF).crest * cfg.Voltage * cfg.PF
	return inrush{
		mains: newMains(cfg.Frequency, cfg.Drift, rnd),
		low:   cfg.LowPower, first: max(first, cfg.Power), high: cfg.Power,
		period: cfg.LoadPeriod.Seconds(),
	}
}

// off returns the mains periods until it is switched off, at a zero crossing,
// for the n-th time.
func (l inrush) off(n float64) float64 { return math.Ceil(l.mains.periods(n * l.period)) }

// on returns the mains periods until it is switched on after that, at the
// crest of a positive half wave.
func (l inrush) on(n float64) float64 {
	return math.Ceil(l.mains.periods((n+0.5)*l.period)-0.25) + 0.25
}

func (l inrush) over(from, to float64) drawn {
	first, last := l.mains.periods(from), l.mains.periods(to)
	// at returns the time of a number of mains periods, within from and to.
	at := func(periods float64) float64 {
		switch {
		case periods <= first:
			return from
		case periods >= last:
			return to
		}
		return l.mains.seconds(periods)
	}
	// What was switched on in the cycle before may still be on.
	n := math.Floor(from/l.period) - 1
	begin := at(l.off(n))
	var sum drawn
	// until adds the power from begin to a number of mains periods.
	until := func(periods, power float64) {
		if end := at(periods); begin < end {
			sum.mean += power * (end - begin)
			sum.square += power * power * (end - begin)
			sum.peak = max(sum.peak, math.Abs(power))
			begin = end
		}
	}
	for ; begin < to; n++ {
		on, off := l.on(n), l.off(n+1)
		until(on, l.low)
		above := l.first - l.high
		for k := range inrushEnd {
			until(min(on+0.25+float64(k)/2, off), l.high+above)
			above *= inrushDecay
		}
		until(off, l.high)
	}
	sum.mean /= to - from
	sum.square /= to - from
	return sum
}
