//go:build unix

// Package flock takes advisory locks on open files (flock(2)).
//
// A lock belongs to the open file: it goes when the last descriptor of that
// open file is closed, as the kernel does for a process that is killed. A
// second open file is refused the lock, also within one process. Nobody who
// does not ask for the lock is kept from the file.
package flock

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Try takes the exclusive lock of f, an *os.File, say, without waiting. It
// returns false when another open file holds a lock, and an error where the
// file system has none: ENOLCK, or one that is errors.ErrUnsupported.
func Try(f syscall.Conn) (taken bool, err error) {
	// Not (*os.File).Fd, which makes reads and writes of the file block.
	raw, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	cerr := raw.Control(func(fd uintptr) {
		for {
			err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	switch {
	case cerr != nil:
		return false, cerr
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	case err != nil:
		return false, os.NewSyscallError("flock", err)
	}
	return true, nil
}
