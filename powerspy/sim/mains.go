package sim

import "math"

// mains is an alternating voltage whose frequency wanders around its mean:
// the sum of three slow sinusoids, so that the phase has a closed form.
type mains struct {
	frequency float64 // Mean, in hertz.
	drift     float64 // Largest relative deviation.
	phase0    [len(wander)]float64
}

// wander holds the sinusoids: weight (together 1) and period in seconds. The
// periods have no small common multiple.
var wander = [...]struct{ weight, period float64 }{
	{0.5, 613}, {0.3, 173}, {0.2, 47},
}

func newMains(frequency, drift float64, rnd random) *mains {
	m := &mains{frequency: frequency, drift: drift}
	for i := range m.phase0 {
		m.phase0[i] = 2 * math.Pi * rnd.unit(forMains, uint64(i), 0)
	}
	return m
}

// hertz returns the frequency at t seconds.
func (m *mains) hertz(t float64) float64 {
	var sum float64
	for i, w := range wander {
		sum += w.weight * math.Sin(2*math.Pi*t/w.period+m.phase0[i])
	}
	return m.frequency * (1 + m.drift*sum)
}

// periods returns the number of mains periods since time 0: the integral of
// hertz.
func (m *mains) periods(t float64) float64 {
	var sum float64
	for i, w := range wander {
		sum += w.weight * w.period / (2 * math.Pi) *
			(math.Cos(m.phase0[i]) - math.Cos(2*math.Pi*t/w.period+m.phase0[i]))
	}
	return m.frequency * (t + m.drift*sum)
}

// seconds returns when the given number of periods has passed: the inverse of
// periods, by Newton's method. The function is all but a straight line, so a
// few steps reach the precision of float64.
func (m *mains) seconds(periods float64) float64 {
	t := periods / m.frequency
	for range 8 {
		step := (m.periods(t) - periods) / m.hertz(t)
		t -= step
		if math.Abs(step) < 1e-11 {
			break
		}
	}
	return t
}
