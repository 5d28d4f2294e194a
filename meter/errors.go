package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"

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
	// ErrInterval: the interval can't be had. It is a usage error, too.
	ErrInterval = fmt.Errorf("%w: interval", ErrUsage)
)

// An Error says in one sentence what failed, why, and what to do next.
type Error struct {
	Kind error  // one of the sentinels of this package; nil when none fits
	Op   string // what failed, such as "pair with PowerSpy 4567"
	Err  error  // why; never nil
	Next string // what to do next; may be empty
}

// Error says what failed, why and what to do next.
func (e *Error) Error() string {
	s := e.Op + ": " + e.Err.Error()
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

// Unwrap lets errors.Is find both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// because puts a reason for people before the cause that programs look for.
func because(why string, cause error) error { return &reason{why, cause} }

type reason struct {
	why   string
	cause error
}

func (r *reason) Error() string { return fmt.Sprintf("%s (%v)", r.why, r.cause) }
func (r *reason) Unwrap() error { return r.cause }

// why returns the reason for people alone, without what was being done, the
// cause for programs, and what to do next.
func why(err error) string {
	var e *Error
	if errors.As(err, &e) {
		err = e.Err
	}
	if r, ok := err.(*reason); ok {
		return r.why
	}
	return err.Error()
}

// explanation is what a person should know of a cause from further down.
type explanation struct {
	cause     error
	kind      error
	why, next string // why is empty if the cause says it all
}

// explanations is searched from the top: the first cause that matches is told.
var explanations = []explanation{
	{rfcomm.ErrKernelStuck, ErrNotReady, "the kernel's Bluetooth is stuck: an earlier connection that failed killed its RFCOMM",
		"reboot this machine (nothing less helps; a kernel before 6.1.192 or from 6.12 on does not have this bug)"},
	{rfcomm.ErrNotSupported, ErrNotReady, "this kernel has no Bluetooth RFCOMM",
		"run on a Linux kernel with the modules bluetooth and rfcomm, or try `powerspy measure --device sim:`"},
	{rfcomm.ErrAdapterDown, ErrNotReady, "the Bluetooth adapter is missing or switched off",
		"type `powerspy doctor`"},
	{bluez.ErrNoDaemon, ErrNotReady, "the Bluetooth service (bluetoothd) is not running",
		"ask an administrator to run `sudo systemctl enable --now bluetooth`"},
	{bluez.ErrNotReady, ErrNotReady, "the Bluetooth adapter is switched off",
		"type `bluetoothctl power on`, or `rfkill unblock bluetooth` if it is blocked"},
	{rfcomm.ErrAbsent, ErrNotFound, "the meter does not answer the radio call",
		"check that it has power, is within some ten metres and is not in use by another computer"},
	{bluez.ErrPageTimeout, ErrNotFound, "the meter does not answer the radio call",
		"check that it has power, is within some ten metres and is not in use by another computer"},
	{rfcomm.ErrKeyRefused, ErrPairing, "the meter refuses this machine's key",
		"type `powerspy setup` to pair with it again"},
	{rfcomm.ErrBusy, ErrNoAnswer, "another program on this machine is connected to the meter",
		"stop it, then try again (/proc/net/rfcomm shows which users it may belong to)"},
	{rfcomm.ErrOccupied, ErrNoAnswer, "the meter refuses the link, as it does while another computer is connected to it",
		"disconnect it there, then try again"},
	{rfcomm.ErrAdapterHung, ErrNotReady, "the Bluetooth adapter does not answer",
		"type `bluetoothctl power off` and `bluetoothctl power on`, or plug the adapter out and in"},
	{rfcomm.ErrLinkLost, ErrNoAnswer, "the radio link to the meter broke", "bring the meter closer, then start again"},
	{bluez.ErrNoAnswer, ErrNotReady, "the Bluetooth service (bluetoothd) is there but does not answer",
		"ask an administrator to run `sudo systemctl restart bluetooth`"},
	{rfcomm.ErrRefused, ErrNoAnswer, "the meter refuses the connection, as it does while somebody else is connected to it",
		"close the other program or computer that uses the meter, then try again"},
	{rfcomm.ErrNoService, ErrNoAnswer, "the device has no serial port service, so it is no PowerSpy",
		"type `powerspy scan` to see what is there"},
	{bluez.ErrInProgress, ErrNotReady, "another program is busy with the same thing",
		"wait a little, then try again"},
	{bluez.ErrAuthTimeout, ErrPairing, "the meter did not finish pairing in time",
		"try again closer to it"},
	{powerspy.ErrNotSupported, ErrNoAnswer, "", "`powerspy info` shows its generation"},
	{powerspy.ErrOutOfRange, ErrUsage, "", ""},
	{powerspy.ErrRefused, ErrNoAnswer, "the meter refused a request",
		"try again; if it stays, unplug the meter for ten seconds (this cuts the power of what is plugged into it)"},
	{powerspy.ErrNoAnswer, ErrNoAnswer, "the meter is connected but silent",
		"try again; if it stays, unplug the meter for ten seconds (this cuts the power of what is plugged into it)"},
	{powerspy.ErrNotUnderstood, ErrNoAnswer, "what answers does not speak like a PowerSpy",
		"check --device; `--debug` shows the bytes"},
	{powerspy.ErrUncalibrated, ErrNoAnswer, "the meter's calibration is damaged",
		"type `powerspy info --debug` to see it, and have the meter calibrated"},
	{sim.ErrAway, ErrNotFound, "the simulated meter is out of reach, as one of its faults wants it", "try again later"},
	{powerspy.ErrLink, ErrNoAnswer, "the link to the meter broke", "try again"},
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
		var below *powerspy.Error
		if e.why != "" {
			err = because(e.why, err)
		} else if errors.As(err, &below) {
			err = below.Err // op says what was done
		}
		return &Error{Kind: e.kind, Op: op, Err: err, Next: e.next}
	}
	return &Error{Op: op, Err: err}
}

// denied is the answer to a D-Bus policy that keeps this user from BlueZ.
func denied(op string, err error) error {
	name := "$USER"
	if u, uerr := user.Current(); uerr == nil {
		name = u.Username
	}
	return &Error{
		Kind: ErrNotReady, Op: op,
		Err: because("the D-Bus policy of this machine does not let this user talk to the Bluetooth service", err),
		Next: fmt.Sprintf("ask an administrator to run once `sudo usermod -aG bluetooth %s` (the group bluetooth has that right), then log in again",
			name),
	}
}

// explainBlueZ is explain for calls to BlueZ, where a refusal is the policy's.
func explainBlueZ(op string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return denied(op, err)
	}
	return explain(op, err)
}
