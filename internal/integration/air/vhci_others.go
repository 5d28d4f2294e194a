//go:build !linux

package air

import (
	"errors"
	"io"
)

// OpenVHCI needs Linux; elsewhere it returns errors.ErrUnsupported.
func OpenVHCI() (io.ReadWriteCloser, error) { return nil, errors.ErrUnsupported }
