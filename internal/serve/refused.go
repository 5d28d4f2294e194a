package serve

import (
	"errors"
	"syscall"
)

// refused reports whether an error of connecting to a socket says that nobody
// listens.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}
