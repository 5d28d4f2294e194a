package powerspy

import (
	"context"
	"fmt"
	"math"
)

// Thresholds are conditions of a [Trigger]. Zero is off; those that are set
// must all hold. Over what time the meter takes its values is not known; one
// mains period is likely.
type Thresholds struct {
	VoltageAbove float64 // V, rms
	CurrentAbove float64 // A, rms
	PowerAbove   float64 // W

	VoltageBelow float64 // V, rms
	CurrentBelow float64 // A, rms
	PowerBelow   float64 // W

	VoltagePeakAbove float64 // V
	CurrentPeakAbove float64 // A
}

// powerStep is the unit of a power threshold in products of counts. A
// threshold has 16 bits where power has 32, and the specification does not say
// which; the upper ones are assumed, as the lower could not tell 3 W.
const powerStep = 1 << 16

// Counts converts thresholds to counts of the meter, in the order in which a
// request has them: U, I, P above; U, I, P below; peak U, peak I above. It
// rounds to the nearest count. A threshold that is not zero and not from 1 to
// 65535 counts is [ErrOutOfRange]; with scales that are not sane the error is
// [ErrUncalibrated].
//
// NB: how counts of power are scaled is not known for sure; see the identity's
// Trigger for whether the meter finds a condition fulfilled.
func (cal Calibration) Counts(t Thresholds) ([8]uint16, error) {
	const op = "convert the trigger"
	if !cal.Sane() {
		return [8]uint16{}, &Error{Op: op, Err: ErrUncalibrated}
	}
	power := cal.Voltage * cal.Current * powerStep
	var counts [8]uint16
	for i, limit := range [8]struct {
		name, unit   string
		value, scale float64
	}{
		{"voltage above", "V", t.VoltageAbove, cal.Voltage},
		{"current above", "A", t.CurrentAbove, cal.Current},
		{"power above", "W", t.PowerAbove, power},
		{"voltage below", "V", t.VoltageBelow, cal.Voltage},
		{"current below", "A", t.CurrentBelow, cal.Current},
		{"power below", "W", t.PowerBelow, power},
		{"peak voltage above", "V", t.VoltagePeakAbove, cal.Voltage},
		{"peak current above", "A", t.CurrentPeakAbove, cal.Current},
	} {
		if limit.value == 0 {
			continue
		}
		n := math.Round(limit.value / limit.scale)
		if !(n >= 1 && n <= math.MaxUint16) {
			return [8]uint16{}, &Error{Op: op, Err: fmt.Errorf("%s %g %s is not from %.3g to %.6g %s: %w",
				limit.name, limit.value, limit.unit, limit.scale, math.MaxUint16*limit.scale, limit.unit, ErrOutOfRange)}
		}
		counts[i] = uint16(n)
	}
	return counts, nil
}

// A Trigger is what a capture waits for (§3.3.3).
type Trigger struct {
	Enabled bool // otherwise a capture begins at once

	// Pretrigger is how much of the capture is from before the trigger. It
	// is sent as it is; the unit is not known for sure, mains periods are
	// likely.
	Pretrigger uint8

	Thresholds [8]uint16 // see [Calibration.Counts]; 0 is off
}

// SetTrigger sets what the next capture waits for (request T, §3.3.3). A meter
// that does not take it refuses: [ErrRefused].
func (c *Client) SetTrigger(ctx context.Context, t Trigger) error {
	return c.command(ctx, "set the trigger", string(t.append([]byte("T"))))
}

// append appends the trigger as it is sent.
func (t Trigger) append(b []byte) []byte {
	var enabled uint32
	if t.Enabled {
		enabled = 1
	}
	b = appendHex(b, enabled, 2)
	b = appendHex(b, uint32(t.Pretrigger), 2)
	for _, n := range t.Thresholds {
		b = appendHex(b, uint32(n), 4)
	}
	return b
}
