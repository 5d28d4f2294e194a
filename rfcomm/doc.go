// Package rfcomm gives Bluetooth RFCOMM streams the shape of package net: [Dial] and [Listen] return a [*Conn], which
// is a net.Conn, and a [*Listener], which is a net.Listener. The sockets are the kernel's (AF_BLUETOOTH, SOCK_STREAM,
// BTPROTO_RFCOMM), wait on Go's runtime poller, and need neither root nor a group.
//
// # Failed connects are dangerous
//
// On some kernels (seen on Debian 12's 6.1.0-55 and 6.1.0-56) one connect whose radio link cannot be set up, because the
// device is off or away, kills the kernel thread krfcommd; from then on every connect(2) of every program on the machine
// blocks for ever, beyond the reach of signals, until a reboot. Dial therefore asks first whether krfcommd is alive
// ([ErrKernelStuck]), and, unless the link to the device is up already, whether the device answers a remote name request
// ([Present], [ErrAbsent]), which pages the device without touching RFCOMM. connect(2) itself runs where nothing waits
// for it longer than two seconds.
//
// No presence test sees a device coming that tells its name and then refuses the link, because it is connected to another
// host (ErrRefused) or because it asks for a key at link set-up and has forgotten it (ErrKeyRefused). On those kernels
// such a connect kills krfcommd, too, unless a [Forerunner] raises the link before: a process of its own, which connects
// to the device's service discovery. Where the link fails, the kernel kills that process and nothing else; with the link
// up, RFCOMM connects over it at once.
//
// # Errors
//
// Errors are [*net.OpError] with the operation and the addresses. errors.Is finds in them the errno, os.ErrDeadlineExceeded,
// net.ErrClosed, the error of a context that ended the operation, and the sentinels of this package, each of which says
// what to do about it.
//
// On systems other than Linux the package builds and every operation returns [ErrNotSupported].
package rfcomm
