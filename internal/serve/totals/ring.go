package totals

import (
	"math"
	"time"

	"powerspy2/meter"
)

// most is how many windows a second has at most: those of one period at 70 Hz, and
// some whose times were corrected.
const most = 80

// A ring keeps the windows that ended within a second before the last one did.
type ring struct {
	windows  [most]meter.Window
	first, n int
}

func (r *ring) add(w *meter.Window) {
	if r.n == most {
		r.drop()
	}
	r.windows[(r.first+r.n)%most] = *w
	r.n++
	for old := w.End.Add(-time.Second); r.n > 1 && !r.windows[r.first].End.After(old); {
		r.drop()
	}
}

func (r *ring) drop() {
	r.first = (r.first + 1) % most
	r.n--
}

// last returns the end of the last window, zero when there is none.
func (r *ring) last() time.Time {
	if r.n == 0 {
		return time.Time{}
	}
	return r.windows[(r.first+r.n-1)%most].End
}

// A Mean is what a meter measured during the last second: means of power and
// frequency, root mean squares of voltage and current, and their peaks. Power
// flows backwards where it is negative.
type Mean struct {
	Power       float64 // W
	Voltage     float64 // V
	Current     float64 // A
	VoltagePeak float64 // V
	CurrentPeak float64 // A
	Frequency   float64 // Hz
}

// ApparentPower returns the product of rms voltage and rms current in VA.
func (m *Mean) ApparentPower() float64 { return m.Voltage * m.Current }

// PowerFactor returns power over apparent power, -1 to 1; NaN when there is no
// apparent power.
func (m *Mean) PowerFactor() float64 {
	if s := m.ApparentPower(); s > 0 {
		return m.Power / s
	}
	return math.NaN()
}

// mean returns the means of the windows, each by its length.
func (r *ring) mean() Mean {
	var m Mean
	var length, cycles float64
	for i := range r.n {
		w := &r.windows[(r.first+i)%most]
		l := w.Length.Seconds()
		length += l
		cycles += w.Frequency * l
		m.Power += w.Power * l
		m.Voltage += w.Voltage * w.Voltage * l
		m.Current += w.Current * w.Current * l
		m.VoltagePeak = max(m.VoltagePeak, w.VoltagePeak)
		m.CurrentPeak = max(m.CurrentPeak, w.CurrentPeak)
	}
	m.Power /= length
	m.Frequency = cycles / length
	m.Voltage = math.Sqrt(m.Voltage / length)
	m.Current = math.Sqrt(m.Current / length)
	return m
}
