package powerspy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// A Status is the status letter of a meter (§3.3.1).
type Status byte

// Statuses.
const (
	Ready     Status = 'R'
	Waiting   Status = 'W' // for the trigger of a capture
	Acquiring Status = 'A' // a capture
	Complete  Status = 'C' // a capture is there to be read
	Streaming Status = 'T' // in real-time mode; not in the specification, but meters send it
)

// String describes the status.
func (s Status) String() string {
	switch s {
	case Ready:
		return "ready"
	case Waiting:
		return "waiting for trigger"
	case Acquiring:
		return "acquiring"
	case Complete:
		return "capture complete"
	case Streaming:
		return "streaming"
	}
	return fmt.Sprintf("Status(%q)", byte(s))
}

// A Generation tells meters apart whose protocol differs.
type Generation uint8

// Generations.
const (
	V1 Generation = 1 // hardware 0x02: no clock, no SD card
	V2 Generation = 2 // any other hardware: no reset
)

// String returns "V1" or "V2".
func (g Generation) String() string {
	switch g {
	case V1, V2:
		return fmt.Sprintf("V%d", uint8(g))
	}
	return fmt.Sprintf("Generation(%d)", uint8(g))
}

// An Identity is what a meter says of itself (§3.3.1).
type Identity struct {
	Status    Status // what the meter is doing
	PLLLocked bool   // to the mains
	Trigger   uint8  // bits 7 to 0: U, I, P above; U, I, P below; peak U, peak I above
	Firmware  uint8  // version
	Hardware  uint8  // version; 0x02 is the first generation
	Serial    uint16 // number
}

// Generation returns the generation of the meter. Hardware 0x02 is the first;
// all others behave like the second.
func (id Identity) Generation() Generation {
	if id.Hardware == 0x02 {
		return V1
	}
	return V2
}

const (
	identityPrefix = "POWERSPY"
	identityLength = len(identityPrefix) + 1 + 2 + 2 + 2 + 2 + 4
)

// isIdentity reports whether frame is an identity, well-formed or not.
func isIdentity(frame []byte) bool {
	return bytes.HasPrefix(frame, []byte(identityPrefix))
}

// parseIdentity parses POWERSPYsPPTTSSHHNNNN. Any PP but 00 means locked.
func parseIdentity(frame []byte) (Identity, bool) {
	if len(frame) != identityLength || !isIdentity(frame) {
		return Identity{}, false
	}
	p := frame[len(identityPrefix):]
	flags, ok1 := parseHex(p[1:9])
	serial, ok2 := parseHex(p[9:13])
	if !ok1 || !ok2 || p[0] < 'A' || p[0] > 'Z' {
		return Identity{}, false
	}
	return Identity{
		Status:    Status(p[0]),
		PLLLocked: flags>>24 != 0,
		Trigger:   uint8(flags >> 16),
		Firmware:  uint8(flags >> 8),
		Hardware:  uint8(flags),
		Serial:    uint16(serial),
	}, true
}

// append appends the identity as the meter sends it, with PP 01 for locked.
func (id Identity) append(b []byte) []byte {
	b = append(append(b, identityPrefix...), byte(id.Status))
	var locked uint32
	if id.PLLLocked {
		locked = 1
	}
	b = appendHex(b, locked, 2)
	b = appendHex(b, uint32(id.Trigger), 2)
	b = appendHex(b, uint32(id.Firmware), 2)
	b = appendHex(b, uint32(id.Hardware), 2)
	return appendHex(b, uint32(id.Serial), 4)
}

// Identity asks the meter who it is (request ?, §3.3.1). It also synchronises
// the client, and so is the first thing to ask over a new link. Whatever answers
// but is not a PowerSpy gives [ErrNotUnderstood] or [ErrNoAnswer].
//
// A damaged digit could make another meter of this one. The firmware, the
// hardware and the serial number therefore count once two answers in a row agree
// in them: the first Identity of a client takes two exchanges or more, a later
// one is compared with it. If none do the error is an [*AnswerError].
//
// After an Identity that was given up, the next may return the answer that
// came late: only the status and the trigger in it can differ.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	const op = "identify the meter"
	var id Identity
	err := c.request(ctx, op, func() (err error) {
		id, err = c.meet(ctx)
		return err
	})
	return id, err
}

// SameMeter reports whether two identities are of one meter: they agree in
// firmware, hardware and serial number.
func (id Identity) SameMeter(other Identity) bool {
	return id.Firmware == other.Firmware && id.Hardware == other.Hardware && id.Serial == other.Serial
}

// meet is Identity for the owner of the link.
func (c *Client) meet(ctx context.Context) (Identity, error) {
	var id Identity
	for range readings {
		var err error
		if id, err = c.identify(ctx); err != nil {
			return Identity{}, err
		}
		if c.who != nil && id.SameMeter(*c.who) {
			return id, nil
		}
	}
	return Identity{}, disagreement(id.append(nil))
}

// generation returns the generation of the meter, which is asked for its
// identity if that is not known yet.
func (c *Client) generation(ctx context.Context) (Generation, error) {
	if c.who == nil {
		if _, err := c.meet(ctx); err != nil {
			return 0, err
		}
	}
	return c.who.Generation(), nil
}

// needs fails for a meter that is not of the only generation that can do
// something.
func (c *Client) needs(ctx context.Context, only Generation) error {
	g, err := c.generation(ctx)
	if err != nil {
		return err
	}
	if g != only {
		return fmt.Errorf("%v: %w", g, ErrNotSupported)
	}
	return nil
}

// identify exchanges ? for an identity. Since nothing else looks like one, it
// does not matter what comes before.
func (c *Client) identify(ctx context.Context) (Identity, error) {
	var (
		id      Identity
		refused bool
		odd     error // the last frame that answers no request at all
		synced  = c.synced
	)
	err := c.exchange(ctx, "?", func(frame []byte) verdict {
		switch {
		case isIdentity(frame):
			var ok bool
			if id, ok = parseIdentity(frame); ok {
				return accept
			}
			return reject
		case isStray(frame):
			return skip
		case synced && isRefused(frame):
			return refuse
		case synced:
			return reject
		case isRefused(frame):
			// Perhaps the answer to an earlier request: only silence
			// after it will tell.
			refused = true
		case !isOther(frame):
			odd = newAnswerError(frame, "not an identity")
		}
		return skip
	})
	switch {
	case err == nil:
		c.identified(id)
		return id, nil
	case !errors.Is(err, ErrNoAnswer):
		return Identity{}, err
	case odd != nil:
		return Identity{}, odd
	case refused:
		return Identity{}, ErrRefused
	}
	return Identity{}, err
}

// identified draws the conclusions from an identity.
func (c *Client) identified(id Identity) {
	// The meter answers in order, so all else has been answered.
	c.synced = true
	if c.who != nil && id.SameMeter(*c.who) || c.heard != nil && id.SameMeter(*c.heard) {
		c.who = &id
	}
	c.heard = &id
	if id.Status == Streaming {
		c.stale = true
	}
}

// synchronise makes sure that the next answer is the answer to the next
// request.
func (c *Client) synchronise(ctx context.Context) error {
	if c.synced {
		return nil
	}
	_, err := c.identify(ctx)
	return err
}
