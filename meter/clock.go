package meter

import (
	"context"
	"time"
)

// A ClockReading is what the clock of a meter said. It has whole seconds and no
// time zone; it is taken for this machine's local time.
type ClockReading struct {
	Meter time.Time // what it showed
	Here  time.Time // this machine's time, halfway between question and answer
}

// ClockResolution is how far a [ClockReading.Offset] may be off, either way:
// the meter tells no fractions.
const ClockResolution = 500 * time.Millisecond

// Offset is how far the meter is ahead, within [ClockResolution].
func (r ClockReading) Offset() time.Duration {
	return r.Meter.Add(ClockResolution).Sub(r.Here)
}

// Clock reads the meter's clock. V1 meters have none:
// [powerspy.ErrNotSupported].
func (m *Meter) Clock(ctx context.Context) (ClockReading, error) {
	r, err := m.clock(ctx)
	return r, m.explain("read the clock", err)
}

func (m *Meter) clock(ctx context.Context) (ClockReading, error) {
	asked := time.Now()
	t, err := m.client.Clock(ctx, m.generation(), time.Local)
	if err != nil {
		return ClockReading{}, err
	}
	return ClockReading{Meter: t, Here: asked.Add(time.Since(asked) / 2)}, nil
}

// SetClock sets the meter's clock to t as it reads in local time, without its
// fraction. Years that it can't hold, outside of [powerspy.MinClockYear] to
// [powerspy.MaxClockYear], are [ErrUsage]. V1 meters have no clock:
// [powerspy.ErrNotSupported].
func (m *Meter) SetClock(ctx context.Context, t time.Time) error {
	return m.explain("set the clock", m.client.SetClock(ctx, m.generation(), t.Local()))
}

// SyncClock sets the meter's clock from this machine's, at the turn of a
// second, and reads it before and after. V1 meters have no clock:
// [powerspy.ErrNotSupported]. An error after the clock was set is
// returned beside the first reading.
func (m *Meter) SyncClock(ctx context.Context) (before, after ClockReading, err error) {
	const op = "set the clock"
	if before, err = m.clock(ctx); err != nil {
		return before, after, m.explain(op, err)
	}
	now := time.Now()
	// The request takes about half a round trip to get there.
	way := m.client.RoundTrip() / 2
	turn := now.Add(way).Truncate(time.Second).Add(time.Second)
	if !sleep(ctx, turn.Add(-way).Sub(now)) {
		return before, after, m.explain(op, ctx.Err())
	}
	if err := m.client.SetClock(ctx, m.generation(), turn.Local()); err != nil {
		return before, after, m.explain(op, err)
	}
	after, err = m.clock(ctx)
	return before, after, m.explain("read the clock after setting it", err)
}
