package powerspy

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func checkLength(periods int) error {
	if periods < 1 || periods > MaxCaptureLength {
		return fmt.Errorf("%d mains periods, not 1 to %d: %w", periods, MaxCaptureLength, ErrOutOfRange)
	}
	return nil
}

// SetCaptureLength sets the length of the next capture in mains periods
// (request L, §3.3.2). Outside of 1 to [MaxCaptureLength] the error is
// [ErrOutOfRange].
func (c *Client) SetCaptureLength(ctx context.Context, periods int) error {
	const op = "set the capture length"
	if err := checkLength(periods); err != nil {
		return &Error{Op: op, Err: err}
	}
	return c.command(ctx, op, fmt.Sprintf("L%02X", periods))
}

// StartCapture starts a capture, or the wait for its trigger (request S,
// §3.4.1). The status in the meter's [Identity] says what has become of it;
// see [Client.WaitCapture]. A meter that can't start one refuses: [ErrRefused].
//
// NB: V1 meters do not answer. They are asked for their identity instead, which
// shows that they are there, but not that they have started.
func (c *Client) StartCapture(ctx context.Context) error {
	const op = "start the capture"
	return c.request(ctx, op, func() error {
		if g, err := c.generation(ctx); err != nil {
			return err
		} else if g == V2 {
			return c.order(ctx, "S")
		}
		if err := c.prepare(ctx); err != nil {
			return err
		}
		if err := c.send(ctx, "S"); err != nil {
			return err
		}
		return c.synchronise(ctx) // skips <K> and <Z>, should there be any
	})
}

// CancelCapture ends a capture or the wait for its trigger (request C, §3.4.2).
//
// NB: meters answer <Z> also when it worked, so that nil means no more than
// that the meter has answered. Any other answer is an error.
func (c *Client) CancelCapture(ctx context.Context) error {
	err := c.command(ctx, "cancel the capture", "C")
	if errors.Is(err, ErrRefused) {
		return nil
	}
	return err
}

// pollInterval is the time between two looks at a capture.
const pollInterval = 100 * time.Millisecond

// WaitCapture asks for the identity of the meter, ten times a second, until it
// reports that the capture is complete. Each identity is handed to report, if that is not nil. A
// meter that is neither waiting for the trigger nor acquiring will never be
// done: the error is an [*AnswerError]. To give up, end ctx; the capture goes
// on until [Client.CancelCapture].
func (c *Client) WaitCapture(ctx context.Context, report func(Identity)) error {
	const op = "wait for the capture"
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		id, err := c.Identity(ctx)
		if err != nil {
			return err
		}
		if report != nil {
			report(id)
		}
		switch id.Status {
		case Complete:
			return nil
		case Waiting, Acquiring:
		default:
			return &Error{Op: op, Err: newAnswerError([]byte{byte(id.Status)}, fmt.Sprintf("no capture: the meter is %v", id.Status))}
		}
		select {
		case <-tick.C:
		case <-c.closed:
			return &Error{Op: op, Err: ErrClosed}
		case <-ctx.Done():
			return &Error{Op: op, Err: ctx.Err()}
		}
	}
}

// A Capture is the capture buffer of a meter.
//
// NB: the specification is short on its format and no client in the field is
// known to decode it. What is done here, see [Client.ReadCapture] and
// [Client.ReadCaptureBinary], follows from the sizes that are known. Raw is
// what the meter said, whatever it means.
type Capture struct {
	Periods int            // mains periods, as told by the caller
	Counts  []CaptureCount // in the order of time, equally spaced; as far as decoded

	// Result is the first field of the ASCII answer, whose values are not
	// known; zero for the binary one.
	Result uint8

	// Announced is the second: the number of samples, or of single values.
	Announced int

	// Raw is the answer as it came, between its command letter and its >.
	Raw []byte
}

// A CaptureCount is one sample of a capture in counts.
type CaptureCount struct {
	Voltage, Current int16 // signed counts: times Calibration's Voltage and Current, volts and amperes
}

// A CaptureSample is one sample of a capture in units.
type CaptureSample struct {
	Time    time.Duration // since the first sample
	Voltage float64       // V
	Current float64       // A
}

// Interval returns the time between two samples, in seconds, for mains of so
// many hertz; 0 for an empty capture. It follows from the length of the
// capture, since the meter does not tell its sampling rate.
func (cp *Capture) Interval(hertz float64) float64 {
	if len(cp.Counts) == 0 || !(hertz > 0) {
		return 0
	}
	return float64(cp.Periods) / hertz / float64(len(cp.Counts))
}

// Samples converts the capture to units, for mains of so many hertz. All times
// are 0 if that is not above 0.
func (cp *Capture) Samples(cal Calibration, hertz float64) []CaptureSample {
	step := cp.Interval(hertz) * float64(time.Second)
	samples := make([]CaptureSample, len(cp.Counts))
	for i, n := range cp.Counts {
		samples[i] = CaptureSample{
			Time:    time.Duration(float64(i) * step),
			Voltage: cal.Voltage * float64(n.Voltage),
			Current: cal.Current * float64(n.Current),
		}
	}
	return samples
}
