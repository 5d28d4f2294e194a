//go:build !linux

package serial

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

// A Line is available on Linux only.
type Line struct{ net.Conn }

// Open returns an error that is errors.ErrUnsupported: serial lines are for those
// who still bind /dev/rfcommN, which is Linux's.
func Open(string) (*Line, error) {
	return nil, fmt.Errorf("serial lines on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
