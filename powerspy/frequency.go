package powerspy

import (
	"context"
	"fmt"
	"slices"
)

// Frequency asks the meter for the frequency of the mains in hertz (request F,
// §3.4.3), until two answers agree to 0.05 %: a damaged digit can pass for other
// mains. Of answers that never do, as on mains that are not steady, the median
// counts. A value outside of [MinFrequency] to [MaxFrequency] is not believed:
// the error is an [*AnswerError].
//
// NB: the specification has the answer in hundredths of a hertz. Meters send
// the length of a mains period instead, in ticks of a clock that differs
// between generations.
func (c *Client) Frequency(ctx context.Context) (float64, error) {
	const op = "read the mains frequency"
	var hertz float64
	err := c.request(ctx, op, func() error {
		g, err := c.generation(ctx)
		if err != nil {
			return err
		}
		seen, ok, err := agree(nil, sameCount, func() (count uint16, err error) {
			err = c.ask(func() error { return c.readCount(ctx, &count) })
			return count, err
		})
		if err != nil {
			return err
		}
		count := seen[len(seen)-1]
		if !ok {
			slices.Sort(seen)
			count = seen[len(seen)/2]
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

// sameCount reports whether two answers to F can be of the same mains. Any
// damage but that of the last digit, which does no harm, is above that.
func sameCount(a, b uint16) bool {
	return 2000*max(int(a)-int(b), int(b)-int(a)) <= int(max(a, b))
}

// readCount makes one request F.
func (c *Client) readCount(ctx context.Context, count *uint16) error {
	if err := c.synchronise(ctx); err != nil {
		return err
	}
	return c.exchange(ctx, "F", func(frame []byte) verdict {
		var ok bool
		if *count, ok = parseFrequency(frame); ok {
			return accept
		}
		return judgeOther(frame)
	})
}

// hertz converts the period count of an answer to F.
func (g Generation) hertz(count uint16) float64 {
	if g == V1 {
		return 1_000_000 / float64(count)
	}
	return 1_382_400 / float64(count)
}

// parseFrequency parses Fnnnn.
func parseFrequency(frame []byte) (uint16, bool) {
	if len(frame) != 5 || frame[0] != 'F' {
		return 0, false
	}
	v, ok := parseHex(frame[1:])
	return uint16(v), ok
}
