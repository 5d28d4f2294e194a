package sim

import (
	"encoding/binary"
	"math"
)

// Addresses in the EEPROM (AL/LG/0838/003 §3.3.6). Numbers of more than one
// byte have the least significant byte first.
const (
	addrSerial    = 0x00
	addrFactory   = 0x02
	addrCurrent   = 0x0e
	addrLogPeriod = 0x1a
)

// EEPROM is the content of the meter's EEPROM, laid out as in
// AL/LG/0838/003 §3.3.6. What is not documented is erased, 0xff.
type EEPROM [256]byte

func newEEPROM(cfg *Config) *EEPROM {
	var e EEPROM
	for i := range e {
		e[i] = 0xff
	}
	binary.LittleEndian.PutUint16(e[addrLogPeriod:], cfg.LogPeriod)
	if cfg.Field != nil {
		copy(e[:], cfg.Field.file.EEPROM.Bytes) // All of it, or nothing.
	}
	binary.LittleEndian.PutUint16(e[addrSerial:], cfg.Serial)
	e.putCalibration(addrFactory, cfg.Factory)
	e.putCalibration(addrCurrent, cfg.Current)
	return &e
}

func (e *EEPROM) serial() uint16 { return binary.LittleEndian.Uint16(e[addrSerial:]) }

func (e *EEPROM) putCalibration(addr int, c Calibration) {
	binary.LittleEndian.PutUint32(e[addr:], math.Float32bits(c.Voltage))
	binary.LittleEndian.PutUint32(e[addr+4:], math.Float32bits(c.Current))
	binary.LittleEndian.PutUint16(e[addr+8:], c.Year)
	e[addr+10] = c.Month
	e[addr+11] = c.Day
}
