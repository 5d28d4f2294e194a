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

// A grid says when mains periods end.
type grid struct {
	hertz float64 // mean

	// drift is the largest relative deviation of a frequency that is the sum
	// of three slow sinusoids, as in the simulated meter.
	drift float64

	// walk is the random walk of the frequency, relative and per root of a
	// second, that grids do; it returns to the mean within some 300 s.
	walk float64
}

// ends returns the ends in seconds of the first n windows of so many periods.
func (m grid) ends(rnd *rand.Rand, n, periods int) []float64 {
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

// A frame of a simulated stream, for it to be told what became of its window.
type frame struct {
	window       int     // from 0
	end, arrival float64 // seconds
}

// A carrier brings frames of windows that end at given times, in order; those
// that are left out are missing.
type carrier interface {
	carry(rnd *rand.Rand, ends []float64) []frame
}

// A link delivers frames in order, and late, with independent delays.
type link struct {
	constant float64                        // seconds
	step     func(t float64) float64        // added to constant; nil: nothing
	jitter   func(rnd *rand.Rand) float64   // seconds; nil: exponential, 12 ms
	stall    float64                        // share of frames that take 0.2 to 0.6 s longer
	hold     func(t float64) (till float64) // nothing arrives before till; nil: no such thing
}

// exponential is the link that once was made up for lack of recordings.
var exponential = link{constant: 0.008, stall: 0.02}

func (l link) carry(rnd *rand.Rand, ends []float64) []frame {
	frames := make([]frame, len(ends))
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
		frames[i] = frame{i, end, last}
	}
	return frames
}

// A radio sits behind a queue of two frames, and gives all of it when it is
// polled. What finds the queue full is left out.
type radio struct {
	constant float64 // seconds

	// wait returns the time from one poll to the next, after so many polls that
	// found nothing: seconds.
	wait func(rnd *rand.Rand, idle int) float64

	// gap is the time from frame to frame of one poll: seconds.
	gap func(rnd *rand.Rand) float64

	// drop is the share of windows that are left out elsewhere.
	drop float64

	newest bool // the oldest frame of a full queue makes room
}

func (r radio) carry(rnd *rand.Rand, ends []float64) []frame {
	const deep = 2
	var frames []frame
	var queue []frame
	poll := ends[0] + r.wait(rnd, 0)*rnd.Float64()
	idle := 0
	last := math.Inf(-1)
	give := func() {
		y := poll
		for _, f := range queue {
			y = max(y, last)
			f.arrival = y + r.constant
			frames = append(frames, f)
			last = y
			y += r.gap(rnd)
		}
		idle++
		if len(queue) > 0 {
			idle = 0
		}
		queue = queue[:0]
		poll += r.wait(rnd, idle)
	}
	for i, end := range ends {
		for poll < end {
			give()
		}
		if rnd.Float64() < r.drop {
			continue
		}
		if len(queue) == deep {
			if !r.newest {
				continue
			}
			copy(queue, queue[1:])
			queue = queue[:deep-1]
		}
		queue = append(queue, frame{window: i, end: end})
	}
	give()
	return frames
}

// inStep is a radio that is polled every so many seconds, which changes slowly: it
// keeps step with windows of 20 ms for seconds.
func inStep(rnd *rand.Rand, poll float64, newest bool) radio {
	phase, t := 2*math.Pi*rnd.Float64(), 0.
	return radio{
		constant: 0.006,
		wait: func(rnd *rand.Rand, _ int) float64 {
			t += poll
			if rnd.Float64() < 0.02 {
				return poll * 1.5 // another connection's turn
			}
			return poll*(1+0.003*math.Sin(phase+2*math.Pi*t/30)) + between(rnd, -0.5e-3, 0.5e-3)
		},
		gap:    func(rnd *rand.Rand) float64 { return between(rnd, 0.0006, 0.0022) },
		newest: newest,
	}
}

func between(rnd *rand.Rand, a, b float64) float64 { return a + (b-a)*rnd.Float64() }

// The regimes that were seen on real meters, each with another adapter of the
// host.
var (
	regimeA = radio{
		constant: 0.006,
		wait: func(rnd *rand.Rand, idle int) float64 {
			switch p := rnd.Float64(); {
			case idle > 0 && p < 0.15, p < 0.48:
				return between(rnd, 0.0095, 0.0125)
			case p < 0.79:
				return between(rnd, 0.0365, 0.0395)
			case p < 0.925:
				return between(rnd, 0.042, 0.052)
			}
			return between(rnd, 0.015, 0.030)
		},
		gap: func(rnd *rand.Rand) float64 { return between(rnd, 0.0006, 0.0022) },
	}
	regimeB = radio{
		constant: 0.006,
		wait: func(rnd *rand.Rand, idle int) float64 {
			if rnd.Float64() < 0.022 {
				return between(rnd, 0.046, 0.060)
			}
			return between(rnd, 0.0305, 0.0325)
		},
		gap: func(rnd *rand.Rand) float64 { return between(rnd, 0.0008, 0.0012) },
	}
	regimeC = radio{
		constant: 0.006,
		wait: func(rnd *rand.Rand, idle int) float64 {
			return 0.0063 * float64(1+rnd.IntN(4))
		},
		gap:  func(rnd *rand.Rand) float64 { return between(rnd, 0.006, 0.010) },
		drop: 0.011,
	}
)

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
