package sim

import (
	"errors"
	"fmt"
	"time"
)

// A Link says how what the meter sends reaches its client.
type Link string

// The links. The first three were seen between real meters and three Bluetooth
// adapters, with windows of one mains period; each is a [Radio].
const (
	LinkA Link = "a" // 4 % of one-period windows are left out; half of the frames come over 13 ms late.
	LinkB Link = "b" // 0.9 %; frames come in pairs every 32 ms.
	LinkC Link = "c" // 1.1 %; half of the frames come within 8 ms.

	// LinkIdeal has no delay but Config.Delay, and loses nothing.
	LinkIdeal Link = "ideal"
	// LinkExponential delays by Config.Delay, an exponentially distributed
	// time with mean Config.Jitter, and Config.Stall. It loses nothing.
	LinkExponential Link = "exponential"
)

// The exponential link of a specification, unless it says otherwise.
const (
	usualDelay  = 8 * time.Millisecond
	usualJitter = 6 * time.Millisecond
	usualStall  = 0.002
)

// Radio returns what a link's radio module is like. It is the zero Radio where
// no radio stands between: ideal and exponential.
func (l Link) Radio() Radio { return regimes[l] }

// choose makes l the link of c, with the values that are usual for it.
func (c *Config) choose(l Link) {
	c.Link, c.Radio = l, l.Radio()
	c.Delay, c.Jitter, c.Stall = 0, 0, 0
	if l == LinkExponential {
		c.Delay, c.Jitter, c.Stall = usualDelay, usualJitter, usualStall
	}
}

// validateReplay says what does not go with a recording.
func (c Config) validateReplay() error {
	switch {
	case c.Replay == nil && c.Repeat:
		return errors.New("there is no recording to repeat; replay=FILE is one")
	case c.Replay == nil:
		return nil
	case c.Radio != Radio{}:
		return fmt.Errorf("a recording has its own link: link %s does not go with it", c.Link)
	case c.First.Law != FirstClean || c.First.K != 0:
		return errors.New("a recording has its own first frame")
	case c.Faults.Fast != 0:
		return errors.New("a recording is as fast as it was")
	}
	return nil
}

// validateField says what does not go with a field test.
func (c Config) validateField() error {
	switch {
	case c.Field == nil:
		return nil
	case c.Replay != nil:
		return errors.New("a recording and a field test don't go together")
	case c.Radio != Radio{}:
		return fmt.Errorf("a field test has its own link: link %s does not go with it", c.Link)
	case c.First.Law != FirstClean || c.First.K != 0 || c.First.After != 0:
		return errors.New("a field test has its own first frames")
	}
	return nil
}

// validateLink says what in the link makes no sense.
func (c Config) validateLink() error {
	switch c.Link {
	case LinkA, LinkB, LinkC, LinkIdeal, LinkExponential:
	default:
		return fmt.Errorf("link %q is not one of a, b, c, ideal, exponential", string(c.Link))
	}
	switch {
	case c.Delay < 0 || c.Jitter < 0:
		return errors.New("delay and jitter cannot be negative")
	case !(c.Stall >= 0 && c.Stall <= 1):
		return fmt.Errorf("stall %g is not a probability from 0 to 1", c.Stall)
	case c.StallMin < 0:
		return errors.New("a stall cannot be negative")
	case c.StallMax < c.StallMin:
		return fmt.Errorf("longest stall %v is below the shortest, %v", c.StallMax, c.StallMin)
	case c.Link == LinkIdeal && (c.Jitter > 0 || c.Stall > 0):
		return errors.New("link ideal has neither jitter nor stalls; link=exponential has")
	case c.Link.Radio() == Radio{} && c.Radio != Radio{}:
		return fmt.Errorf("link %s has no radio to poll, hold or queue frames; links a, b and c have", c.Link)
	}
	return c.Radio.validate()
}
