package powerspy

import (
	"context"
	"fmt"
	"time"
)

// Clock reads the clock of the meter (request G, §3.4.9), which counts whole
// seconds and knows no time zone: what it says is taken for a time in loc. It is
// asked once: only a second Clock shows that a digit was damaged. V1 meters have
// no clock: the error is [ErrNotSupported].
func (c *Client) Clock(ctx context.Context, loc *time.Location) (time.Time, error) {
	const op = "read the clock"
	var t time.Time
	err := c.request(ctx, op, func() error {
		if err := c.needs(ctx, V2); err != nil {
			return err
		}
		var fields clockFields
		err := c.ask(func() error {
			if err := c.prepare(ctx); err != nil {
				return err
			}
			return c.exchange(ctx, "G", func(frame []byte) verdict {
				var ok bool
				if fields, ok = parseClock(frame); ok {
					return accept
				}
				return judgeOther(frame)
			})
		})
		if err != nil {
			return err
		}
		var ok bool
		if t, ok = fields.in(loc); !ok {
			return newAnswerError(fields.append(nil), "no such date and time")
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return t, nil
}

// SetClock sets the clock of the meter (request E, §3.4.8) to what t says in
// its own location, without the fraction of its second. Years outside of
// [MinClockYear] to [MaxClockYear] are [ErrOutOfRange]; V1 meters have no
// clock: the error is [ErrNotSupported].
func (c *Client) SetClock(ctx context.Context, t time.Time) error {
	const op = "set the clock"
	if year := t.Year(); year < MinClockYear || year > MaxClockYear {
		return &Error{Op: op, Err: fmt.Errorf("year %d, not %d to %d: %w", year, MinClockYear, MaxClockYear, ErrOutOfRange)}
	}
	return c.commandV2(ctx, op, string(clockOf(t).append([]byte("E"))))
}

// clockFields are year since 2000, month, day, hour, minute and second, one
// byte each: binary, not decimal digits.
type clockFields [6]uint8

func clockOf(t time.Time) clockFields {
	return clockFields{
		uint8(t.Year() - MinClockYear), uint8(t.Month()), uint8(t.Day()),
		uint8(t.Hour()), uint8(t.Minute()), uint8(t.Second()),
	}
}

// parseClock parses yymmddHHMMSS, whatever the numbers.
func parseClock(frame []byte) (f clockFields, ok bool) {
	if len(frame) != 2*len(f) {
		return clockFields{}, false
	}
	for i := range f {
		v, ok := parseHex(frame[2*i : 2*i+2])
		if !ok {
			return clockFields{}, false
		}
		f[i] = uint8(v)
	}
	return f, true
}

// append appends the fields as they are sent.
func (f clockFields) append(b []byte) []byte {
	for _, v := range f {
		b = appendHex(b, uint32(v), 2)
	}
	return b
}

// in returns the time in loc, unless there is no such date or time of day.
func (f clockFields) in(loc *time.Location) (time.Time, bool) {
	at := func(loc *time.Location) time.Time {
		return time.Date(MinClockYear+int(f[0]), time.Month(f[1]), int(f[2]), int(f[3]), int(f[4]), int(f[5]), 0, loc)
	}
	// UTC has no hour that the change to summer time leaves out.
	if clockOf(at(time.UTC)) != f {
		return time.Time{}, false
	}
	return at(loc), true
}
