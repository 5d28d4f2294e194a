package sim

import (
	"math"
	"time"
)

// A load is what is plugged into the meter: power as a function of time in
// seconds, in such a form that it can be integrated exactly.
type load interface {
	// over describes [from, to], from < to.
	over(from, to float64) drawn
}

// drawn is the power drawn during an interval.
type drawn struct {
	mean   float64 // W
	square float64 // W², the mean of the square: what the current's rms follows.
	peak   float64 // W, the largest magnitude.
}

// newLoad returns the load that cfg describes; epoch is second 0.
func newLoad(cfg *Config, rnd random, epoch time.Time) load {
	low, high := cfg.LowPower, cfg.Power
	period := cfg.LoadPeriod.Seconds()
	switch cfg.Load {
	case LoadStep:
		return steps{width: period / 2, level: func(i int64) drawn {
			if i&1 == 0 {
				return level(low)
			}
			return level(high)
		}}
	case LoadWave:
		return wave{middle: (low + high) / 2, swing: (high - low) / 2, period: period}
	case LoadServer:
		// Work comes in bursts that last one second, more often small than
		// large, and flickers every 50 ms.
		const perBurst = 20
		return steps{width: 0.05, level: func(i int64) drawn {
			burst := rnd.unit(forBurst, uint64(i/perBurst), 0)
			flicker := rnd.unit(forFlicker, uint64(i), 0) - 0.5
			p := low + (high-low)*burst*burst*burst
			return level(p + 0.06*p*flicker)
		}}
	case LoadField:
		return cfg.Field.load
	case LoadInrush:
		return newInrush(cfg, rnd)
	case LoadZero:
		// With nothing plugged in the meter sees its own noise: some
		// milliamperes, and a power slightly on either side of zero,
		// mostly below.
		return steps{width: 0.1, level: func(i int64) drawn {
			p := -0.05 - 0.1*(rnd.unit(forIdle, uint64(i), 0)-0.3)
			return drawn{mean: p, square: 0.4 * 0.4, peak: 0.6}
		}}
	case LoadCPU:
		return newProcessorLoad(epoch, low, high)
	case LoadFile:
		return newFileLoad(epoch, cfg.LoadPath)
	default:
		return constant(high)
	}
}

func level(p float64) drawn { return drawn{mean: p, square: p * p, peak: math.Abs(p)} }

// constant is a load that never changes.
type constant float64

func (c constant) over(_, _ float64) drawn { return level(float64(c)) }

// steps is constant within each cell of a regular grid.
type steps struct {
	width float64 // s
	level func(i int64) drawn
}

func (s steps) over(from, to float64) drawn {
	first := int64(math.Floor(from / s.width))
	last := int64(math.Ceil(to/s.width)) - 1
	if last <= first {
		return s.level(first)
	}
	var sum drawn
	for i := first; i <= last; i++ {
		begin := max(from, float64(i)*s.width)
		end := min(to, float64(i+1)*s.width)
		l := s.level(i)
		sum.mean += l.mean * (end - begin)
		sum.square += l.square * (end - begin)
		sum.peak = max(sum.peak, l.peak)
	}
	sum.mean /= to - from
	sum.square /= to - from
	return sum
}

// wave is a sinusoid around a middle: it starts at the middle and rises.
type wave struct {
	middle, swing float64 // W
	period        float64 // s
}

func (w wave) over(from, to float64) drawn {
	omega := 2 * math.Pi / w.period
	span := to - from
	// The means of sin and of sin² over the interval.
	sin := (math.Cos(omega*from) - math.Cos(omega*to)) / (omega * span)
	sin2 := 0.5 - (math.Sin(2*omega*to)-math.Sin(2*omega*from))/(4*omega*span)
	return drawn{
		mean:   w.middle + w.swing*sin,
		square: w.middle*w.middle + 2*w.middle*w.swing*sin + w.swing*w.swing*sin2,
		peak:   max(math.Abs(w.extreme(from, to, 0.25)), math.Abs(w.extreme(from, to, 0.75))),
	}
}

// extreme returns the value at the crest, which lies at the given fraction of
// each period, if the interval holds one, else the larger end.
func (w wave) extreme(from, to, crest float64) float64 {
	next := math.Ceil(from/w.period-crest) + crest
	if next*w.period <= to {
		return w.middle + w.swing*math.Sin(2*math.Pi*crest)
	}
	a := w.middle + w.swing*math.Sin(2*math.Pi*from/w.period)
	b := w.middle + w.swing*math.Sin(2*math.Pi*to/w.period)
	if math.Abs(a) > math.Abs(b) {
		return a
	}
	return b
}
