package powerspy

import (
	"context"
	"fmt"
)

// Bounds of a mains frequency that is believed, in hertz.
const (
	MinFrequency = 40
	MaxFrequency = 70
)

// Frequency asks the meter for the frequency of the mains in hertz (request F,
// §3.4.3). A value outside of [MinFrequency] to [MaxFrequency] is not believed:
// the error is an [*AnswerError].
//
// NB: the specification has the answer in hundredths of a hertz. Meters send
// the length of a mains period instead, in ticks of a clock that differs
// between generations.
func (c *Client) Frequency(ctx context.Context, g Generation) (float64, error) {
	const op = "read the mains frequency"
	if err := g.check(); err != nil {
		return 0, &Error{Op: op, Err: err}
	}
	var hertz float64
	err := c.request(ctx, op, func() error {
		var count uint16
		err := c.ask(func() error {
			if err := c.synchronise(ctx); err != nil {
				return err
			}
			return c.exchange(ctx, "F", func(frame []byte) verdict {
				var ok bool
				if count, ok = parseFrequency(frame); ok {
					return accept
				}
				return judgeOther(frame)
			})
		})
		if err != nil {
			return err
		}
		hertz = g.hertz(count)
		if hertz < MinFrequency || hertz > MaxFrequency {
			return newAnswerError(fmt.Appendf(nil, "F%04X", count), fmt.Sprintf("a mains frequency of %.4g Hz", hertz))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return hertz, nil
}

// hertz converts the period count of an answer to F.
func (g Generation) hertz(count uint16) float64 {
	if g == V1 {
		return 1_000_000 / float64(count)
	}
	return 1_382_400 / float64(count)
}

// check tells the known generations from others.
func (g Generation) check() error {
	if g == V1 || g == V2 {
		return nil
	}
	return fmt.Errorf("%v: %w", g, ErrOutOfRange)
}

// needs tells whether meters of generation g can do what only those of
// generation only can.
func (g Generation) needs(only Generation) error {
	if err := g.check(); err != nil {
		return err
	}
	if g != only {
		return fmt.Errorf("%v: %w", g, ErrNotSupported)
	}
	return nil
}

// parseFrequency parses Fnnnn.
func parseFrequency(frame []byte) (uint16, bool) {
	if len(frame) != 5 || frame[0] != 'F' {
		return 0, false
	}
	v, ok := parseHex(frame[1:])
	return uint16(v), ok
}
