package meter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/powerspy"
)

// EEPROMSize is the number of bytes in a meter's EEPROM: an address is one byte
// (AL/LG/0838/003 §3.3.6).
const EEPROMSize = 256

// The addresses of the bytes that a meter is calibrated with (AL/LG/0838/003
// §3.3.6): wrong ones make it measure wrongly.
const (
	CalibrationStart = 0x02
	CalibrationEnd   = 0x1A // the first byte behind
)

// TouchesCalibration reports whether n bytes from addr on overlap the
// calibration.
func TouchesCalibration(addr uint8, n int) bool {
	return n > 0 && int(addr) < CalibrationEnd && int(addr)+n > CalibrationStart
}

// ReadEEPROM fills p from address addr on, at some 100 ms a byte, each of which
// is read until two readings agree. Beyond the
// EEPROM the error is [ErrUsage] and nothing was sent; a meter that fails to
// answer is [ErrNoAnswer].
func (m *Meter) ReadEEPROM(ctx context.Context, addr uint8, p []byte) error {
	return m.explain("read the EEPROM", m.client.ReadEEPROM(ctx, addr, p))
}

// ErrVerify means that bytes read back were not those written.
var ErrVerify = errors.New("the EEPROM does not hold what was written to it")

// restoreTime bounds putting old bytes back, which happens also when the
// caller's context has ended: a byte takes two exchanges of some 50 ms.
const restoreTime = 30 * time.Second

// WriteEEPROM writes p from address addr on and reads it back. If a byte could
// not be written, or reads back differently ([ErrVerify]), or ctx ends on the
// way, old is put in its place where that is needed, which takes 30 s at most,
// and the error, an [ErrNoAnswer], says whether that worked. old is what the
// EEPROM held there, from a backup that is kept: of the length of p. Beyond the
// EEPROM, or with another length, the error is [ErrUsage] and nothing was sent.
func (m *Meter) WriteEEPROM(ctx context.Context, addr uint8, p, old []byte) error {
	const op = "write the EEPROM"
	if len(old) != len(p) {
		return m.explain(op, fmt.Errorf("%d bytes with %d old ones: %w", len(p), len(old), powerspy.ErrOutOfRange))
	}
	err := m.writeVerified(ctx, addr, p)
	if err == nil || errors.Is(err, powerspy.ErrOutOfRange) {
		return m.explain(op, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTime)
	defer cancel()
	if rerr := m.restore(ctx, addr, old); rerr != nil {
		// Both are told: what the EEPROM holds now is not known.
		return &Error{
			Kind: ErrNoAnswer, Op: op + " of " + m.target.String(),
			Err: fmt.Errorf("%w; %w: %w", err, ErrNotRestored, rerr),
		}
	}
	return &Error{
		Kind: ErrNoAnswer, Op: op + " of " + m.target.String(),
		Err: fmt.Errorf("%w; %w", err, ErrRestored),
	}
}

// restore puts old bytes back, unless they are all there: a meter that refuses
// to write would refuse that, too.
func (m *Meter) restore(ctx context.Context, addr uint8, old []byte) error {
	got := bytes.Clone(old)
	if err := m.client.ConfirmEEPROM(ctx, addr, got); err == nil && bytes.Equal(got, old) {
		return nil
	}
	return m.writeVerified(ctx, addr, old)
}

func (m *Meter) writeVerified(ctx context.Context, addr uint8, p []byte) error {
	if err := m.client.WriteEEPROM(ctx, addr, p); err != nil {
		return err
	}
	got := bytes.Clone(p)
	if err := m.client.ConfirmEEPROM(ctx, addr, got); err != nil {
		return err
	}
	if !bytes.Equal(got, p) {
		return fmt.Errorf("%w: [% x], not [% x]", ErrVerify, got, p)
	}
	return nil
}
