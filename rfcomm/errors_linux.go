package rfcomm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// classify puts the sentinel that fits in front of an error of a system call, which stays matchable. Which it is depends
// on the call: EACCES of connect(2) is a refused key, EACCES of socket(2) a policy of this machine.
func classify(err error) error {
	var serr *os.SyscallError
	if !errors.As(err, &serr) {
		return err
	}
	sentinel := sentinelOf(serr)
	if sentinel == nil || errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// sentinelOf gives the sentinel for an error of a system call, or nil. The errno of connect are those that
// net/bluetooth/lib.c, bt_to_errno, makes of the controller's status, and net/bluetooth/rfcomm/core.c of RFCOMM's own.
func sentinelOf(serr *os.SyscallError) error {
	var errno unix.Errno
	if !errors.As(serr.Err, &errno) {
		return nil
	}
	switch serr.Syscall {
	case "socket":
		switch errno {
		case unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ESOCKTNOSUPPORT:
			return ErrNotSupported
		}
	case "connect":
		switch errno {
		case unix.EHOSTDOWN:
			return ErrAbsent
		case unix.EBADE, unix.EACCES:
			return ErrKeyRefused
		case unix.EBUSY:
			return ErrBusy
		case unix.ECONNREFUSED:
			return ErrRefused
		case unix.EHOSTUNREACH:
			return ErrAdapterDown
		}
	case "read":
		// Only a link supervision timeout gives this errno to a stream: a deadline is no errno.
		if errno == unix.ETIMEDOUT {
			return ErrLinkLost
		}
	}
	return nil
}
