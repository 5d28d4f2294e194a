package bluez

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/godbus/dbus/v5"
)

func Test_wrap(t *testing.T) {
	const bus, bluez = "org.freedesktop.DBus.Error.", "org.bluez.Error."
	tests := []struct {
		op, name, message string
		want              error // nil: none of this package's
	}{
		{"x", bus + "AccessDenied", "Rejected send message, 3 matched rules", os.ErrPermission},
		{"x", bus + "AuthFailed", "", os.ErrPermission},
		{"x", bus + "InteractiveAuthorizationRequired", "", os.ErrPermission},
		{"x", bus + "UnknownObject", `Method "Pair" with signature "" on interface "org.bluez.Device1" doesn't exist`, os.ErrNotExist},
		{"x", bus + "UnknownInterface", "", os.ErrNotExist},
		{"x", bus + "UnknownMethod", "", os.ErrNotExist},
		{"x", bus + "InvalidArgs", "", os.ErrInvalid},
		{"x", bus + "NotSupported", "", errors.ErrUnsupported},
		{"x", bus + "ServiceUnknown", "The name org.bluez was not provided by any .service files", ErrNoDaemon},
		{"x", bus + "NameHasNoOwner", "Could not get owner of name 'org.bluez': no such name", ErrNoDaemon},
		{"x", bus + "NoReply", "Message recipient disconnected from message bus without replying", ErrNoDaemon},
		{"x", bus + "Spawn.ChildExited", "Launch helper exited with unknown return code 1", ErrNoDaemon},
		{"x", bus + "Disconnected", "", ErrNoBus},
		{"x", bus + "NoServer", "", ErrNoBus},
		{"x", bus + "Timeout", "", ErrNoAnswer},
		{"x", bus + "TimedOut", "", ErrNoAnswer},
		{"x", bluez + "NotReady", "Resource Not Ready", ErrNotReady},
		{"x", bluez + "Blocked", "Blocked through rfkill", ErrNotReady},
		{"x", bluez + "InProgress", "Operation already in progress", ErrInProgress},
		{"x", bluez + "Busy", "", ErrInProgress},
		{"x", bluez + "DoesNotExist", "Does Not Exist", os.ErrNotExist},
		{"x", bluez + "AlreadyExists", "Already Exists", os.ErrExist},
		{opPair, bluez + "AlreadyExists", "Already Exists", ErrAlreadyPaired},
		{opPair, bluez + "AuthenticationFailed", "Authentication Failed", ErrAuthFailed},
		{opPair, bluez + "AuthenticationRejected", "Authentication Rejected", ErrAuthRejected},
		{opPair, bluez + "AuthenticationTimeout", "Authentication Timeout", ErrAuthTimeout},
		{opPair, bluez + "AuthenticationCanceled", "Authentication Canceled", ErrAuthCanceled},
		{opPair, bluez + "ConnectionAttemptFailed", "Page Timeout", ErrPageTimeout},
		{"x", bluez + "Failed", "br-connection-page-timeout", ErrPageTimeout},
		{"x", bluez + "ConnectionAttemptFailed", "something else", nil},
		{"x", bluez + "Failed", "Failed", nil},
		{"x", bluez + "NotPermitted", "UUID already registered", os.ErrExist},
		{"x", bluez + "NotPermitted", "Not Permitted", os.ErrPermission},
		{"x", bluez + "NotAuthorized", "", os.ErrPermission},
		{"x", bluez + "InvalidArguments", "", os.ErrInvalid},
		{"x", bluez + "NotSupported", "", errors.ErrUnsupported},
		{"x", "com.example.Strange", "words", nil},
	}
	all := []error{
		ErrNoDaemon, ErrNoAnswer, ErrNotReady, ErrInProgress, ErrAuthFailed, ErrAuthRejected, ErrAuthTimeout, ErrAuthCanceled,
		ErrAlreadyPaired, ErrPageTimeout, os.ErrPermission, os.ErrNotExist, os.ErrExist, os.ErrInvalid, errors.ErrUnsupported,
	}
	seen := make(map[string]bool)
	for _, tt := range tests {
		seen[tt.name] = true
		err := wrap(tt.op, "hci0", dbus.Error{Name: tt.name, Body: []any{tt.message}})
		var e *Error
		if !errors.As(err, &e) || e.Op != tt.op || e.Subject != "hci0" || e.Name != tt.name || e.Message != tt.message {
			t.Errorf("%s: got %#v", tt.name, err)
		}
		for _, other := range all {
			// ErrNoBus is an ErrNoDaemon by design.
			want := other == tt.want || tt.want == ErrNoBus && other == ErrNoDaemon
			if got := errors.Is(err, other); got != want {
				t.Errorf("%s %q of %q: is %q: %v, want %v", tt.name, tt.message, tt.op, other, got, want)
			}
		}
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: is not %q", tt.name, tt.want)
		}
	}
	for name := range meanings {
		if !seen[name] {
			t.Errorf("no test of %s", name)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"bluez: switch on hci0: the Bluetooth adapter is off": wrap("switch on", "hci0",
			dbus.Error{Name: "org.bluez.Error.NotReady", Body: []any{"Resource Not Ready"}}),
		"bluez: list devices: org.bluez.Error.Failed":         wrap(opDevices, "", dbus.Error{Name: "org.bluez.Error.Failed"}),
		"bluez: list adapters: org.bluez.Error.Failed":        wrap(opAdapters, "", dbus.Error{Name: "org.bluez.Error.Failed", Body: []any{uint32(7)}}),
		"bluez: call x: com.example.Odd: first line...":       wrap("call x", "", dbus.Error{Name: "com.example.Odd", Body: []any{"first line\nsecond"}}),
		"bluez: connect: the Bluetooth daemon is not running": wrap("connect", "", ErrNoDaemon),
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
	if wrap("x", "", nil) != nil {
		t.Error("no error became one")
	}
	inner := wrap(opAgent, "", context.Canceled)
	if err := wrap(opPair, "x", inner); err != inner || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the inner error", err)
	}
	if err := wrap("x", "", io.ErrShortWrite); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v lost its cause", err)
	}
}
