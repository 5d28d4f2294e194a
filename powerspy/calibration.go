package powerspy

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"time"
)

// EEPROM addresses of the two calibrations, which follow each other.
const (
	addrFactory = 0x02
	addrCurrent = 0x0E

	calibrationSize = addrCurrent - addrFactory
)

// A Date is a day as the meter stores it, valid or not.
type Date struct {
	Year  int        // such as 2012
	Month time.Month // 1 to 12
	Day   int        // 1 to 31
}

// Valid reports whether there is such a day, of the years 2000 to 2099. Blank
// EEPROM holds none.
func (d Date) Valid() bool {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
	return d.Year >= 2000 && d.Year < 2100 && t.Month() == d.Month && t.Day() == d.Day
}

// String returns the day as 2012-08-30, or "unknown" if it is not valid.
func (d Date) String() string {
	if !d.Valid() {
		return "unknown"
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// A Calibration holds what turns counts into units.
type Calibration struct {
	Voltage float64 // V per count
	Current float64 // A per count
	Date    Date    // of the calibration
}

// Bounds of the full scale of a mains meter, that is of 2^15 counts, which a
// signed sample of 16 bits holds. Real scales, of about 0.08 V and 0.0005 A a
// count, have 2.7 kV and 18 A there.
const (
	fullScale = 1 << 15

	minVolts, maxVolts     = 500, 10_000
	minAmperes, maxAmperes = 5, 200
)

// Sane reports whether both scales are such as a mains meter can have: a full
// scale of 2^15 counts is 500 V to 10 kV and 5 A to 200 A.
func (cal Calibration) Sane() bool {
	volts, amperes := cal.Voltage*fullScale, cal.Current*fullScale
	return volts >= minVolts && volts <= maxVolts && amperes >= minAmperes && amperes <= maxAmperes
}

// Convert turns the counts of one frame into units (§3.4.6).
//
// NB: the specification takes the square root of the power too, which is a
// mistake of the page: meters send power itself.
func (cal Calibration) Convert(f Frame) Measurement {
	return Measurement{
		Voltage:     cal.Voltage * math.Sqrt(float64(f.VoltageSquare)),
		Current:     cal.Current * math.Sqrt(float64(f.CurrentSquare)),
		Power:       cal.Voltage * cal.Current * float64(f.Power),
		VoltagePeak: cal.Voltage * float64(f.VoltagePeak),
		CurrentPeak: cal.Current * float64(f.CurrentPeak),
	}
}

// Calibrations are the two calibrations that a meter holds.
type Calibrations struct {
	Factory Calibration // at EEPROM address 0x02
	Current Calibration // at 0x0E; differs from the factory's once a user has calibrated
}

// InForce returns the calibration to use: the current one or, if that is not
// sane, the factory's. If neither is sane the error is [ErrUncalibrated].
//
// NB: the specification names the factory scales, but meters with a user
// calibration are right only with the current ones.
func (c Calibrations) InForce() (cal Calibration, usedFactory bool, err error) {
	switch {
	case c.Current.Sane():
		return c.Current, false, nil
	case c.Factory.Sane():
		return c.Factory, true, nil
	}
	return Calibration{}, false, &Error{Op: "choose the calibration", Err: ErrUncalibrated}
}

// Calibration reads both calibrations from the EEPROM (§3.3.6). It does not
// judge them; see [Calibrations.InForce]. remembered, if not nil, is what they
// were when they were last read: a byte that has not changed is read once, others
// as [Client.ReadEEPROM] does, whose errors these are.
func (c *Client) Calibration(ctx context.Context, remembered *Calibrations) (Calibrations, error) {
	var p calibrationBytes
	var expected []byte
	if remembered != nil {
		known := remembered.encode()
		expected = known[:]
	}
	err := c.request(ctx, "read the calibration", func() error {
		return c.readEEPROM(ctx, addrFactory, p[:], expected)
	})
	if err != nil {
		return Calibrations{}, err
	}
	return p.decode(), nil
}

// calibrationBytes are both calibrations as they stand in the EEPROM.
type calibrationBytes [2 * calibrationSize]byte

func (p calibrationBytes) decode() Calibrations {
	return Calibrations{
		Factory: decodeCalibration([calibrationSize]byte(p[:calibrationSize])),
		Current: decodeCalibration([calibrationSize]byte(p[calibrationSize:])),
	}
}

func (c Calibrations) encode() (p calibrationBytes) {
	c.Factory.put(p[:calibrationSize])
	c.Current.put(p[calibrationSize:])
	return p
}

// MarshalText returns the bytes of the EEPROM from 0x02 to 0x19, in hexadecimal.
// The error is always nil. It implements [encoding.TextMarshaler].
func (c Calibrations) MarshalText() ([]byte, error) {
	p := c.encode()
	return hex.AppendEncode(nil, p[:]), nil
}

// UnmarshalText reads what MarshalText returns; all else is [ErrNotUnderstood].
// It implements [encoding.TextUnmarshaler].
func (c *Calibrations) UnmarshalText(text []byte) error {
	var p calibrationBytes
	ok := len(text) == hex.EncodedLen(len(p))
	if ok {
		_, err := hex.Decode(p[:], text)
		ok = err == nil
	}
	if !ok {
		return newAnswerError(text, fmt.Sprintf("not %d bytes in hexadecimal", len(p)))
	}
	*c = p.decode()
	return nil
}

// decodeCalibration decodes two IEEE 754 single floats, a 16-bit year, month
// and day, least significant byte first.
func decodeCalibration(p [calibrationSize]byte) Calibration {
	scale := func(p []byte) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(p)))
	}
	return Calibration{
		Voltage: scale(p[0:4]),
		Current: scale(p[4:8]),
		Date: Date{
			Year:  int(binary.LittleEndian.Uint16(p[8:10])),
			Month: time.Month(p[10]),
			Day:   int(p[11]),
		},
	}
}

// put is the reverse of decodeCalibration.
func (cal Calibration) put(p []byte) {
	binary.LittleEndian.PutUint32(p[0:], math.Float32bits(float32(cal.Voltage)))
	binary.LittleEndian.PutUint32(p[4:], math.Float32bits(float32(cal.Current)))
	binary.LittleEndian.PutUint16(p[8:], uint16(cal.Date.Year))
	p[10], p[11] = uint8(cal.Date.Month), uint8(cal.Date.Day)
}
