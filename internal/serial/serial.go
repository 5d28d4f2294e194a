// Package serial opens serial lines: in raw mode, for this program alone, with
// deadlines and cheap reads.
package serial

import (
	"errors"
	"fmt"

	"powerspy2/internal/harmless"
)

var (
	// ErrNotTerminal says that a path is no serial line.
	ErrNotTerminal = errors.New("not a serial line")

	// ErrBusy says that another program has the line.
	ErrBusy = errors.New("in use by another program")
)

// A BusyError says who has a line. It matches ErrBusy.
type BusyError struct {
	PID  int    // 0: a process that can't be seen, such as another user's
	Name string // of the program, as it calls itself
}

func (e *BusyError) Error() string {
	if e.PID == 0 {
		return ErrBusy.Error()
	}
	return fmt.Sprintf("in use by pid %d (%s)", e.PID, harmless.Text(e.Name))
}

// Is lets errors.Is find ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }
