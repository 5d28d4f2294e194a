//go:build !linux

package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// ServePTY is available on Linux only: elsewhere it returns an error that is
// errors.ErrUnsupported.
func (m *Meter) ServePTY(context.Context) (path string, wait func() error, err error) {
	return "", nil, fmt.Errorf("pseudo-terminal on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
