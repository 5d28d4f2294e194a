package powerspy

import (
	"context"
	"encoding/binary"
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

// Bounds of a scale that is believed. Real ones are about 0.08 V and 0.0005 A
// per count; what lies out here is other data read as a float.
const (
	minScale = 1e-6
	maxScale = 1e3
)

// Sane reports whether both scales are positive, finite, and of a size that a
// meter can have: 1e-6 to 1e3.
func (cal Calibration) Sane() bool {
	ok := func(scale float64) bool { return scale >= minScale && scale <= maxScale }
	return ok(cal.Voltage) && ok(cal.Current)
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
// judge them; see [Calibrations.InForce]. Errors are as for
// [Client.ReadEEPROM].
func (c *Client) Calibration(ctx context.Context) (Calibrations, error) {
	var p [2 * calibrationSize]byte
	err := c.request(ctx, "read the calibration", func() error {
		return c.readEEPROM(ctx, addrFactory, p[:])
	})
	if err != nil {
		return Calibrations{}, err
	}
	return Calibrations{
		Factory: decodeCalibration([calibrationSize]byte(p[:calibrationSize])),
		Current: decodeCalibration([calibrationSize]byte(p[calibrationSize:])),
	}, nil
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
