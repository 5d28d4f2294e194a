package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
	"powerspy2/rfcomm"
)

// Kinds of failure, by what a person can do about them.
var (
	// ErrNotFound: no meter answers. Switch it on, come closer.
	ErrNotFound = errors.New("no meter found")
	// ErrNotReady: this machine lacks something (an adapter, the Bluetooth
	// service, a right).
	ErrNotReady = errors.New("this machine is not ready")
	// ErrPairing: the meter refused to pair, which nearly always is the PIN.
	ErrPairing = errors.New("pairing refused")
	// ErrNoAnswer: a meter is there, but it does not answer as a meter does,
	// or somebody else is using it.
	ErrNoAnswer = errors.New("the meter does not answer")
	// ErrUsage: what was asked for makes no sense. Nothing was opened.
	ErrUsage = errors.New("wrong usage")

	// Kinds of wrong usage.

	ErrInterval = fmt.Errorf("%w: interval", ErrUsage) // the interval can't be had
	ErrDevice   = fmt.Errorf("%w: device", ErrUsage)   // ParseTarget does not know this form
	ErrAdapter  = fmt.Errorf("%w: adapter", ErrUsage)  // the form of Config.Adapter
	ErrPIN      = fmt.Errorf("%w: PIN", ErrUsage)      // the form of Config.PIN
)

// An Error says what failed, why, and of which kind that is. What to do about
// it depends on the program: [errors.Is] and [errors.As] find the cause, which is
// one of the errors of this package or of the packages below it.
type Error struct {
	Kind error  // one of the sentinels of this package; nil when none fits
	Op   string // what failed, such as "pair with PowerSpy 4567"
	Err  error  // why; never nil
}

// Error says what failed and why.
func (e *Error) Error() string {
	return strings.TrimSuffix(e.Op, ":") + ": " + e.Err.Error() // a meter may be called "sim:"
}

// Unwrap lets errors.Is find both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// because puts a reason for people before the cause that programs look for.
func because(why string, cause error) error { return &reason{errors.New(why), cause} }

// A reason is what people should know of a cause. Programs may look for either.
type reason struct{ why, cause error }

func (r *reason) Error() string   { return fmt.Sprintf("%v (%v)", r.why, r.cause) }
func (r *reason) Unwrap() []error { return []error{r.why, r.cause} }

// why returns the reason for people alone, without what was being done and the
// cause for programs.
func why(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		err = e.Err
	}
	if r, ok := err.(*reason); ok { //nolint:errorlint // one further down is not all there is to say
		return r.why.Error()
	}
	return err.Error()
}

// explanation is what a person should know of a cause from further down.
type explanation struct {
	cause error
	kind  error
	why   string // empty if the cause says it all
}

// explanations is searched from the top: the first cause that matches is told.
var explanations = []explanation{
	{ErrInUse, ErrNoAnswer, "the meter is in use by another program"},
	{ErrSilentLine, ErrNoAnswer, "nothing answers on the line"},
	{errTooFast, ErrNoAnswer, ""},
	{rfcomm.ErrKernelStuck, ErrNotReady, "the kernel's Bluetooth is stuck: an earlier failed connection killed its RFCOMM"},
	{rfcomm.ErrNotSupported, ErrNotReady, "this kernel has no Bluetooth RFCOMM"},
	{rfcomm.ErrAdapterDown, ErrNotReady, "the Bluetooth adapter is missing or switched off"},
	{bluez.ErrNoDaemon, ErrNotReady, "the Bluetooth service (bluetoothd) is not running"},
	{bluez.ErrNotReady, ErrNotReady, "the Bluetooth adapter is switched off"},
	{rfcomm.ErrAbsent, ErrNotFound, "the meter does not respond over Bluetooth"},
	{bluez.ErrPageTimeout, ErrNotFound, "the meter does not respond over Bluetooth"},
	{rfcomm.ErrKeyRefused, ErrPairing, "the meter refuses this machine's key"},
	{rfcomm.ErrBusy, ErrNoAnswer, "another program on this machine is connected to the meter"},
	{rfcomm.ErrOccupied, ErrNoAnswer, "the meter refuses the link, as it does while another computer is connected to it"},
	{rfcomm.ErrAdapterHung, ErrNotReady, "the Bluetooth adapter does not answer"},
	{rfcomm.ErrLinkLost, ErrNoAnswer, "the radio link to the meter broke"},
	{bluez.ErrNoAnswer, ErrNotReady, "the Bluetooth service (bluetoothd) is there but does not answer"},
	{rfcomm.ErrRefused, ErrNoAnswer, "the meter refuses the connection, as it does while somebody else is connected to it"},
	{rfcomm.ErrNoService, ErrNoAnswer, "the device has no serial port service, so it is not a PowerSpy"},
	{bluez.ErrInProgress, ErrNotReady, "another program is busy with the same thing"},
	{bluez.ErrAuthTimeout, ErrPairing, "the meter did not finish pairing in time"},
	{powerspy.ErrNotSupported, ErrNoAnswer, ""},
	{powerspy.ErrOutOfRange, ErrUsage, ""},
	{powerspy.ErrRefused, ErrNoAnswer, "the meter refused a request"},
	{powerspy.ErrNoAnswer, ErrNoAnswer, "the meter is connected but silent"},
	{powerspy.ErrNotUnderstood, ErrNoAnswer, "the device does not respond like a PowerSpy"},
	{powerspy.ErrUncalibrated, ErrNoAnswer, "the meter's calibration is damaged"},
	{sim.ErrAway, ErrNotFound, "the simulated meter is out of reach, as one of its faults demands"},
	{powerspy.ErrLink, ErrNoAnswer, "the link to the meter broke"},
	// Of a connect, again and again.
	{syscall.ECONNABORTED, ErrNoAnswer, "the link to the meter broke"},
	{syscall.ECONNRESET, ErrNoAnswer, "the link to the meter broke"},
}

// explain turns a failure from the packages below into an *Error. What is one
// already, and the context's own errors, pass unchanged.
func explain(op string, err error) error {
	var done *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, err)
	}
	for _, e := range explanations {
		if !errors.Is(err, e.cause) {
			continue
		}
		if e.why != "" {
			err = because(e.why, err)
		} else if below, ok := errors.AsType[*powerspy.Error](err); ok {
			err = below.Err // op says what was done
		}
		return &Error{Kind: e.kind, Op: op, Err: err}
	}
	return &Error{Op: op, Err: err}
}

// denied is the answer to a D-Bus policy that keeps this user from BlueZ.
func denied(op string, err error) error {
	return &Error{Kind: ErrNotReady, Op: op, Err: &reason{ErrPolicy, err}}
}

// explainBlueZ is explain for calls to BlueZ, where a refusal is the policy's.
func explainBlueZ(op string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return denied(op, err)
	}
	return explain(op, err)
}
