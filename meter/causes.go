package meter

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// Causes that this package finds itself. An [Error] wraps them beside its kind,
// for programs that know a remedy; most others are those of packages rfcomm,
// bluez and powerspy.
var (
	// This machine, all of them with ErrNotReady.

	ErrPolicy      = errors.New("the D-Bus policy of this machine does not let this user talk to the Bluetooth service")
	ErrNoAdapter   = errors.New("this machine has no Bluetooth adapter")
	ErrAdapterOff  = errors.New("switched off")
	ErrBlocked     = errors.New("blocked (rfkill)")
	ErrHardBlocked = errors.New("blocked by a switch of this machine (rfkill)")

	// Finding a meter, all of them with ErrNotFound.

	ErrNoneAnswered = errors.New("none answered") // within the time of a discovery
	ErrHidden       = errors.New("it responds over Bluetooth, but is not discoverable")
	ErrNotPaired    = errors.New("not paired with this machine")

	// A meter that is there.

	ErrShortWindows       = errors.New("allows no longer windows") // of an interval
	ErrFactoryCalibration = errors.New("the current calibration is not sane; readings use the factory's")
	ErrNotLogging         = errors.New("the meter refused, as it does when it is not logging")
	ErrRestored           = errors.New("the old bytes were restored")                    // after a failed WriteEEPROM
	ErrNotRestored        = errors.New("restoring the old bytes failed as well")         // what the EEPROM holds is not known
	ErrPowerCycle         = errors.New("the command that cuts the power failed")         // Recovery.PowerCycle returned an error
	ErrNoStep             = errors.New("no step could be taken")                         // of a Recover
	ErrNoStepHelped       = errors.New("no step helped")                                 // of a Recover
	ErrStepOrder          = fmt.Errorf("%w: the steps are in the wrong order", ErrUsage) // of a RecoverConfig
)

// A SeveralError lists the meters of which one has to be named. It comes with
// ErrUsage.
type SeveralError struct {
	Found []Target // at least two
}

// Error names the meters.
func (e *SeveralError) Error() string {
	names := make([]string, len(e.Found))
	for i, t := range e.Found {
		names[i] = t.String()
	}
	return fmt.Sprintf("there are %d: %s", len(names), strings.Join(names, ", "))
}

// An UntrustedError is a meter that is paired but may not connect without a
// question. It comes with ErrNotReady.
type UntrustedError struct {
	Target Target // a Bluetooth one
}

// Error names the meter.
func (e *UntrustedError) Error() string {
	return fmt.Sprintf("%s is paired, but not trusted", e.Target)
}

// A PINSource says where a PIN came from.
type PINSource uint8

// Sources of PINs.
const (
	GivenPIN  PINSource = iota + 1 // Config.PIN
	UsualPINs                      // 1234 and 0000
	TypedPINs                      // Config.AskPIN
)

// A PINError is a PIN, or several, that a meter refused: no use in trying them
// again, unless it only broke off. It comes with ErrPairing.
type PINError struct {
	Source PINSource // of the PINs that were tried
	Err    error     // how it refused the last one: bluez.ErrAuthFailed, ErrAuthRejected or ErrAuthCanceled
}

// Unwrap returns how the last PIN was refused.
func (e *PINError) Unwrap() error { return e.Err }

// Error says which PINs.
func (e *PINError) Error() string {
	what := "the PINs that were typed"
	switch e.Source {
	case GivenPIN:
		what = "the PIN that was given"
	case UsualPINs:
		what = "the usual PINs " + strings.Join(usualPINs, " and ")
	}
	switch {
	case errors.Is(e.Err, bluez.ErrAuthCanceled):
		return "the meter broke off pairing after it got " + what + ", which may mean a wrong PIN"
	case errors.Is(e.Err, bluez.ErrAuthRejected):
		return "the meter refuses to pair, even with " + what
	}
	return "the meter refused " + what
}

// A BusyError is a meter that another program on this machine is connected to.
// It comes with ErrNoAnswer.
type BusyError struct {
	Holders []rfcomm.Holder // who it may be; empty if not known
}

// Error says it in one sentence.
func (e *BusyError) Error() string {
	return "another program on this machine is connected to the meter"
}

// An IntervalError is an interval that is shorter than a window of this meter.
// It comes with ErrInterval.
type IntervalError struct {
	Periods   int     // mains periods in a window
	Frequency float64 // of the mains, in Hz
}

// Error says what the shortest one is.
func (e *IntervalError) Error() string {
	window := "one mains period"
	if e.Periods > 1 {
		window = fmt.Sprintf("one window of %d mains periods", e.Periods)
	}
	return fmt.Sprintf("the shortest is %s, which is %.4g ms here (%.4g Hz)", window, 1e3*float64(e.Periods)/e.Frequency, e.Frequency)
}

// Shortest returns an interval to ask for, in whole milliseconds. The mains
// wander by some tenths of a percent, so it may be a little shorter than the
// window is now.
func (e *IntervalError) Shortest() time.Duration {
	return time.Duration(math.Ceil(1e3*float64(e.Periods)/e.Frequency*0.97)) * time.Millisecond
}

// An AveragingError is a number of mains periods that windows of this meter can't
// have. It comes with ErrUsage.
type AveragingError struct {
	Most int // mains periods in a window
}

// Error says what is possible.
func (e *AveragingError) Error() string {
	return fmt.Sprintf("a window of this meter can be 1 to %d periods", e.Most)
}
