package bluez

import (
	"errors"
	"os"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Errors that calls of this package unwrap to. Test for them with errors.Is.
var (
	// ErrNoDaemon means that nobody owns the name org.bluez on the system bus,
	// or that its owner left before it answered.
	ErrNoDaemon = errors.New("the Bluetooth daemon is not running")

	// ErrNoBus means that the system bus itself cannot be reached, or was lost.
	// It is an ErrNoDaemon too. A Client does not outlive it.
	ErrNoBus error = &kind{"the system bus cannot be reached", ErrNoDaemon}

	// ErrNoAnswer means that the daemon is there, but did not answer a call
	// within the time that this package grants it. It is an
	// os.ErrDeadlineExceeded too.
	ErrNoAnswer error = &kind{"the Bluetooth daemon does not answer", os.ErrDeadlineExceeded}

	// ErrNotReady means that the adapter is powered off or blocked.
	ErrNotReady = errors.New("the Bluetooth adapter is off")

	// ErrInProgress means that an operation of the same kind is under way.
	ErrInProgress = errors.New("already in progress")

	// ErrAuthFailed means that pairing failed; most often the PIN was wrong.
	ErrAuthFailed = errors.New("authentication failed")

	// ErrAuthRejected means that the device refused to pair.
	ErrAuthRejected = errors.New("authentication rejected by the device")

	// ErrAuthTimeout means that the device stopped answering while pairing.
	ErrAuthTimeout = errors.New("authentication timed out")

	// ErrAuthCanceled means that pairing was cancelled: by another program, or
	// because the link broke.
	ErrAuthCanceled = errors.New("authentication cancelled")

	// ErrAlreadyPaired means that the machine holds a key for the device. The
	// device may have forgotten its own all the same; then Remove and Pair heal
	// it.
	ErrAlreadyPaired = errors.New("already paired")

	// ErrPageTimeout means that the device did not answer when it was called:
	// it is off, out of range or connected to another host.
	ErrPageTimeout = errors.New("the device does not answer")
)

// A kind is an error that is another, more general one as well.
type kind struct {
	text string
	of   error
}

func (k *kind) Error() string { return k.text }
func (k *kind) Unwrap() error { return k.of }

// An Error is what every failing call of this package returns.
type Error struct {
	// Op is what was attempted, for example "pair" or "start discovery".
	Op string
	// Subject is the adapter or device it was attempted on, "" for neither.
	Subject string
	// Name is the D-Bus name of the error, for example
	// "org.bluez.Error.NotReady", "" when the error did not come over D-Bus.
	Name string
	// Message is what the daemon said, "" when it said nothing.
	Message string
	// Err is what the error unwraps to, nil for an error of the daemon's that
	// has no meaning in this package.
	Err error
}

// Error returns the operation, its subject and the cause. The daemon's own words,
// which may be long, stand in for a cause that has no meaning in this package;
// see [Error.Details] for the rest.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("bluez: ")
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Err == nil && e.Name != "" {
		b.WriteString(": " + shortened(e.Details()))
	}
	return b.String()
}

// Details returns what the daemon or the bus said, the name of the D-Bus error
// first; "" when the error did not come over D-Bus.
func (e *Error) Details() string {
	if e.Message == "" {
		return e.Name
	}
	return e.Name + ": " + e.Message
}

// maxWords bounds what a sentence quotes of the daemon's words, in characters.
const maxWords = 120

// shortened returns the first line of a text, up to maxWords.
func shortened(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if r := []rune(line); len(r) > maxWords {
		line = string(r[:maxWords])
	}
	if line != text {
		line += "..."
	}
	return line
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// D-Bus error names, grouped under the Go error that they become. Those of
// org.freedesktop.DBus are in the D-Bus specification ("Standard Error Names")
// and dbus-protocol.h, those of org.bluez in src/error.h and the pages of the
// interfaces.
var meanings = map[string]error{
	"org.freedesktop.DBus.Error.AccessDenied":                     os.ErrPermission,
	"org.freedesktop.DBus.Error.AuthFailed":                       os.ErrPermission,
	"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": os.ErrPermission,
	"org.bluez.Error.NotAuthorized":                               os.ErrPermission,
	"org.bluez.Error.NotPermitted":                                os.ErrPermission,

	// An object that is not there is told by name in several ways, according to
	// whether something else lives at or below its path.
	"org.freedesktop.DBus.Error.UnknownObject":    os.ErrNotExist,
	"org.freedesktop.DBus.Error.UnknownInterface": os.ErrNotExist,
	"org.freedesktop.DBus.Error.UnknownMethod":    os.ErrNotExist,
	"org.bluez.Error.DoesNotExist":                os.ErrNotExist,

	"org.bluez.Error.AlreadyExists": os.ErrExist,

	"org.freedesktop.DBus.Error.InvalidArgs": os.ErrInvalid,
	"org.bluez.Error.InvalidArguments":       os.ErrInvalid,

	"org.freedesktop.DBus.Error.NotSupported": errors.ErrUnsupported,
	"org.bluez.Error.NotSupported":            errors.ErrUnsupported,

	"org.freedesktop.DBus.Error.ServiceUnknown": ErrNoDaemon,
	"org.freedesktop.DBus.Error.NameHasNoOwner": ErrNoDaemon,
	"org.freedesktop.DBus.Error.NoReply":        ErrNoDaemon,
	"org.freedesktop.DBus.Error.Disconnected":   ErrNoBus,
	"org.freedesktop.DBus.Error.NoServer":       ErrNoBus,

	"org.freedesktop.DBus.Error.Timeout":  ErrNoAnswer,
	"org.freedesktop.DBus.Error.TimedOut": ErrNoAnswer,

	"org.bluez.Error.NotReady":               ErrNotReady,
	"org.bluez.Error.Blocked":                ErrNotReady,
	"org.bluez.Error.InProgress":             ErrInProgress,
	"org.bluez.Error.Busy":                   ErrInProgress,
	"org.bluez.Error.AuthenticationFailed":   ErrAuthFailed,
	"org.bluez.Error.AuthenticationRejected": ErrAuthRejected,
	"org.bluez.Error.AuthenticationTimeout":  ErrAuthTimeout,
	"org.bluez.Error.AuthenticationCanceled": ErrAuthCanceled,
}

// spawnPrefix begins the names by which the bus reports that it could not start
// a service. Calls of this package never ask it to.
const spawnPrefix = "org.freedesktop.DBus.Error.Spawn."

// meaning returns the Go error for a D-Bus error, nil for one without.
func meaning(op, name, message string) error {
	switch {
	case strings.HasPrefix(name, spawnPrefix):
		return ErrNoDaemon
	case name == "org.bluez.Error.AlreadyExists" && op == opPair:
		return ErrAlreadyPaired
	case name == "org.bluez.Error.NotPermitted" && message == "UUID already registered":
		return os.ErrExist
	// The first is how Pair, the second how Connect tells the same.
	case name == "org.bluez.Error.ConnectionAttemptFailed" && message == "Page Timeout",
		name == "org.bluez.Error.Failed" && message == "br-connection-page-timeout":
		return ErrPageTimeout
	}
	return meanings[name]
}

// wrap makes an *Error of err, nil of nil. An *Error is returned as it is, so
// that the innermost operation, which knows most, is the one that is named.
func wrap(op, subject string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	e := &Error{Op: op, Subject: subject}
	if de, ok := errors.AsType[dbus.Error](err); ok {
		e.Name = de.Name
		if len(de.Body) > 0 {
			// The specification has a message first, if anything.
			e.Message, _ = de.Body[0].(string)
		}
		e.Err = meaning(op, e.Name, e.Message)
	} else {
		e.Err = err
	}
	return e
}
