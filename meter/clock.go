package meter

import (
	"context"
	"errors"
	"time"
)

// A ClockReading is what the clock of a meter said. It tells whole seconds and
// no time zone, and is taken for this machine's local time. How far the meter is
// ahead shows at the turn of its second.
type ClockReading struct {
	Meter time.Time // what it showed last
	Here  time.Time // this machine's time then, halfway between question and answer

	// Offset is how far the meter is ahead, and Within how far that may be off,
	// either way: about as long as a question and its answer take.
	Offset, Within time.Duration

	// Stopped: the clock showed the same second for longer than one. Offset is
	// that of the last answer.
	Stopped bool
}

const (
	// clockTurn is how long the turn of a second is waited for.
	clockTurn = 1500 * time.Millisecond
	// clockTries is how often the clock is watched before its answers, which
	// contradict each other, are given up.
	clockTries = 3
	// settled is how many answers have to follow that change nothing: a damaged
	// one would be contradicted.
	settled = 2
)

// ErrClockErratic means that what the clock of a meter showed makes no sense.
var ErrClockErratic = errors.New("the answers about the clock contradict each other")

// Clock reads the meter's clock again and again until the turn of a second has
// shown, which takes up to 1.5 s. V1 meters have none: [powerspy.ErrNotSupported].
func (m *Meter) Clock(ctx context.Context) (ClockReading, error) {
	r, err := m.clock(ctx)
	return r, m.explain("read the clock", err)
}

func (m *Meter) clock(ctx context.Context) (ClockReading, error) {
	for range clockTries {
		r, ok, err := m.watchClock(ctx)
		if ok || err != nil {
			return r, err
		}
	}
	return ClockReading{}, &Error{Kind: ErrNoAnswer, Op: "read the clock of " + m.target.String(), Err: ErrClockErratic}
}

// watchClock watches the clock over the turn of a second. ok is false when an
// answer contradicts another.
func (m *Meter) watchClock(ctx context.Context) (r ClockReading, ok bool, err error) {
	// The meter looked at its clock between question and answer, and what it
	// showed had begun within the second before: each answer bounds the offset.
	var least, most time.Duration
	begun, turned, since := time.Now(), false, 0
	for first := true; ; first = false {
		asked := time.Now()
		shows, err := m.client.Clock(ctx, time.Local)
		if err != nil {
			return ClockReading{}, false, err
		}
		answered := time.Now()
		same := shows.Equal(r.Meter)
		low, high := shows.Sub(answered), shows.Add(time.Second).Sub(asked)
		r.Meter, r.Here = shows, asked.Add(answered.Sub(asked)/2)
		if first {
			least, most = low, high
			continue
		}
		if low >= most || high <= least {
			// A clock that stands still contradicts itself once it should have
			// gone on.
			r.Stopped = same && !turned && answered.Sub(begun) > time.Second
			r.Offset, r.Within = (low+high)/2, (high-low)/2
			return r, r.Stopped, nil
		}
		least, most = max(least, low), min(most, high)
		r.Offset, r.Within = (least+most)/2, (most-least)/2
		if since++; !same {
			turned, since = true, 0
		}
		if turned && since >= settled || answered.Sub(begun) > clockTurn {
			return r, true, nil
		}
	}
}

// SetClock sets the meter's clock to t as it reads in local time, without its
// fraction. Years that it can't hold, outside of [powerspy.MinClockYear] to
// [powerspy.MaxClockYear], are [ErrUsage]. V1 meters have no clock:
// [powerspy.ErrNotSupported].
func (m *Meter) SetClock(ctx context.Context, t time.Time) error {
	return m.explain("set the clock", m.client.SetClock(ctx, t.Local()))
}

// syncTries is how often the clock is set when a request was held up on its way,
// which shows in an offset beyond syncGoal.
const (
	syncTries = 3
	syncGoal  = 100 * time.Millisecond
)

// SyncClock sets the meter's clock from this machine's, so that its second turns
// when this machine's does, and reads it before and after; it takes some three
// seconds. The offset after is that of one request's way: where it was held up,
// the clock is set again. V1 meters have no clock: [powerspy.ErrNotSupported]. An
// error after the clock was set is returned beside the first reading.
func (m *Meter) SyncClock(ctx context.Context) (before, after ClockReading, err error) {
	if before, err = m.clock(ctx); err != nil {
		return before, after, m.explain("set the clock", err)
	}
	for range syncTries {
		if err := m.setAtTurn(ctx); err != nil {
			return before, after, m.explain("set the clock", err)
		}
		if after, err = m.clock(ctx); err != nil {
			return before, after, m.explain("read the clock after setting it", err)
		}
		if after.Offset.Abs() <= syncGoal {
			break
		}
	}
	return before, after, nil
}

// setAtTurn sets the clock at the next turn of a second.
func (m *Meter) setAtTurn(ctx context.Context) error {
	now := time.Now()
	// The request takes about half a round trip to get there.
	way := m.client.RoundTrip() / 2
	turn := now.Add(way).Truncate(time.Second).Add(time.Second)
	if !sleep(ctx, turn.Add(-way).Sub(now)) {
		return ctx.Err()
	}
	return m.client.SetClock(ctx, turn.Local())
}
