package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/internal/cli"
	"powerspy2/internal/config"
	"powerspy2/internal/field"
	"powerspy2/internal/fieldtest"
	"powerspy2/internal/job"
	"powerspy2/internal/logfile"
	"powerspy2/internal/output"
	"powerspy2/internal/owner"
	"powerspy2/internal/serial"
	"powerspy2/internal/serve"
	"powerspy2/internal/serve/client"
	"powerspy2/meter"
	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
	"powerspy2/record"
	"powerspy2/rfcomm"
)

// Each row of the table, in its order, by an error that only it is about.
func TestAdvice(t *testing.T) {
	found, err := bdaddr.Parse("00:0B:CE:07:1D:32")
	if err != nil {
		t.Fatal(err)
	}
	target := meter.Target{Kind: meter.Bluetooth, Address: found, Name: "PowerSpy 4567"}
	const unknown = 4294967294 // of which there is no user
	kind := func(kind, err error) error { return &meter.Error{Kind: kind, Op: "x", Err: err} }
	missing := &fs.PathError{Op: "open", Path: "/dev/x", Err: syscall.ENOENT}
	tests := []struct {
		err  error
		want string
	}{
		{advise(owner.ErrHeld, "wait a minute"), "wait a minute"},
		{&cli.UsageError{Text: "x", Help: "powerspy help"}, "type `powerspy help`"},
		{&field.VersionError{Version: 9}, "`powerspy fieldtest`"},
		{field.ErrTorn, "give one that is whole"},
		{field.ErrNoField, "that `powerspy fieldtest` wrote"},
		{kind(meter.ErrDevice, meter.ErrPasswordInURL), "--password-file FILE"},
		{kind(meter.ErrUsage, meter.ErrServed), "the meter itself"},
		{kind(meter.ErrDevice, errors.New("y")), "give an address (00:0B:CE:07:1D:32), a name"},
		{kind(meter.ErrAdapter, errors.New("y")), "use for example hci0"},
		{kind(meter.ErrPIN, errors.New("y")), "give the digits on the meter's label"},
		{kind(meter.ErrInterval, &meter.IntervalError{Periods: 1, Frequency: 50}), "give at least 20ms"},
		{kind(meter.ErrInterval, errors.New("y")), "give an interval such as 20ms, 250ms or 1s"},
		{kind(meter.ErrUsage, &meter.AveragingError{Most: 50}), "leave it out"},
		{kind(meter.ErrStepOrder, errors.New("y")), "give the less disruptive step"},
		{kind(meter.ErrUsage, meter.ErrNoFile), "`powerspy files list`"},
		{kind(meter.ErrUsage, &meter.SeveralError{Found: []meter.Target{target, target}}), "say which with --device 00:0B:CE:07:1D:32"},
		{kind(meter.ErrUsage, meter.ErrShortWindows), "give a longer interval"},
		{job.ErrNotFound, "$PATH"},
		{fmt.Errorf("x: %w: %w", job.ErrNotExecutable, syscall.EACCES), "`chmod +x`"},
		{job.ErrNoProcess, "`ps -e`"},
		{fmt.Errorf("x: %w", serve.ErrNoWebConfig), "give --web.config.file"},
		{serve.ErrNoLogin, "add basic_auth_users"},
		{serve.ErrNoTLS, "add tls_server_config"},
		{serve.ErrAnswered, "give another path"},
		{syscall.EADDRINUSE, "give another port"},
		{kind(meter.ErrUsage, errServeServer), "others read it there"},
		{kind(meter.ErrUsage, errServeFile), "`powerspy measure --device FILE`"},

		{rfcomm.ErrKernelStuck, "reboot"},
		{meter.ErrNamespace, "--network host"},
		{rfcomm.ErrNotSupported, "modules"},
		{meter.ErrPolicy, "`sudo usermod -aG bluetooth "},
		{meter.ErrNoAdapter, "plug one in"},
		{meter.ErrHardBlocked, "switch or key"},
		{meter.ErrBlocked, "`rfkill unblock bluetooth`"},
		{meter.ErrAdapterOff, "`bluetoothctl power on`"},
		{meter.ErrAdapterGone, "plug it back in"},
		{meter.ErrUnknownAdapter, "restart bluetooth"},
		{rfcomm.ErrAdapterDown, "`powerspy doctor`"},
		{rfcomm.ErrAdapterHung, "plug it back in"},
		{meter.ErrContainer, "/run/dbus"},
		{meter.ErrNotInstalled, "apt install bluez"},
		{bluez.ErrNoBus, "start dbus"},
		{bluez.ErrNoDaemon, "systemctl enable --now bluetooth"},
		{bluez.ErrNoAnswer, "systemctl restart bluetooth"},
		{bluez.ErrNotReady, "`rfkill unblock bluetooth` if it is blocked"},
		{bluez.ErrInProgress, "wait a little"},
		{&owner.PlaceError{Path: "/tmp/a b", Open: true, Err: errors.New("y")}, "type `chmod 700 '/tmp/a b'`"},
		{&configError{&config.Error{File: "/none/a b", Line: 3, Err: errors.New("y")}}, "correct that line, or name a meter with --device, or start again with `mv '/none/a b' '/none/a b.old'`"},

		{kind(meter.ErrUsage, &client.SeveralError{Names: []string{"a", "b"}}), "https://HOST:PORT/METER"},
		{kind(meter.ErrNotFound, &client.UnknownError{Name: "a"}), "name one of those"},
		{kind(meter.ErrNotReady, client.ErrLogin), "https://USER@HOST:PORT"},
		{kind(meter.ErrNotReady, client.ErrForbidden), "whoever runs the server"},
		{kind(meter.ErrUsage, client.ErrPlain), "https://"},
		{kind(meter.ErrNotReady, client.ErrForeign), "of your own"},
		{kind(meter.ErrUsage, client.ErrRedirect), "where the server is"},
		{kind(meter.ErrNotReady, client.ErrHandshake), "--cert-file FILE"},
		{kind(meter.ErrUsage, client.ErrNoTLS), "http://"},
		{kind(meter.ErrUsage, client.ErrWantsTLS), "https://"},
		{kind(meter.ErrNoAnswer, client.ErrHungUp), "as many readers as it takes"},
		{kind(meter.ErrNotReady, client.ErrCertificate), "--ca-file FILE"},
		{client.ErrOpenNetrc, "`chmod 600` it"},
		{kind(meter.ErrNoAnswer, client.ErrNoServer), "`powerspy serve` is the server"},
		{kind(meter.ErrNoAnswer, client.ErrSilent), "the way to it"},
		{kind(meter.ErrNoAnswer, client.ErrNoMeters), "--device METER"},
		{kind(meter.ErrNoAnswer, client.ErrNothing), "`powerspy watch`"},
		{kind(meter.ErrNotFound, fmt.Errorf("%w: %w", client.ErrUnreachable, syscall.ECONNREFUSED)), "`powerspy serve` runs there"},

		{kind(meter.ErrNoAnswer, &owner.HeldError{Holder: owner.Holder{Command: "powerspy serve --listen :9797"}}), "or, to measure, give --device the address"},
		{kind(meter.ErrNoAnswer, &owner.HeldError{}), "stop it, or wait"},
		{kind(meter.ErrNotFound, meter.ErrNoneAnswered), "`powerspy scan --all`"},
		{kind(meter.ErrNotFound, meter.ErrHidden), "unplug it"},
		{rfcomm.ErrAbsent, "check that it has power"},
		{bluez.ErrPageTimeout, "check that it has power"},
		{kind(meter.ErrNotFound, meter.ErrNotPaired), "type `powerspy setup`"},
		{&meter.UntrustedError{Target: target}, "type `bluetoothctl trust 00:0B:CE:07:1D:32`"},
		{kind(meter.ErrNotFound, &meter.ImpostorError{Target: target, What: "it is a phone"}), "`powerspy scan`"},
		{kind(meter.ErrPairing, &meter.PINError{Source: meter.UsualPINs, Err: bluez.ErrAuthRejected}), "try again"},
		{kind(meter.ErrPairing, &meter.PINError{Source: meter.UsualPINs}), "give the meter's own with --pin-file, or type it when asked on a terminal"},
		{bluez.ErrAuthTimeout, "try again closer to it"},
		{bluez.ErrAuthCanceled, "no other program pairs with it"},
		{rfcomm.ErrKeyRefused, "type `powerspy setup` to pair"},
		{&meter.BusyError{Holders: []rfcomm.Holder{{UID: 0, PID: 123, Name: "rfcomm"}, {UID: unknown}, {UID: 0}}},
			"stop it, then try again (Bluetooth serial links are held by pid 123 (rfcomm, user root); user 4294967294; user root, which may be the Bluetooth service itself)"},
		{rfcomm.ErrBusy, "/proc/net/rfcomm"},
		{rfcomm.ErrOccupied, "disconnect it there"},
		{rfcomm.ErrRefused, "close the other program"},
		{rfcomm.ErrNoService, "`powerspy scan`"},
		{rfcomm.ErrLinkLost, "closer"},
		{&meter.Error{Kind: meter.ErrNoAnswer, Op: "x", Err: meter.ErrInUse}, "stop it, then try again"},
		// Never the power of the machine under test, where the line may be busy.
		{&meter.Error{Kind: meter.ErrNoAnswer, Op: "x", Err: fmt.Errorf("%w: %w: %w", meter.ErrSilentLine, powerspy.ErrNoAnswer, os.ErrDeadlineExceeded)}, "no other program reads it"},
		{kind(meter.ErrNotFound, missing), "check the path"},
		{kind(meter.ErrNotReady, &fs.PathError{Op: "open", Path: "/dev/x", Err: syscall.EACCES}), "leave out --device"},
		{kind(meter.ErrNotFound, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), "something listens there"},

		{fmt.Errorf("%w; %w", powerspy.ErrRefused, meter.ErrRestored), ""},
		{fmt.Errorf("%w; %w: %w", powerspy.ErrRefused, meter.ErrNotRestored, powerspy.ErrNoAnswer), "write the bytes of the backup again"},
		{meter.ErrClockErratic, "`--debug` shows the bytes"},
		{kind(meter.ErrNoAnswer, fieldtest.ErrCapturing), "wait until it is complete"},
		{meter.ErrNotLogging, "`powerspy files list`, typed twice"},
		{meter.ErrFactoryCalibration, "`powerspy info`"},
		{powerspy.ErrUncalibrated, "`powerspy info --debug`"},
		{powerspy.ErrNotSupported, "generation"},
		{powerspy.ErrOutOfRange, ""},
		{powerspy.ErrNotUnderstood, "--debug"},
		{powerspy.ErrRefused, "try again; if the error persists, unplug"},
		{powerspy.ErrNoAnswer, "try again; if the error persists, unplug"},
		{kind(meter.ErrNoAnswer, os.ErrDeadlineExceeded), "start again; if it stays silent, unplug"},
		{sim.ErrAway, "later"},
		{powerspy.ErrLink, "try again"},
		{kind(meter.ErrNoAnswer, meter.ErrNoStep), "`powerspy doctor`"},
		{kind(meter.ErrNoAnswer, meter.ErrNoStepHelped), "unplug the meter"},
		{kind(meter.ErrPowerCycle, errors.New("exit status 1")), "by hand"},

		{meter.ErrNotACopy, "move it away"},
		{&existsError{"f"}, "add --force"},
		{&otherKindError{"f", "a directory"}, "give another path"},
		{&missingDirectoryError{"a b/f", "a b"}, "`mkdir -p 'a b'`"},
		{logfile.ErrNotText, "another file"},
		{&noFileError{"file", "f"}, "check its name"},
		{&record.VersionError{Version: 2}, "newer powerspy"},
		{&record.OtherMeterError{}, "another file"},
		{record.ErrGzip, "another file"},
		{record.ErrDamaged, "reads what stands before"},
		{record.ErrFormat, "`powerspy measure --record FILE`"},
		{&output.ShapeError{There: "x", Ours: "y"}, "give another file, or the --format"},
		{&logfile.NoDirectoryError{Directory: "a b", Err: syscall.ENOENT}, "`mkdir -p 'a b'`"},
		{&logfile.UnreadableError{Path: "a b", Err: syscall.EACCES}, "`chmod u+r 'a b'`"},
		{kind(meter.ErrNotFound, &fs.PathError{Op: "open", Path: "/dev/x", Err: serial.ErrNotTerminal}), "`powerspy measure --device FILE`"},
		{kind(meter.ErrNotFound, &fs.PathError{Op: "open", Path: "/", Err: syscall.EISDIR}), "another path"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "ask its owner"},
	}
	if len(tests) != len(advices) {
		t.Errorf("%d tests of %d rows", len(tests), len(advices))
	}
	for i, tt := range tests {
		row := 0
		for row < len(advices) {
			if _, ok := advices[row](tt.err); ok {
				break
			}
			row++
		}
		if next := nextFor(tt.err); row != i || !strings.Contains(next, tt.want) || (next == "") != (tt.want == "") {
			t.Errorf("test %d, %v: row %d says %q, want %q", i, tt.err, row, next, tt.want)
		}
	}
	for _, err := range []error{errors.New("boom"), missing, os.ErrDeadlineExceeded, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}} {
		if next := nextFor(err); next != "" {
			t.Errorf("%v: %q", err, next)
		}
	}
}

// What to do is told once, after all the reasons.
func TestSentence(t *testing.T) {
	err := &meter.Error{Kind: meter.ErrNoAnswer, Op: "measure with x", Err: fmt.Errorf("gave up after 1s: %w",
		&meter.Error{Kind: meter.ErrNoAnswer, Op: "connect to x", Err: fmt.Errorf("the link broke (%w)", powerspy.ErrLink)})}
	want := "measure with x: gave up after 1s: connect to x: the link broke (" + powerspy.ErrLink.Error() + "); try again"
	if got := sentence(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An error is one sentence; what D-Bus said at length is told with --verbose.
func TestDBusDetails(t *testing.T) {
	err := &bluez.Error{
		Op: "list adapters", Name: "org.freedesktop.DBus.Error.AccessDenied", Err: os.ErrPermission,
		Message: `Rejected send message, 2 matched rules; type="method_call", sender=":1.42"`,
	}
	for _, verbose := range []bool{false, true} {
		var told strings.Builder
		(&app{env: env{stderr: &told}, verbose: verbose}).tell(fmt.Errorf("open: %w", err))
		sentence, details, _ := strings.Cut(told.String(), "\n")
		if sentence != "powerspy: open: bluez: list adapters: permission denied" {
			t.Errorf("verbose %v: %q", verbose, sentence)
		}
		want := ""
		if verbose {
			want = "powerspy: D-Bus: " + err.Details() + "\n"
		}
		if details != want {
			t.Errorf("verbose %v: details %q, want %q", verbose, details, want)
		}
	}
}

// What goes wrong while measuring is told with what to do about it.
func TestStatusText(t *testing.T) {
	for kind, want := range map[meter.StatusKind]string{
		meter.ManyLeftOut: "it is so; `powerspy doctor --stream` shows whether longer windows or another adapter do better",
		meter.ClockStep:   "it is so",
	} {
		if got := statusText(&meter.Status{Kind: kind, Text: "it is so"}); got != want {
			t.Errorf("%d: %q", kind, got)
		}
	}
}
