package meter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"powerspy2/powerspy"
)

// logTime bounds each request about the log: users report that meters hung on
// them.
const logTime = 10 * time.Second

// LogPeriods converts a time between two entries of the log to mains periods,
// to the nearest. Outside of 1 to [powerspy.MaxLogPeriod] the error is
// [ErrUsage].
func (m *Meter) LogPeriods(d time.Duration) (int, error) {
	f := m.info.Frequency
	n := math.Round(d.Seconds() * f)
	if !(n >= 1 && n <= powerspy.MaxLogPeriod) {
		return 0, &Error{Kind: ErrUsage, Op: "set the log period", Err: fmt.Errorf("%v is not from %v to %v, %d mains periods",
			d, m.logDuration(1), m.logDuration(powerspy.MaxLogPeriod), powerspy.MaxLogPeriod)}
	}
	return int(n), nil
}

// logDuration is how long so many mains periods take, to the millisecond.
func (m *Meter) logDuration(periods int) time.Duration {
	return time.Duration(float64(periods) / m.info.Frequency * float64(time.Second)).Round(time.Millisecond)
}

// SetLogPeriod sets the time between two entries of the log to the nearest
// whole number of mains periods, and returns what it is, to the millisecond.
// Outside of 1 to [powerspy.MaxLogPeriod] periods the error is [ErrUsage]. V1
// meters have no SD card: [powerspy.ErrNotSupported].
func (m *Meter) SetLogPeriod(ctx context.Context, d time.Duration) (time.Duration, error) {
	n, err := m.LogPeriods(d)
	if err != nil {
		return 0, err
	}
	return m.logDuration(n), m.logStep(ctx, "set the log period", func(ctx context.Context) error {
		return m.client.SetLogPeriod(ctx, n)
	})
}

// LogPeriod returns the time between two entries of the log, to the
// millisecond, and in mains periods. One beyond [powerspy.MaxLogPeriod] was
// never set. V1 meters have no SD card: [powerspy.ErrNotSupported].
func (m *Meter) LogPeriod(ctx context.Context) (d time.Duration, periods int, err error) {
	err = m.logStep(ctx, "read the log period", func(ctx context.Context) (err error) {
		periods, err = m.client.LogPeriod(ctx)
		return err
	})
	return m.logDuration(periods), periods, err
}

// StartLog leaves real-time mode, if the meter is in it, and starts logging to
// the SD card. Users report that this has hung meters until their power was
// cycled. It takes 10 s at most. When the meter does not say that it worked, it
// is told to stop. Errors match [ErrNoAnswer]; V1 meters have no SD card:
// [powerspy.ErrNotSupported].
func (m *Meter) StartLog(ctx context.Context) error {
	err := m.logStep(ctx, "start logging", func(ctx context.Context) error {
		id, err := m.client.Identity(ctx)
		if err == nil && id.Status == powerspy.Streaming {
			err = m.client.Stop(ctx)
		}
		if err != nil {
			return err
		}
		return m.client.StartLog(ctx)
	})
	if err == nil || errors.Is(err, powerspy.ErrNotSupported) || errors.Is(err, powerspy.ErrRefused) {
		return err
	}
	if serr := m.StopLog(context.WithoutCancel(ctx)); serr != nil {
		return fmt.Errorf("%w (and the meter may be logging: %s)", err, why(serr))
	}
	return err
}

// StopLog stops logging to the SD card, within 10 s. A meter that was not
// logging may refuse: [powerspy.ErrRefused]. V1 meters have no SD card:
// [powerspy.ErrNotSupported].
func (m *Meter) StopLog(ctx context.Context) error {
	const op = "stop logging"
	return m.logStep(ctx, op, func(ctx context.Context) error {
		err := m.client.StopLog(ctx)
		if errors.Is(err, powerspy.ErrRefused) {
			return &Error{
				Kind: ErrNoAnswer, Op: op + " of " + m.target.String(),
				Err: &reason{ErrNotLogging, err},
			}
		}
		return err
	})
}

// LogFor logs for so long, or until ctx ends, and stops in either case. When
// ctx ended the error is that of ctx. Other errors are those of
// [Meter.StartLog] and [Meter.StopLog].
func (m *Meter) LogFor(ctx context.Context, d time.Duration) error {
	if err := m.StartLog(ctx); err != nil {
		return err
	}
	waited := sleep(ctx, d)
	if err := m.StopLog(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if !waited {
		return ctx.Err()
	}
	return nil
}

func (m *Meter) logStep(ctx context.Context, op string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	return m.explain(op, do(ctx))
}
