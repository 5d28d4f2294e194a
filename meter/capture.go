package meter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/powerspy"
)

// A CaptureConfig says what to capture.
type CaptureConfig struct {
	Periods    int                 // length in mains periods, 1 to 100
	Pretrigger uint8               // how much of it is from before the trigger; mains periods are likely
	Thresholds powerspy.Thresholds // what it waits for; all zero: it begins at once

	// Report, if not nil, is told the status about ten times a second.
	Report func(powerspy.Identity)
}

// cancelTime bounds cancelling a capture, which is done
// also after the end of the caller's context.
const cancelTime = 5 * time.Second

// Capture captures a waveform (AL/LG/0838/003 §3.3.2, §3.3.3, §3.4.1 to
// §3.4.4). Thresholds beyond the meter's range, other Periods and a longer
// Pretrigger are [ErrUsage], with nothing sent. When ctx ends or anything fails,
// the capture is cancelled on the meter. An answer that was not understood is
// returned in Capture.Raw, beside an [ErrNoAnswer].
func (m *Meter) Capture(ctx context.Context, cfg CaptureConfig) (*powerspy.Capture, error) {
	const op = "capture"
	counts, err := m.calibration.Counts(cfg.Thresholds)
	switch {
	case err != nil:
	case cfg.Periods < 1 || cfg.Periods > powerspy.MaxCaptureLength:
		err = fmt.Errorf("%d mains periods, not 1 to %d: %w", cfg.Periods, powerspy.MaxCaptureLength, powerspy.ErrOutOfRange)
	case int(cfg.Pretrigger) > cfg.Periods:
		err = fmt.Errorf("%d mains periods before the trigger of %d: %w", cfg.Pretrigger, cfg.Periods, powerspy.ErrOutOfRange)
	}
	if err != nil {
		return nil, m.explain(op, err)
	}
	trigger := powerspy.Trigger{
		Enabled: cfg.Thresholds != powerspy.Thresholds{}, Pretrigger: cfg.Pretrigger, Thresholds: counts,
	}
	if err := m.acquire(ctx, cfg, trigger); err != nil {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
		defer cancel()
		if cerr := m.client.CancelCapture(cctx); cerr != nil && !errors.Is(err, powerspy.ErrNoAnswer) {
			err = fmt.Errorf("%w (and cancelling it: %v)", err, cerr)
		}
		return nil, m.explain(op, err)
	}
	capture, err := m.client.ReadCapture(ctx, cfg.Periods)
	return capture, m.explain(op, err)
}

func (m *Meter) acquire(ctx context.Context, cfg CaptureConfig, t powerspy.Trigger) error {
	if err := m.client.SetCaptureLength(ctx, cfg.Periods); err != nil {
		return err
	}
	if err := m.client.SetTrigger(ctx, t); err != nil {
		return err
	}
	if err := m.client.StartCapture(ctx); err != nil {
		return err
	}
	return m.client.WaitCapture(ctx, cfg.Report)
}
