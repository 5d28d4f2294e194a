//go:build !linux

package terminal

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

// Terminal is available on Linux only.
type Terminal struct {
	Path   string
	Shared func()
}

// Line is one connection over a Terminal.
type Line struct{ net.Conn }

var errOS = fmt.Errorf("pseudo-terminal on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Open returns an error that is errors.ErrUnsupported.
func Open() (*Terminal, error) { return nil, errOS }

// Accept is never called.
func (*Terminal) Accept() (*Line, error) { return nil, errOS }

// Close does nothing.
func (*Terminal) Close() error { return nil }
