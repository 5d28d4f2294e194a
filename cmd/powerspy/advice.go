package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"powerspy2/bluez"
	"powerspy2/internal/cli"
	"powerspy2/internal/field"
	"powerspy2/internal/fieldtest"
	"powerspy2/internal/job"
	"powerspy2/internal/logfile"
	"powerspy2/internal/output"
	"powerspy2/internal/owner"
	"powerspy2/internal/serial"
	"powerspy2/internal/serve"
	"powerspy2/internal/serve/client"
	"powerspy2/internal/shell"
	"powerspy2/meter"
	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
	"powerspy2/record"
	"powerspy2/rfcomm"
)

// sentence is what a person is told of an error: what failed, why, and what to
// type next.
func sentence(err error) string {
	text := err.Error()
	if next := nextFor(err); next != "" {
		text += "; " + next
	}
	return text
}

// nextFor returns what to do about an error; empty when nothing is known.
func nextFor(err error) string {
	for _, a := range advices {
		if next, ok := a(err); ok {
			return next
		}
	}
	return ""
}

// An advice says what to do about an error; ok is false when it is about others.
type advice func(err error) (next string, ok bool)

// when is advice about a cause.
func when(cause error, next string) advice {
	return func(err error) (string, bool) { return next, errors.Is(err, cause) }
}

// whenDo is advice that is made only when it is needed.
func whenDo(cause error, next func() string) advice {
	return func(err error) (string, bool) {
		if !errors.Is(err, cause) {
			return "", false
		}
		return next(), true
	}
}

// whenBoth is advice about a cause that means something else in other places.
func whenBoth(kind, cause error, next string) advice {
	return func(err error) (string, bool) { return next, errors.Is(err, kind) && errors.Is(err, cause) }
}

// whenPath is advice about a cause that is of a file: D-Bus and sockets have it, too.
func whenPath(cause error, next string) advice {
	return func(err error) (string, bool) {
		file, ok := errors.AsType[*fs.PathError](err)
		return next, ok && errors.Is(file, cause)
	}
}

// whenA is advice made of what a cause knows.
func whenA[E error](next func(cause E) string) advice {
	return func(err error) (string, bool) {
		var cause E
		if !errors.As(err, &cause) {
			return "", false
		}
		return next(cause), true
	}
}

const (
	unplug  = "unplug the meter for ten seconds (this cuts the power of what is plugged into it)"
	inReach = "check that it has power, is within about ten metres and is not in use by another computer"
)

// advices are read from top to bottom: the first that knows the error counts.
var advices = []advice{
	// What the command says itself.
	whenA(func(e *advisedError) string { return e.next }),
	whenA(func(e *cli.UsageError) string { return "type `" + e.Help + "`" }),

	// The command line.
	whenA(func(*field.VersionError) string { return "make a new one: `powerspy fieldtest`" }),
	when(field.ErrTorn, "give one that is whole, or make a new one: `powerspy fieldtest`"),
	when(field.ErrNoField, "give one that `powerspy fieldtest` wrote"),
	when(meter.ErrPasswordInURL, "leave it out, and give it by --password-file FILE, $POWERSPY_PASSWORD or netrc"),
	when(meter.ErrServed, "give --device the meter itself, on the machine that it is connected to; `powerspy measure`, `watch`, `run`, `bench`, `baseline` and `gmt` read servers"),
	when(meter.ErrDevice, "give "+deviceForms),
	when(meter.ErrAdapter, "use for example hci0 or 00:1A:7D:DA:71:13 (`powerspy doctor` lists them)"),
	when(meter.ErrPIN, "give the digits on the meter's label"),
	whenA(func(e *meter.IntervalError) string { return fmt.Sprintf("give at least %v", e.Shortest()) }),
	when(meter.ErrInterval, "give an interval such as 20ms, 250ms or 1s"),
	whenA(func(*meter.AveragingError) string { return "leave it out for windows of one period" }),
	when(meter.ErrStepOrder, "give the less disruptive step as the first one"),
	when(meter.ErrNoFile, "`powerspy files list` lists them"),
	whenA(func(e *meter.SeveralError) string { return "say which with --device " + e.Found[0].Device() }),

	when(meter.ErrShortWindows, "give a longer interval, such as 250ms or 1s"),
	when(job.ErrNotFound, "check its name and $PATH"),
	when(job.ErrNotExecutable, "make it executable (`chmod +x`), or give the program that runs it"),
	when(job.ErrNoProcess, "`ps -e` lists them"),
	when(serve.ErrNoWebConfig, "give --web.config.file with TLS and passwords or client certificates (docs/serve.md shows one), or listen on 127.0.0.1"),
	when(serve.ErrNoLogin, "add basic_auth_users, or client_ca_file and client_auth_type: RequireAndVerifyClientCert"),
	when(serve.ErrNoTLS, "add tls_server_config with cert_file and key_file"),
	when(serve.ErrAnswered, "stop it, or give another path"),
	when(syscall.EADDRINUSE, "give another port, or end what listens there (`ss -ltnp` shows it)"),
	when(errServeServer, "leave it out; `powerspy measure --device`, `run` and others read it there"),
	when(errServeFile, "leave it out; `powerspy measure --device FILE` reads it"),

	// This machine.
	when(rfcomm.ErrKernelStuck, "reboot this machine (nothing less helps; a kernel before 6.1.192 or from 6.12 on does not have this bug)"),
	when(meter.ErrNamespace, "run it in the network namespace of the machine (Docker and Podman: `--network host`)"),
	when(rfcomm.ErrNotSupported, "run on a Linux kernel with the modules bluetooth and rfcomm, or try `powerspy measure --device sim:`"),
	whenDo(meter.ErrPolicy, joinGroup),
	when(meter.ErrNoAdapter, "plug one in (any USB adapter with Bluetooth Classic), or try `powerspy measure --device sim:`"),
	when(meter.ErrHardBlocked, "turn on the machine's wireless switch or key"),
	when(meter.ErrBlocked, "type `rfkill unblock bluetooth`, or ask an administrator to run `sudo rfkill unblock bluetooth`"),
	when(meter.ErrAdapterOff, "type `bluetoothctl power on`"),
	when(meter.ErrAdapterGone, "plug it back in"),
	when(meter.ErrUnknownAdapter, "ask an administrator to run `sudo systemctl restart bluetooth`"),
	when(rfcomm.ErrAdapterDown, "type `powerspy doctor`"),
	when(rfcomm.ErrAdapterHung, "type `bluetoothctl power off` and `bluetoothctl power on`, or unplug the adapter and plug it back in"),
	when(meter.ErrContainer, "mount the bus into the container (Docker and Podman: `-v /run/dbus:/run/dbus`)"),
	when(meter.ErrNotInstalled, "ask an administrator to install the package bluez (Debian: `sudo apt install bluez`)"),
	when(bluez.ErrNoBus, "ask an administrator to run `sudo systemctl start dbus`"),
	when(bluez.ErrNoDaemon, "ask an administrator to run `sudo systemctl enable --now bluetooth`"),
	when(bluez.ErrNoAnswer, "ask an administrator to run `sudo systemctl restart bluetooth`"),
	when(bluez.ErrNotReady, "type `bluetoothctl power on`, or `rfkill unblock bluetooth` if it is blocked"),
	when(bluez.ErrInProgress, "wait a little, then try again"),
	whenA(placeAdvice),
	whenA(configAdvice),

	// A server.
	whenA(func(e *client.SeveralError) string { return "say which after " + serverForms }),
	whenA(func(*client.UnknownError) string { return "name one of those" }),
	when(client.ErrLogin, "give the user in --device https://USER@HOST:PORT, and the password by --password-file FILE, $POWERSPY_PASSWORD or netrc"),
	when(client.ErrForbidden, "ask whoever runs the server for that right"),
	when(client.ErrPlain, "give --device https://..., or log in to that machine"),
	when(client.ErrForeign, "give one of a server of your own, or of the system's"),
	when(client.ErrRedirect, "give the address where the server is"),
	when(client.ErrHandshake, "a server that wants a certificate of its clients is given one by --cert-file FILE and --key-file FILE"),
	when(client.ErrNoTLS, "give --device http://..."),
	when(client.ErrWantsTLS, "give --device https://..."),
	when(client.ErrHungUp, "try again: it may have as many readers as it takes"),
	when(client.ErrCertificate, "give the certificate of who signed it by --ca-file FILE"),
	when(client.ErrOpenNetrc, "`chmod 600` it"),
	when(client.ErrNoServer, "check the address; `powerspy serve` is the server"),
	when(client.ErrSilent, "check that `powerspy serve` runs there, and the way to it"),
	when(client.ErrNoMeters, "start it with --device METER"),
	when(client.ErrNothing, "check with `powerspy watch`, or on its page, that it measures"),
	when(client.ErrUnreachable, "check that `powerspy serve` runs there, and listens on that address"),

	// The way to the meter.
	func(err error) (string, bool) {
		e, ok := errors.AsType[*owner.HeldError](err)
		return "stop it, or, to measure, give --device the address that it listens on, such as http://127.0.0.1:9797",
			ok && e.Holder.Socket == "" && strings.HasPrefix(e.Holder.Command, "powerspy serve ")
	},
	when(owner.ErrHeld, "stop it, or wait"),
	when(meter.ErrNoneAnswered, inReach+"; `powerspy scan --all` shows what is in reach"),
	when(meter.ErrHidden, "unplug it for ten seconds (this cuts the power of what is plugged into it), then try again"),
	when(rfcomm.ErrAbsent, inReach),
	when(bluez.ErrPageTimeout, inReach),
	when(meter.ErrNotPaired, "type `powerspy setup`"),
	whenA(func(e *meter.UntrustedError) string {
		return "type `bluetoothctl trust " + e.Target.Address.String() + "`"
	}),
	whenA(func(*meter.ImpostorError) string {
		return "type `powerspy scan` to see what is there; if it is a meter after all, give its address with --device"
	}),
	whenBoth(meter.ErrPairing, bluez.ErrAuthRejected, "try again; if the error persists, "+unplug),
	whenA(func(e *meter.PINError) string { return pinAdvice[e.Source] }),
	when(bluez.ErrAuthTimeout, "try again closer to it"),
	when(bluez.ErrAuthCanceled, "try again closer to it, and make sure that no other program pairs with it"),
	when(rfcomm.ErrKeyRefused, "type `powerspy setup` to pair with it again"),
	whenA(func(e *meter.BusyError) string { return "stop it, then try again (" + holders(e.Holders) + ")" }),
	when(rfcomm.ErrBusy, "stop it, then try again ("+holders(nil)+")"),
	when(rfcomm.ErrOccupied, "disconnect it there, then try again"),
	when(rfcomm.ErrRefused, "close the other program or computer that uses the meter, then try again"),
	when(rfcomm.ErrNoService, "type `powerspy scan` to see what is there"),
	when(rfcomm.ErrLinkLost, "bring the meter closer, then start again"),
	when(meter.ErrInUse, "stop it, then try again"),
	when(meter.ErrSilentLine, "check that the line leads to a meter, and that no other program reads it (`fuser -v` shows who has a device open)"),
	whenBoth(meter.ErrNotFound, fs.ErrNotExist, "check the path, or leave out --device to find the meter by Bluetooth"),
	whenBoth(meter.ErrNotReady, fs.ErrPermission, "leave out --device: powerspy talks to the meter itself, without a serial device and without root"),
	func(err error) (string, bool) {
		var op *net.OpError
		return "check that something listens there (`powerspy sim --tcp HOST:PORT` is one)",
			errors.Is(err, meter.ErrNotFound) && errors.As(err, &op) && op.Op == "dial"
	},

	// The meter.
	when(meter.ErrRestored, ""),
	when(meter.ErrNotRestored, "write the bytes of the backup again"),
	when(meter.ErrClockErratic, "try again; `--debug` shows the bytes"),
	when(fieldtest.ErrCapturing, "wait until it is complete, or end it: `powerspy capture --periods 1` makes another one"),
	when(meter.ErrNotLogging, "`powerspy files list`, typed twice, shows whether a file still grows"),
	when(meter.ErrFactoryCalibration, "type `powerspy info` to see both, and have the meter calibrated"),
	when(powerspy.ErrUncalibrated, "type `powerspy info --debug` to see it, and have the meter calibrated"),
	when(powerspy.ErrNotSupported, "`powerspy info` shows its generation"),
	when(powerspy.ErrOutOfRange, ""),
	when(powerspy.ErrNotUnderstood, "check --device; `--debug` shows the bytes"),
	when(powerspy.ErrRefused, "try again; if the error persists, "+unplug),
	when(powerspy.ErrNoAnswer, "try again; if the error persists, "+unplug),
	whenBoth(meter.ErrNoAnswer, os.ErrDeadlineExceeded, "start again; if it stays silent, "+unplug),
	when(sim.ErrAway, "try again later"),
	when(powerspy.ErrLink, "try again"),
	when(meter.ErrNoStep, "type `powerspy doctor`"),
	when(meter.ErrNoStepHelped, unplug),
	when(meter.ErrPowerCycle, "try it by hand"),

	// Files.
	when(meter.ErrNotACopy, "move it away, or give another directory"),
	whenA(func(*existsError) string { return "give another file, or add --force to replace it" }),
	whenA(func(*otherKindError) string { return "give another path" }),
	whenA(func(e *missingDirectoryError) string {
		return "make it first: `mkdir -p " + shell.Quote(e.directory) + "`"
	}),
	when(logfile.ErrNotText, "give another file"),
	whenA(func(*noFileError) string { return "check its name" }),
	whenA(func(*record.VersionError) string { return "use a newer powerspy" }),
	whenA(func(*record.OtherMeterError) string { return "give another file" }),
	when(record.ErrGzip, "give another file"),
	when(record.ErrDamaged, "`powerspy measure --device FILE` reads what stands before that"),
	when(record.ErrFormat, "give a file of `powerspy measure --record FILE`, or another name"),
	whenA(func(*output.ShapeError) string {
		return "give another file, or the --format, --unit, --fields and --time that it has"
	}),
	whenA(func(e *logfile.NoDirectoryError) string {
		return "make its directory first: `mkdir -p " + shell.Quote(e.Directory) + "`"
	}),
	whenA(func(e *logfile.UnreadableError) string {
		return "`chmod u+r " + shell.Quote(e.Path) + "`, or give another file"
	}),
	when(serial.ErrNotTerminal, "give a meter; a recording is read by `powerspy measure --device FILE`"),
	when(syscall.EISDIR, "give another path"),
	whenPath(fs.ErrPermission, "give another path, or ask its owner (`ls -l` shows who that is)"),
}

// pinAdvice is what to do about a PIN that was refused.
var pinAdvice = map[meter.PINSource]string{
	meter.GivenPIN:  "check the PIN on the meter's label and give it with --pin-file",
	meter.UsualPINs: "give the meter's own with --pin-file, or type it when asked on a terminal",
	meter.TypedPINs: "check the PIN on the meter's label",
}

// deviceForms is what --device takes.
const deviceForms = "an address (00:0B:CE:07:1D:32), a name or the start of one (PowerSpy), a whole alias, a path (/dev/rfcomm0), tcp://HOST:PORT, a server (unix:/SOCKET[:METER], http(s)://[USER@]HOST:PORT[/METER]), or sim:PARAMETERS"

// serverForms says where the name of a meter at a server stands.
const serverForms = "a colon (unix:/SOCKET:METER) or a slash (https://HOST:PORT/METER)"

// An advisedError is an error with advice that only one place can give.
type advisedError struct {
	err  error
	next string
}

func (e *advisedError) Error() string { return e.err.Error() }
func (e *advisedError) Unwrap() error { return e.err }

func advise(err error, next string) error { return &advisedError{err, next} }

// statusText is a status with what to do about it, where there is something.
func statusText(s *meter.Status) string {
	if s.Kind == meter.ManyLeftOut {
		return s.Text + "; `powerspy doctor --stream` shows whether longer windows or another adapter do better"
	}
	return s.Text
}

// joinGroup is how an administrator gives this user the right to Bluetooth.
func joinGroup() string {
	name := "$USER"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("ask an administrator to run once `sudo usermod -aG bluetooth %s` (the group bluetooth has that right), then log in again", name)
}

// holders says which processes have RFCOMM sockets.
func holders(list []rfcomm.Holder) string {
	if len(list) == 0 {
		return "/proc/net/rfcomm shows which users it may belong to"
	}
	names := make([]string, len(list))
	for i, h := range list {
		uid := strconv.FormatUint(uint64(h.UID), 10)
		name := uid
		if u, err := user.LookupId(uid); err == nil {
			name = u.Username
		}
		switch {
		case h.PID != 0:
			names[i] = fmt.Sprintf("pid %d (%s, user %s)", h.PID, h.Name, name)
		case h.UID == 0:
			names[i] = "user root, which may be the Bluetooth service itself"
		default:
			names[i] = "user " + name
		}
	}
	return "Bluetooth serial links are held by " + strings.Join(names, "; ")
}
