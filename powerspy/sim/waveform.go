package sim

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
)

// samplesPerPeriod makes the 1024 bytes a mains period that the meter is known
// to send in binary (AL/LG/0838/003 §3.4.5), with 16 bits of voltage and 16 of
// current.
const samplesPerPeriod = 256

// A shape is the waveform of the current of a load with a power factor and no
// phase shift: a power of the sine, which is the narrower a pulse the larger
// the exponent is, as rectifiers draw it.
type shape struct {
	exponent float64
	crest    float64 // Peak over rms.
}

// newShape solves for the exponent.
func newShape(pf float64) shape {
	low, high := 0.0, math.Log(1e9)
	for range 60 {
		if mid := (low + high) / 2; shapePF(math.Exp(mid)) > pf {
			low = mid
		} else {
			high = mid
		}
	}
	q := math.Exp(low)
	return shape{exponent: q, crest: 1 / math.Sqrt(meanSine(2*q))}
}

// shapePF returns the power factor: mean of the product over the product of rms.
func shapePF(q float64) float64 {
	return math.Sqrt2 * meanSine(q+1) / math.Sqrt(meanSine(2*q))
}

// meanSine returns the mean of |sin|ⁿ over a period.
func meanSine(n float64) float64 {
	a, _ := math.Lgamma((n + 1) / 2)
	b, _ := math.Lgamma(n/2 + 1)
	return math.Exp(a-b) / math.Sqrt(math.Pi)
}

// at returns the current, in units of its rms, where the sine of the phase is
// sin.
func (s shape) at(sin float64) float64 {
	return s.crest * math.Copysign(math.Pow(math.Abs(sin), s.exponent), sin)
}

// A sample is one of the capture buffer, in counts.
type sample struct{ u, i int16 }

// waveform returns what the meter samples during mains periods.
func (m *Meter) waveform(begin float64, periods int) []sample {
	count := func(v float64) int16 {
		return int16(math.RoundToEven(min(max(v, math.MinInt16), math.MaxInt16)))
	}
	us, is := float64(m.scale.Voltage), float64(m.scale.Current)
	all := make([]sample, 0, periods*samplesPerPeriod)
	for p := range periods {
		from, to := m.mains.seconds(begin+float64(p)), m.mains.seconds(begin+float64(p+1))
		whole := m.electric(from, to)
		step := (to - from) / samplesPerPeriod
		for k := range samplesPerPeriod {
			sin, cos := math.Sincos(2 * math.Pi * float64(k) / samplesPerPeriod)
			var i float64
			if m.cfg.Load == LoadZero {
				// Mostly reactive.
				pf := whole.Power / (whole.Voltage * whole.Current)
				i = whole.Current * math.Sqrt2 * (pf*sin + math.Sqrt(1-pf*pf)*cos)
			} else {
				t := from + float64(k)*step
				i = m.load.over(t, t+step).mean / (whole.Voltage * m.cfg.PF) * m.shape.at(sin)
			}
			all = append(all, sample{count(whole.Voltage * math.Sqrt2 * sin / us), count(i / is)})
		}
	}
	return all
}

// buffer returns the capture buffer, unless there is no complete capture.
func (m *Meter) buffer(now time.Time) ([]sample, bool) {
	if m.status(now) != 'C' {
		return nil, false
	}
	return m.waveform(m.capture.begin, m.capture.length), true
}

// readASCII answers A (§3.4.4): result, number of samples, and for each four
// digits of voltage and four of current. The result is that of the one answer
// known of a meter.
func (m *Meter) readASCII(now time.Time, _ hex) string {
	samples, ok := m.buffer(now)
	if !ok {
		return refused
	}
	if m.cfg.Field != nil {
		if answer, ok := m.cfg.Field.captured('A', m.capture.length); ok {
			return answer
		}
	}
	const result = 0x20
	var b strings.Builder
	fmt.Fprintf(&b, "A%02X%04X", result, len(samples))
	for _, s := range samples {
		fmt.Fprintf(&b, "%04X%04X", uint16(s.u), uint16(s.i))
	}
	return b.String()
}

// readBinary answers B (§3.4.5).
func (m *Meter) readBinary(now time.Time, _ hex) string {
	samples, ok := m.buffer(now)
	if !ok {
		return refused
	}
	if m.cfg.Field != nil {
		if answer, ok := m.cfg.Field.captured('B', m.capture.length); ok {
			return answer
		}
	}
	b := []byte("B")
	for _, s := range samples {
		b = binary.BigEndian.AppendUint16(b, uint16(s.u))
		b = binary.BigEndian.AppendUint16(b, uint16(s.i))
	}
	return string(b)
}
