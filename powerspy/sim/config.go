package sim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// A Generation tells the two kinds of PowerSpy2 apart (the hardware byte of ?,
// §3.3.1). They answer F and R differently, J has another width, and the first
// has no clock and no SD card.
type Generation uint8

// The generations.
const (
	V1 Generation = 1 // Hardware byte 02.
	V2 Generation = 2 // Any other hardware byte; here 03.
)

// A Load is the shape of the power that the simulated load draws.
type Load string

// The loads. Config.Power and Config.LowPower bound them.
const (
	LoadConstant Load = "constant" // Always Power.
	LoadStep     Load = "step"     // LowPower, then Power, half a LoadPeriod each.
	LoadWave     Load = "wave"     // A sinusoid between LowPower and Power.
	LoadServer   Load = "server"   // Irregular bursts between LowPower and Power.
	LoadInrush   Load = "inrush"   // As LoadStep, with an inrush current at each switching on.
	LoadZero     Load = "zero"     // Nothing plugged in: noise, slightly negative.
	LoadField    Load = "field"    // As in the field test of Config.Field.
	LoadCPU      Load = "cpu"      // LowPower and up to Power with the use of this machine's processors (Linux).
	LoadFile     Load = "file"     // The watts that the file LoadPath holds, which may change.
)

// A Busy says what becomes of a second connection while one is open.
type Busy string

// What a second connection meets.
const (
	BusyRefuse  Busy = "refuse"  // It is closed at once, with ErrBusy.
	BusyWait    Busy = "wait"    // It is served when the first has ended.
	BusyReplace Busy = "replace" // The first is closed.
)

// A Calibration is one of the two pairs of scales in the EEPROM.
type Calibration struct {
	Voltage float32 // Uscale, volts per count.
	Current float32 // Iscale, amperes per count.
	Year    uint16  // Date of the calibration.
	Month   uint8   // 1 to 12.
	Day     uint8   // 1 to 31.
}

// A Config describes a simulated meter. In the zero value the fields whose
// comment names a default have it; delay, jitter, stalls, drift and faults are
// off, and the first frame is right. DefaultConfig is a lifelike meter.
type Config struct {
	Generation Generation // Default V2.
	Serial     uint16     // Serial number; default 4567.
	Firmware   uint8      // Default 0x35.
	Hardware   uint8      // Byte of the identity; 0 for the usual one of Generation.

	// Factory and Current are the calibrations in the EEPROM. The meter's
	// counts follow Current, or Factory if Current is no sane scale. The
	// defaults differ, so that a client that uses the wrong one is found out.
	Factory, Current Calibration
	LogPeriod        uint16 // In mains periods, 0 to 5000.

	// Files are the sizes in bytes of the files that are on the SD card from
	// the start, at most 1000, together up to 8 MiB; their content is random.
	// V1 has no card.
	Files []int

	Voltage   float64 // Mean mains voltage, V rms, 80 to 300; default 230.
	Frequency float64 // Mean mains frequency, 40 to 70 Hz; default 50.
	Drift     float64 // Largest relative wander of the frequency, 0 to 0.01.
	Load      Load    // Default LoadConstant.
	Power     float64 // W, -3500 to 3500; default 200. Largest power of the load.
	LowPower  float64 // W, -3500 to 3500. Smallest power of the load.
	LoadPath  string  // Of LoadFile: a file that holds a number of watts.
	PF        float64 // Power factor of the load, above 0, up to 1; default 0.95.
	// LoadPeriod is the period of LoadStep, LoadWave and LoadInrush, 10 ms or
	// more (LoadInrush: 200 ms); default 10 s.
	LoadPeriod time.Duration
	// Inrush is the peak current of LoadInrush when it is switched on, in
	// amperes, up to 17, which a capture can still tell; default 12.
	Inrush float64

	First First // The first frame after J; default a right one.

	Link  Link  // Default LinkExponential, which is ideal as long as there is no Jitter and no Stall.
	Radio Radio // Of the links a, b and c; default Link.Radio().

	// Replay, if set, is what the meter measures, from its beginning at each J:
	// values, arrivals and windows left out are the recorded ones, and Link is
	// one without a radio. When it is over the meter falls silent, or, with
	// Repeat, goes on from its second window.
	Replay *Recording
	Repeat bool

	// Field, if set, is a real meter as a field test found it. ParseSpec makes the
	// rest of a Config fit to it; Link is then one without a radio.
	Field *Field

	// What follows comes on top of what a radio does.
	Delay    time.Duration // Constant part of the link's delay, each way.
	Jitter   time.Duration // Mean of the exponential part, each way; not with LinkIdeal.
	Stall    float64       // Probability that a frame or an answer is stalled, 0 to 1; not with LinkIdeal.
	StallMin time.Duration // A stall lasts from StallMin...
	StallMax time.Duration // ...to StallMax; default 200 ms to 600 ms.

	EOL    string // Sent after each frame; default LF CR. EOLNone for nothing.
	Dots   bool   // Q, E, M and O are answered <K.> or <Z.>, as the specification prints it.
	Busy   Busy   // Default BusyRefuse.
	Seed   uint64 // Of everything random.
	Faults Faults // What is wrong with the meter from the start.
}

// EOLNone as Config.EOL sends nothing between frames.
const EOLNone = "none"

// maxPower keeps the current below what 16 bits of peak counts can tell.
const maxPower = 3500

// maxInrush keeps it below what the 16 bits of a capture, with their sign, can
// tell. shortestCycle leaves an inrush load some mains periods on
// and off.
const (
	maxInrush     = 17
	shortestCycle = 200 * time.Millisecond
)

var (
	// These scales were read from a meter: 6C 02 A7 3D and CE DC 0E 3A.
	currentCalibration = Calibration{
		Voltage: math.Float32frombits(0x3da7026c),
		Current: math.Float32frombits(0x3a0edcce),
		Year:    2012, Month: 8, Day: 30,
	}
	factoryCalibration = Calibration{
		Voltage: 0.0809, Current: 0.000551,
		Year: 2012, Month: 3, Day: 14,
	}
)

// DefaultConfig returns the meter that "sim:" stands for: second generation,
// behind the Bluetooth link that leaves most out, on European mains, with a
// server as load.
func DefaultConfig() Config {
	c := Config{
		Drift:    200e-6,
		Load:     LoadServer,
		LowPower: 20,
		// One entry a second.
		LogPeriod: 50,
		Files:     AwkwardSizes(),
		First:     First{Law: FirstRunsOn},
		Seed:      1,
	}
	c.choose(LinkA)
	return c.withDefaults()
}

func (c Config) withDefaults() Config {
	c.Generation = cmp.Or(c.Generation, V2)
	c.Serial = cmp.Or(c.Serial, 4567)
	c.Firmware = cmp.Or(c.Firmware, 0x35)
	c.Factory = cmp.Or(c.Factory, factoryCalibration)
	c.Current = cmp.Or(c.Current, currentCalibration)
	c.Voltage = cmp.Or(c.Voltage, 230)
	c.Frequency = cmp.Or(c.Frequency, 50)
	c.Load = cmp.Or(c.Load, LoadConstant)
	c.Power = cmp.Or(c.Power, 200)
	c.PF = cmp.Or(c.PF, 0.95)
	c.LoadPeriod = cmp.Or(c.LoadPeriod, 10*time.Second)
	c.Inrush = cmp.Or(c.Inrush, 12)
	c.First.Law = cmp.Or(c.First.Law, FirstClean)
	c.Link = cmp.Or(c.Link, LinkExponential)
	c.Radio = cmp.Or(c.Radio, c.Link.Radio())
	c.StallMin = cmp.Or(c.StallMin, 200*time.Millisecond)
	c.StallMax = cmp.Or(c.StallMax, max(600*time.Millisecond, c.StallMin))
	c.EOL = cmp.Or(c.EOL, "\n\r")
	c.Busy = cmp.Or(c.Busy, BusyRefuse)
	return c
}

// Validate says what in c makes no sense, in an error of no type of its own;
// defaults count as filled in.
func (c Config) Validate() error {
	c = c.withDefaults()
	within := func(v, low, high float64) bool { return v >= low && v <= high }
	switch {
	case c.Generation != V1 && c.Generation != V2:
		return fmt.Errorf("generation %d is neither 1 nor 2", c.Generation)
	case (c.hardware() == V1.hardware()) != (c.Generation == V1):
		return fmt.Errorf("hardware byte %02X is not that of generation %d", c.Hardware, c.Generation)
	case !c.Factory.sane() && !c.Current.sane():
		return errors.New("neither calibration has positive scales")
	case c.LogPeriod > 5000:
		return fmt.Errorf("log period of %d periods is above 5000", c.LogPeriod)
	case !within(c.Voltage, 80, 300):
		return fmt.Errorf("voltage %g V is outside 80 to 300", c.Voltage)
	case !within(c.Frequency, 40, 70):
		return fmt.Errorf("frequency %g Hz is outside 40 to 70", c.Frequency)
	case !within(c.Drift, 0, 0.01):
		return fmt.Errorf("drift %g is outside 0 to 0.01 (10000ppm)", c.Drift)
	case !within(c.Power, -maxPower, maxPower) || !within(c.LowPower, -maxPower, maxPower):
		return fmt.Errorf("power of %g to %g W is outside -%d to %d", c.LowPower, c.Power, maxPower, maxPower)
	case !(c.PF > 0 && c.PF <= 1):
		return fmt.Errorf("power factor %g is not above 0 and up to 1", c.PF)
	case c.LoadPeriod < 10*time.Millisecond:
		return fmt.Errorf("load period %v is below 10ms", c.LoadPeriod)
	case c.Load == LoadInrush && c.LoadPeriod < shortestCycle:
		return fmt.Errorf("load period %v of an inrush load is below %v", c.LoadPeriod, shortestCycle)
	case !within(c.Inrush, 0, maxInrush):
		return fmt.Errorf("inrush of %g A is outside 0 to %d", c.Inrush, maxInrush)
	}
	switch c.Load {
	case LoadConstant, LoadStep, LoadWave, LoadServer, LoadInrush, LoadZero, LoadCPU, LoadFile:
	case LoadField:
		if c.Field == nil || c.Field.load == nil {
			return errors.New("there is no field test that tells the load; field=FILE is one")
		}
	default:
		return fmt.Errorf("load %q is not one of constant, step, wave, server, inrush, zero, cpu, file:PATH", string(c.Load))
	}
	switch c.Busy {
	case BusyRefuse, BusyWait, BusyReplace:
	default:
		return fmt.Errorf("busy %q is not one of refuse, wait, replace", string(c.Busy))
	}
	if err := cmp.Or(c.checkFollowed(), c.validateCard(), c.First.validate(), c.validateLink(), c.validateReplay(), c.validateField()); err != nil {
		return err
	}
	return c.Faults.validate()
}

// hardware is the hardware byte of the identity.
func (c *Config) hardware() uint8 { return cmp.Or(c.Hardware, c.Generation.hardware()) }

// sane reports whether the scales can be multiplied by.
func (c Calibration) sane() bool {
	good := func(f float32) bool { return f > 0 && !math.IsInf(float64(f), 0) }
	return good(c.Voltage) && good(c.Current)
}
