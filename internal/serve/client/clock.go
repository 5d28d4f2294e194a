package client

import (
	"math"
	"sync"
	"time"
)

// A clock tells how far the clock of a server is ahead of this machine's, by
// exchanges of four times (RFC 5905, section 8). An exchange is off by half of its
// round trip at most, however unequal its two ways are. The one that says most
// counts: that of the shortest round trip, unless it is old, since one clock is faster
// than the other. By how much comes from two exchanges that are far apart.
//
// Its methods may be called concurrently.
type clock struct {
	mu        sync.Mutex
	origin    time.Time // of this machine's clock, with a monotonic reading
	same      bool      // it is this machine's clock
	exchanges []exchange
	drift     float64       // by how much the server's clock is faster
	doubt     float64       // the most that this may be wrong
	set       time.Duration // by how much the server's clock was set, which the times of its windows do not follow
}

// An exchange of times with the server.
type exchange struct {
	at    time.Duration // since the origin
	ahead time.Duration // the server's clock, of this machine's
	round time.Duration // the round trip, without the server's part
}

const (
	// exchangesKept bounds what counts: some minutes, or what was before and after
	// the connection was away.
	exchangesKept = 64

	// maxDrift is by how much one clock may be faster than the other: that of a PC is
	// up to 120 ppm off, and NTP corrects by up to 500 ppm (adjtimex(2)).
	maxDrift = 600e-6

	// wander is by how much that may have changed since it was seen.
	wander = 5e-6

	// driftBase is over what time exchanges tell the drift.
	driftBase = 10 * time.Second

	// leastStep is what is taken for a clock that was set, and not for one that drifts.
	leastStep = 50 * time.Millisecond
)

func newClock() *clock { return &clock{origin: time.Now()} }

// now returns the time since the origin.
func (c *clock) now() time.Duration { return time.Since(c.began()) }

// began returns the origin.
func (c *clock) began() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.origin
}

// share says that the server has this machine's clock.
func (c *clock) share() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.same, c.exchanges, c.set = true, nil, 0
}

// shared reports whether it does.
func (c *clock) shared() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.same
}

// add takes in an exchange, before which this machine's wall clock has gone on by so
// much that the one which Go measures times by has not: it slept, or was set.
func (c *clock) add(e exchange, slept time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.round < 0 {
		return // the server's clock was set between its two times
	}
	c.same = false
	if len(c.exchanges) > 0 {
		ahead, bound := c.ahead(e.at)
		bound += e.round/2 + leastStep
		if step := e.ahead - ahead; step.Abs() > bound {
			// Where this machine slept the server's clock was not set.
			if (step - slept).Abs() > bound {
				c.set += step
			}
			c.exchanges = c.exchanges[:0]
		}
	}
	if len(c.exchanges) == exchangesKept {
		c.exchanges = c.exchanges[:copy(c.exchanges, c.exchanges[1:])]
	}
	c.exchanges = append(c.exchanges, e)
	c.compare()
}

// offset returns by how much the server's clock is ahead at a time since the origin,
// and the most that this may be wrong. known is false before the first exchange.
func (c *clock) offset(at time.Duration) (ahead, bound time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.same {
		return 0, 0, true
	}
	if len(c.exchanges) == 0 {
		return 0, 0, false
	}
	ahead, bound = c.ahead(at)
	return ahead, bound, true
}

// ahead is offset where exchanges are known. c.mu is held.
func (c *clock) ahead(at time.Duration) (ahead, bound time.Duration) {
	bound = math.MaxInt64
	for _, e := range c.exchanges {
		age := float64(at - e.at)
		if b := e.round/2 + time.Duration(math.Abs(age)*c.doubt); b < bound {
			ahead, bound = e.ahead+time.Duration(age*c.drift), b
		}
	}
	return ahead, bound
}

// compare finds out by how much the server's clock is faster, from the two exchanges
// that tell it best.
func (c *clock) compare() {
	c.drift, c.doubt = 0, maxDrift
	for i, b := range c.exchanges {
		for _, a := range c.exchanges[:i] {
			span := float64(b.at - a.at)
			if b.at-a.at < driftBase {
				break
			}
			drift := float64(b.ahead-a.ahead) / span
			doubt := float64(a.round+b.round)/2/span + wander
			if doubt < c.doubt && math.Abs(drift) <= maxDrift {
				c.drift, c.doubt = drift, doubt
			}
		}
	}
}

// local turns a time of the server's windows into this machine's clock.
func (c *clock) local(server time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := server.Sub(c.origin.Round(0)) // by the wall clocks
	if c.same || len(c.exchanges) == 0 {
		return c.origin.Add(since)
	}
	since += c.set
	ahead, _ := c.ahead(since)
	for range 4 { // clocks may be years apart, and drift far between two guesses
		ahead, _ = c.ahead(since - ahead)
	}
	return c.origin.Add(since - ahead)
}

// server turns a time of this machine into the server's clock.
func (c *clock) server(local time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := local.Sub(c.origin)
	var ahead time.Duration
	if !c.same && len(c.exchanges) > 0 {
		ahead, _ = c.ahead(since)
	}
	return c.origin.Round(0).Add(since + ahead)
}

// renew says that windows begin that go by the server's clock as it is now. A stream
// of a meter whose clock was set back goes on by the one before (package meter), so
// that none of its windows comes before an earlier one: again says that it does not.
func (c *clock) renew(again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set > 0 || again {
		c.set = 0
	}
	// Where it is this machine's, it is that which was set.
	now := time.Now()
	if moved := now.Round(0).Sub(c.origin.Round(0)) - now.Sub(c.origin); c.same && (moved > leastStep || again) {
		c.origin = now
	}
}

// pause returns how long to wait for the next exchange.
func (c *clock) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.same && c.doubt >= maxDrift {
		return exchangeSoon
	}
	return exchangeEvery
}

// The error of the offset is up to the bound, as likely as any other: a rectangular
// distribution. The errors at the two ends of a job are partly the same, as the same
// exchange may tell both. Half of the variance is taken for that part, which common
// returns as a standard uncertainty, until the next exchange, and half for that of
// each single window, which own returns for one that ended at a time of this machine.

func (c *clock) common() time.Duration { return c.half(c.now() + c.pause()) }

func (c *clock) own(local time.Time) time.Duration { return c.half(local.Sub(c.began())) }

func (c *clock) half(at time.Duration) time.Duration {
	_, bound, _ := c.offset(at)
	return time.Duration(math.Ceil(float64(bound) / math.Sqrt(2*3)))
}
