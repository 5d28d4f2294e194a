package rfcomm

import (
	"errors"
	"net"
)

// The errors of this package. Each is found with errors.Is in what Dial, Listen, Present, FindChannel, KernelState and
// the methods of Conn and Listener return, beside the errno that the kernel gave, if any.
var (
	// ErrNotSupported means that this system has no RFCOMM sockets: it is not Linux, its kernel lacks the modules
	// bluetooth and rfcomm, or the program runs in a network namespace of its own, where the kernel offers no Bluetooth
	// (EAFNOSUPPORT, EPROTONOSUPPORT). Install or load the modules, or run in the host's network namespace.
	ErrNotSupported = errors.New("no Bluetooth RFCOMM on this system")

	// ErrAbsent means that the device does not answer the page (EHOSTDOWN): it is off, out of reach, or held by another
	// host in a way that stops it from listening. Switch it on or bring it nearer.
	ErrAbsent = errors.New("device does not answer")

	// ErrKernelStuck means that a failed connect, of whatever program, has killed the kernel's RFCOMM thread krfcommd, or
	// that connect(2) did not return within two seconds. Nothing but a reboot mends it.
	ErrKernelStuck = errors.New("the kernel's Bluetooth is stuck, reboot")

	// ErrKeyRefused means that the device asks for a link key that is missing here, or refused ours because it has
	// forgotten the bonding (EBADE, EACCES; over a link that was up before, ECONNREFUSED for all that asks for security).
	// Remove the bonding and pair again.
	ErrKeyRefused = errors.New("link key missing or refused")

	// ErrBusy means that the channel is open already on this machine (EBUSY for longer than the retries after a close
	// last): another program holds it. Close that program; /proc/net/rfcomm shows its user.
	ErrBusy = errors.New("another program on this machine holds the channel")

	// ErrRefused means that the device refused (ECONNREFUSED): nothing listens on the channel, in which case FindChannel
	// tells the right one, or it is busy with another host (then ErrOccupied matches, too).
	ErrRefused = errors.New("refused by the device")

	// ErrOccupied means that the device refused not only the channel but the link (ECONNREFUSED, with no link after it):
	// it is busy with another host. Free it there. Asking such a device for its channel is of no use, and on kernels that
	// do not survive a failed link (see the package's comment) is harmful.
	ErrOccupied = errors.New("device is busy with another host")

	// ErrAdapterDown means that there is no adapter, not the one that was asked for, or that it is off or blocked
	// (EHOSTUNREACH). Plug it in, unblock it, power it on.
	ErrAdapterDown = errors.New("no Bluetooth adapter that is on")

	// ErrAdapterHung means that the adapter is on but does not answer commands, or does not end them (ETIMEDOUT). Power it
	// off and on, or replug it.
	ErrAdapterHung = errors.New("the Bluetooth adapter does not answer")

	// ErrLinkLost means that the radio link of an open stream timed out (ETIMEDOUT, the link supervision timeout): the
	// device lost power or went out of reach. Close the stream and dial again. It is no deadline of ours: Timeout of
	// such an error is false.
	ErrLinkLost = errors.New("radio link lost")

	// ErrNoService means that the device answered the service query and offers no RFCOMM channel for the service asked
	// for.
	ErrNoService = errors.New("device does not offer the service")
)

// The operations that a net.OpError of this package can name.
const (
	opAccept  = "accept"
	opDial    = "dial"
	opFile    = "file"
	opFind    = "find channel"
	opForerun = "raise the link"
	opKernel  = "kernel state"
	opListen  = "listen"
	opPresent = "present"
	opClose   = "close"
	opRead    = "read"
	opSet     = "set"
	opWrite   = "write"
)

// opError wraps a non-nil err in a *net.OpError. A zero local address is left out.
func opError(op string, err error, local, remote Addr) error {
	if err == nil {
		return nil
	}
	out := &net.OpError{Op: op, Net: network, Err: classify(err)}
	switch op {
	case opListen, opAccept:
		// As in package net: the address of such an error is the listener's.
		out.Addr = local
		return out
	case opKernel, opFile:
		return out
	}
	if local != (Addr{}) {
		out.Source = local
	}
	out.Addr = remote
	return out
}
