package sim

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// A Radio is the module that stands between the meter and the air, as it
// seems to be from the times at which frames of real meters arrived. The
// meter hands it frame after frame through a queue. The module is closed, then
// the host polls it, it sends what waits, and stays open for a moment, in
// which frames pass at once; then it is closed again. A frame for which there
// is no room when its window ends is never sent.
//
// Because a module is polled several times while a window of 100 ms lasts,
// nothing is lost with windows of five periods or more, unless Poll is set to
// a time as long as that. That real meters lose nothing there either is
// expected, not seen.
type Radio struct {
	Queue int     // Frames that wait in the module, behind the one in the meter's hands.
	Held  float64 // The share of polls up to which the module took nothing, so that only the meter's one frame waited.

	// From when the radio closes to the next poll it takes Poll, up to Spread
	// more, and for a share Late up to LateMax more.
	Poll, Spread, LateMax time.Duration
	Late                  float64

	// Frames sent at one poll follow each other within 2 ms for a share
	// Together. Of the others a share Apart is ApartMin to ApartMax apart, the
	// rest between 2 ms and NearMax.
	Together, Apart             float64
	ApartMin, ApartMax, NearMax time.Duration

	// After what it sent it stays open for up to OpenMax, for a share Open of
	// times, and likewise for a share Idle of polls that found nothing, until
	// something comes. A frame that finds it open takes TransferMin to
	// TransferMax.
	Open, Idle                        float64
	OpenMax, TransferMin, TransferMax time.Duration
}

// ms is a time in milliseconds.
func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// regimes are fitted to the share of windows left out, their runs and the
// percentiles of delays and of gaps between arrivals of 39 recordings; see
// TestRegimes for how near they come.
var regimes = map[Link]Radio{
	LinkA: {
		Queue: 2, Held: 0.11,
		Poll: ms(37), Spread: ms(3.2), Late: 0.25, LateMax: ms(14.2),
		Together: 0.53, Apart: 0.78, ApartMin: ms(9.1), ApartMax: ms(12.8), NearMax: ms(9.8),
		Open: 0.64, OpenMax: ms(29.3), Idle: 0.37, TransferMin: ms(0.4), TransferMax: ms(4.8),
	},
	LinkB: {
		Queue: 2, Held: 0.018,
		Poll: ms(30.4), Spread: ms(3), Late: 0.165, LateMax: ms(23.2),
		Together: 0.86, Apart: 1, ApartMin: ms(4.6), ApartMax: ms(10.5), NearMax: ms(7),
		Open: 0.04, OpenMax: ms(2.2), Idle: 0.75, TransferMin: ms(0.5), TransferMax: ms(4.9),
	},
	LinkC: {
		Queue: 2, Held: 0.14,
		Poll: ms(25.3), Spread: ms(3.5), Late: 0.217, LateMax: ms(10.9),
		Together: 0, Apart: 0.96, ApartMin: ms(8.9), ApartMax: ms(14.6), NearMax: ms(15.7),
		Open: 0.77, OpenMax: ms(36.1), Idle: 0.22, TransferMin: 0, TransferMax: ms(4.1),
	},
}

func (r Radio) validate() error {
	if r == (Radio{}) {
		return nil
	}
	for _, share := range []float64{r.Held, r.Late, r.Together, r.Apart, r.Open, r.Idle} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("share %g of the radio is outside 0 to 1", share)
		}
	}
	longest := max(r.Poll, r.Spread, r.LateMax, r.ApartMin, r.ApartMax, r.NearMax, r.OpenMax, r.TransferMin, r.TransferMax)
	shortest := min(r.Spread, r.LateMax, r.ApartMin, r.NearMax, r.OpenMax, r.TransferMin)
	switch {
	case r.Queue < 0 || r.Queue > backlog:
		return fmt.Errorf("queue of %d frames is outside 0 to %d", r.Queue, backlog)
	case r.Poll < time.Millisecond || longest > time.Minute:
		return fmt.Errorf("a radio is polled every 1ms to 1m, not every %v", r.Poll)
	case shortest < 0 || r.ApartMax < r.ApartMin || r.TransferMax < r.TransferMin:
		return errors.New("a time of the radio is negative, or its longest is below its shortest")
	}
	return nil
}

// together is the longest time between frames that are sent together;
// shortestApart the shortest.
const (
	shortestApart = 0.6e-3
	together      = 2e-3
)

// firstLeftOut is the share of streams whose first frame is left out, where
// windows are so short that any is. In 3 % of recordings the first that came
// was right, which k = 1 makes 2 % of.
const firstLeftOut = 0.01

// passage is one run of a radio: what it needs to know while it goes over the
// windows of a block.
type passage struct {
	*Radio
	rnd           random
	stream, block uint64
	drawn         uint64

	ends    []float64 // Seconds, of the windows.
	arrive  []float64 // Seconds, of their frames; NaN for one left out.
	waiting []int     // Windows whose frames wait.
	next    int       // The first window that has not ended yet.
}

func (p *passage) unit() float64 {
	p.drawn++
	return p.rnd.unit(forRadio, p.stream, p.block<<24|p.drawn)
}

func (p *passage) happens(share float64) bool { return p.unit() < share }

// between returns a number of seconds from one time to another.
func (p *passage) between(from, to time.Duration) float64 {
	return from.Seconds() + (to-from).Seconds()*p.unit()
}

// admit lets windows end up to a time.
func (p *passage) admit(until float64, room int) {
	for ; p.next < len(p.ends) && p.ends[p.next] <= until; p.next++ {
		if len(p.waiting) < room {
			p.waiting = append(p.waiting, p.next)
		} else {
			p.arrive[p.next] = math.NaN()
		}
	}
}

// send lets the first frame that waits arrive.
func (p *passage) send(at float64) {
	p.arrive[p.waiting[0]] = at
	p.waiting = p.waiting[1:]
}

// pass lets the frame of the next window through as soon as it ends.
func (p *passage) pass(at float64) float64 {
	at = max(at+shortestApart, p.ends[p.next]+p.between(p.TransferMin, p.TransferMax))
	p.arrive[p.next] = at
	p.next++
	return at
}

// carry returns when the frames of a block of windows arrive, by when they
// end, in seconds; NaN for those that are left out. It depends on nothing but
// its arguments, and on what is later than a window only in what comes later.
func (r *Radio) carry(rnd random, stream, block uint64, ends []float64) []float64 {
	p := passage{Radio: r, rnd: rnd, stream: stream, block: block, ends: ends, arrive: make([]float64, len(ends))}
	t := ends[0] - p.between(0, r.Poll)
	for p.next < len(ends) || len(p.waiting) > 0 {
		if len(p.waiting) == 0 {
			// Polls that find nothing for a long time need not be gone through.
			t = max(t, ends[p.next]-p.between(2*r.Poll, 3*r.Poll))
		}
		t += p.between(r.Poll, r.Poll+r.Spread)
		if p.happens(r.Late) {
			t += p.between(0, r.LateMax)
		}
		room := 1 + r.Queue
		if p.happens(r.Held) {
			room = 1
		}
		p.admit(t, room)
		t = p.poll(t)
	}
	if block == 0 && p.happens(firstLeftOut) && ends[1]-ends[0] < r.Poll.Seconds() {
		p.arrive[0] = math.NaN()
	}
	return p.arrive
}

// poll sends what waits, and what comes while the radio is open, and returns
// when it closes.
func (p *passage) poll(t float64) float64 {
	if len(p.waiting) > 0 {
		p.send(t)
	} else {
		if p.next == len(p.ends) || !p.happens(p.Idle) {
			return t
		}
		t = p.pass(t)
	}
	for {
		p.admit(t, 1+p.Queue)
		if len(p.waiting) > 0 {
			switch {
			case p.happens(p.Together):
				t += shortestApart + (together-shortestApart)*p.unit()
			case p.happens(p.Apart):
				t += p.between(p.ApartMin, p.ApartMax)
			default:
				t += p.between(ms(2), p.NearMax)
			}
			p.admit(t, 1+p.Queue)
			p.send(t)
			continue
		}
		if p.next == len(p.ends) || !p.happens(p.Open) || p.ends[p.next] > t+p.between(0, p.OpenMax) {
			return t
		}
		t = p.pass(t)
	}
}

// answer returns how long a request, or the answer to one, waits for the
// radio.
func (r *Radio) answer(rnd random, p purpose, n, m uint64) time.Duration {
	return time.Duration(rnd.unit(p, n, m) * float64(r.Poll))
}
