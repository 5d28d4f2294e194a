//go:build !linux

package terminal

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
)

// Terminal is available on Linux only.
type Terminal struct{ Path string }

// Listener is available on Linux only.
type Listener struct{}

// Line is one connection over a pseudo-terminal.
type Line struct{ net.Conn }

var errOS = fmt.Errorf("pseudo-terminal on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Pair returns an error that is errors.ErrUnsupported.
func Pair() (master, tty *os.File, err error) { return nil, nil, errOS }

// Open returns an error that is errors.ErrUnsupported.
func Open() (*Terminal, error) { return nil, errOS }

// Accept is never called.
func (*Terminal) Accept() (*Line, error) { return nil, errOS }

// Close does nothing.
func (*Terminal) Close() error { return nil }

// Listen returns an error that is errors.ErrUnsupported.
func Listen(string) (*Listener, error) { return nil, errOS }

// Accept is never called.
func (*Listener) Accept() (*Line, error) { return nil, errOS }

// Close does nothing.
func (*Listener) Close() error { return nil }
