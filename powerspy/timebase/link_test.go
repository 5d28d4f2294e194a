package timebase

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// epoch is when the streams of the tests begin. Like arrivals elsewhere, it
// has a monotonic reading.
var epoch = time.Now()

// at returns the time t seconds into a stream.
func at(t float64) time.Time { return epoch.Add(time.Duration(math.Round(t * 1e9))) }

// since is the inverse of at.
func since(t time.Time) float64 { return t.Sub(epoch).Seconds() }

// A mains says when mains periods end.
type mains struct {
	hertz float64 // mean

	// drift is the largest relative deviation of a frequency that is the sum
	// of three slow sinusoids, as in the simulated meter.
	drift float64

	// walk is the random walk of the frequency, relative and per root of a
	// second, that grids do; it returns to the mean within some 300 s.
	walk float64
}

// ends returns the ends in seconds of the first n windows of so many periods.
func (m mains) ends(rnd *rand.Rand, n, periods int) []float64 {
	const home = 300
	waves := []struct{ weight, period, phase float64 }{{0.5, 613, 0}, {0.3, 173, 0}, {0.2, 47, 0}}
	for i := range waves {
		waves[i].phase = 2 * math.Pi * rnd.Float64()
	}
	ends := make([]float64, n)
	dt := float64(periods) / m.hertz
	deviation := m.walk * math.Sqrt(home/2.) * rnd.NormFloat64()
	walked := 0.
	for i := range ends {
		walked += deviation * dt
		deviation += m.walk*math.Sqrt(dt)*rnd.NormFloat64() - deviation*dt/home
		// The integral of the sinusoids at a time that is near enough: they
		// change the time by milliseconds, and themselves over seconds.
		t := float64(i+1) * dt
		for _, w := range waves {
			k := 2 * math.Pi / w.period
			ends[i] += m.drift * w.weight / k * (math.Cos(k*t+w.phase) - math.Cos(w.phase))
		}
		ends[i] += t - walked
	}
	return ends
}

// A link delivers frames in order, and late.
type link struct {
	constant float64                        // seconds
	step     func(t float64) float64        // added to constant; nil: nothing
	jitter   func(rnd *rand.Rand) float64   // seconds; nil: exponential, 12 ms
	stall    float64                        // share of frames that take 0.2 to 0.6 s longer
	hold     func(t float64) (till float64) // nothing arrives before till; nil: no such thing
}

// usual is the link of the accuracy figures.
var usual = link{constant: 0.008, stall: 0.02}

// arrivals returns when the frames arrive of windows that end then.
func (l link) arrivals(rnd *rand.Rand, ends []float64) []float64 {
	arrivals := make([]float64, len(ends))
	last := math.Inf(-1)
	for i, end := range ends {
		y := end + l.constant
		if l.step != nil {
			y += l.step(end)
		}
		if l.jitter != nil {
			y += l.jitter(rnd)
		} else {
			y += 0.012 * rnd.ExpFloat64()
		}
		if rnd.Float64() < l.stall {
			y += 0.2 + 0.4*rnd.Float64()
		}
		if l.hold != nil {
			y = max(y, l.hold(end))
		}
		last = max(last, y)
		arrivals[i] = last
	}
	return arrivals
}

// random returns the random numbers of a seed.
func random(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 2007)) }

// A deviation is a distribution of time errors around their median: seconds.
type deviation struct{ p50, p95, worst, median float64 }

// deviate returns the distribution of errors, which it spoils.
func deviate(errs []float64) deviation {
	slices.Sort(errs)
	median := errs[len(errs)/2]
	for i := range errs {
		errs[i] = math.Abs(errs[i] - median)
	}
	slices.Sort(errs)
	return deviation{errs[len(errs)/2], errs[len(errs)*95/100], errs[len(errs)-1], median}
}

// timeErrors returns what b makes of arrivals compared to the true ends, from
// the time from on.
func timeErrors(b Base, ends, arrivals []float64, from float64) []float64 {
	var errs []float64
	for i, y := range arrivals {
		_, end := b.Window(at(y))
		if ends[i] >= from {
			errs = append(errs, since(end)-ends[i])
		}
	}
	return errs
}
