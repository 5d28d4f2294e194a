package timebase

import (
	"math"
	"time"
)

// A Config describes a stream to a [Filter].
type Config struct {
	// Periods is the number of mains periods in a window.
	Periods int

	// Frequency is the mains frequency in hertz, as the meter answered (its
	// answer has steps of some 36 ppm) or else the nominal one. It is where
	// the search starts.
	Frequency float64

	// Sent and Acknowledged are the moments between which the first window
	// began, those of powerspy.Realtime.Began. They help to place the first
	// windows, and are ignored if one is zero.
	Sent, Acknowledged time.Time

	// RoundTrip is the shortest time seen from sending a request to receiving
	// its answer; zero if unknown. Half of it is taken for the constant part
	// of the delay of frames, which their arrivals cannot tell.
	RoundTrip time.Duration
}

// A Filter is a [Base] that finds out when windows ended from arrivals that
// are never early, sometimes prompt, mostly late and now and then very late.
//
// It knows, as a normal distribution, the moment at which a prompt frame would
// arrive, and the length of a window. With each window the moment moves on by
// the length, and the length takes a random step as the mains wander. A frame
// that arrives at y says that the moment was not after y and probably not long
// before: delays are exponentially distributed, save for the stalls. What is
// then known, a mixture of truncated normal distributions, is replaced by the
// normal distribution of the same mean and covariance (assumed density
// filtering: P. S. Maybeck, Stochastic Models, Estimation and Control, volume
// 2, 1982, chapter 12). Unlike the lower convex hull of the arrivals (S. B.
// Moon, P. Skelly, D. Towsley, Estimation and Removal of Clock Skew from
// Network Delay Measurements, INFOCOM 1999) this needs no history of a fixed
// span: frames lose their say as fast as the mains can have wandered since.
//
// How much mains wander is not known and changes. So such filters for calm,
// ordinary and restless mains run side by side, and are mixed by how well each
// foretells the frames (interacting multiple models: H. A. P. Blom, Y.
// Bar-Shalom, IEEE Transactions on Automatic Control 33, 1988).
//
// The remaining error of times has a constant part: the true constant delay
// of frames less half of the shortest round trip. Starts and ends are thus too
// early by half of what the shortest round trip had of jitter and processing,
// and off by half of the difference between the two directions.
//
// Frames that are late by whole windows for long show that the meter skipped
// some. It takes at least a second and some five frames to be sure. Until then
// windows are placed as if none were missing, since a stall looks the same.
// Missing windows before the first frame are not noticed. Where windows are as
// short as the jitter, a constant delay that grows by just a window looks like
// a skipped one.
//
// Work and memory per frame are constant.
type Filter struct {
	origin   time.Time // of the seconds below
	periods  float64
	nominal  float64 // length of a window at the Config's frequency, s
	offset   float64 // constant part of the delay, s
	anchored bool

	states  states
	jitter  float64 // mean of the delay's other part, stalls apart, s
	frames  int
	arrival float64 // of the last frame, s
	late    lateness
	settled bool // a prompt frame has been seen
	lost    int  // told since the last window
	missed  int
	end     time.Time // of the last window; before the first: never before
}

var _ Base = &Filter{}

const (
	// firstJitter is where the search for the jitter starts, and minJitter and
	// maxJitter are its bounds: seconds.
	firstJitter = 0.012
	minJitter   = 0.0005
	maxJitter   = 0.2

	// lengthError is the standard error of the length by the Config's
	// frequency, relative: the mains wander by as much within minutes, and
	// the clocks of meter and host differ.
	lengthError = 300e-6

	// maxDeviation bounds the length, relative to that: no public grid strays
	// so far.
	maxDeviation = 0.05

	// anchorError and firstError are the standard errors of the first moment
	// in addition to what is known of it, and when nothing is: seconds.
	anchorError = 0.005
	firstError  = 0.05

	// A frame that comes so soon after another was held up by it: seconds.
	heldGap = 0.001

	// mostLost bounds what is believed of a number of lost frames.
	mostLost = 1e6
)

// NewFilter returns the Base of a stream. The error, of no type of its own,
// says that cfg makes no sense: windows of less than one period, a frequency
// that is not above 0, windows of a day or more.
func NewFilter(cfg Config) (*Filter, error) {
	length, err := windowLength(cfg.Periods, cfg.Frequency)
	if err != nil {
		return nil, err
	}
	roundTrip := max(cfg.RoundTrip.Seconds(), 0)
	f := &Filter{
		periods: float64(cfg.Periods),
		nominal: length.Seconds(),
		offset:  roundTrip / 2,
		jitter:  firstJitter,
		late:    lateness{share: firstShare},
	}
	first := state{length: f.nominal, vm: firstError * firstError, vl: square(f.nominal * lengthError)}
	if !cfg.Sent.IsZero() && !cfg.Acknowledged.IsZero() {
		// The first window begins once the request has arrived, and at most a
		// period after the acknowledgement left. A prompt frame would take as
		// long as a prompt acknowledgement.
		earliest := roundTrip
		latest := max(cfg.Acknowledged.Sub(cfg.Sent).Seconds(), earliest) + f.nominal/f.periods
		first.moment = (earliest + latest) / 2
		first.vm = square(latest-earliest)/12 + square(anchorError)
		f.origin, f.end = cfg.Sent, cfg.Sent
		f.anchored = true
	}
	for i := range f.states {
		f.states[i] = first
		f.states[i].weight = 1 / float64(len(f.states))
	}
	return f, nil
}

func square(x float64) float64 { return x * x }

// Window implements [Base].
func (f *Filter) Window(arrival time.Time) (start, end time.Time) {
	if f.frames == 0 && !f.anchored {
		f.origin = arrival
		f.states.shift(-1, -f.jitter, 0)
	}
	y := arrival.Sub(f.origin).Seconds()
	if f.frames == 0 {
		f.arrival = min(y-f.nominal, 0)
	}
	y = max(y, f.arrival)
	gap := y - f.arrival
	f.arrival = y
	f.frames++

	lost := f.takeLost(y)
	f.states.advance(1 + float64(lost))
	f.missed = lost + f.catchUp(y, gap, lost > 0)

	held := gap < min(heldGap, f.nominal/4)
	f.states.learn(y, f.jitter, held, f.nominal*(1-maxDeviation), f.nominal*(1+maxDeviation))
	moment, length, _ := f.states.estimate()
	if !held {
		f.learnJitter(y - moment)
	}
	return f.place(min(moment, y), length)
}

// takeLost returns how many of the frames that were lost were windows before
// the frame that arrived at y: damaged data may have been mere noise, and no
// frame comes before its window has ended.
func (f *Filter) takeLost(y float64) int {
	if f.lost == 0 {
		return 0
	}
	moment, length, sigma := f.states.estimate()
	room := math.Floor((y-moment+deepest*sigma)/length - 1 + 0.25)
	n := min(float64(f.lost), max(room, 0))
	f.lost = 0
	return int(n)
}

// catchUp looks whether frames have been late for so long that it is no stall,
// and returns how many windows the meter must have skipped.
func (f *Filter) catchUp(y, gap float64, afterLoss bool) (skipped int) {
	moment, length, sigma := f.states.estimate()
	delay := y - moment
	if delay < f.jitter {
		f.settled = true
	}
	run, ok := f.late.add(y, delay, gap, length, f.jitter, afterLoss)
	if !ok {
		return 0
	}
	f.jitter = f.late.end()
	n, delay, err := run.shift(length, f.jitter, sigma)
	if !f.settled {
		// The stream began later than thought.
		n, delay = 0, delay+n*length
	}
	f.states.shift(n, delay, square(2*err))
	return int(min(n, mostLost))
}

// learnJitter takes in the delay of a frame that was not held up by another.
// The median, unlike the mean, knows nothing of the length of stalls.
func (f *Filter) learnJitter(delay float64) {
	step := 1 + max(0.01, 1/float64(f.frames+2))
	if delay > f.jitter*math.Ln2 {
		f.jitter *= step
	} else {
		f.jitter /= step
	}
	f.jitter = min(max(f.jitter, minJitter), maxJitter)
}

// place returns the window whose prompt frame would arrive at the moment.
func (f *Filter) place(moment, length float64) (start, end time.Time) {
	end = f.origin.Add(seconds(moment - f.offset))
	if !end.After(f.end) {
		end = f.end.Add(1)
	}
	start = f.end
	if f.frames == 1 || f.missed > 0 {
		start = end.Add(-seconds(length))
		if start.Before(f.end) {
			start = f.end
		}
	}
	f.end = end
	return start, end
}

// seconds returns s seconds, rounded to nanoseconds and limited to what a
// time.Duration can hold.
func seconds(s float64) time.Duration {
	const limit = 9e18
	return time.Duration(math.Round(min(max(s*1e9, -limit), limit)))
}

// Missed implements [Base]. It counts the windows that were lost and those that
// the meter skipped. A skip is found only after some time, and the gap placed
// where it was found.
func (f *Filter) Missed() int { return f.missed }

// Lost implements [Base].
func (f *Filter) Lost(n int) { f.lost = min(f.lost+min(max(n, 0), mostLost), mostLost) }

// Length implements [Base].
func (f *Filter) Length() time.Duration {
	_, length, _ := f.states.estimate()
	return seconds(length)
}

// Frequency implements [Base]: that over the last seconds, by the host's
// monotonic clock.
func (f *Filter) Frequency() float64 {
	_, length, _ := f.states.estimate()
	return f.periods / length
}
