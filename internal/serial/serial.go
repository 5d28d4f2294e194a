// Package serial opens serial lines: in raw mode, for this program alone, with
// deadlines and cheap reads.
package serial

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
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
	Name string // of the program
}

func (e *BusyError) Error() string {
	if e.PID == 0 {
		return ErrBusy.Error()
	}
	return fmt.Sprintf("in use by pid %d (%s)", e.PID, printable(e.Name))
}

// Is lets errors.Is find ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// printable replaces what would drive a terminal: a program names itself.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
