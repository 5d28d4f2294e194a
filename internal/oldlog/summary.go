package oldlog

import (
	"errors"
	"fmt"
	"strings"
)

// A Summary counts the lines of a log. Comments, headers and empty lines are
// not among them.
type Summary struct {
	Rows      int // Given out.
	Unwrapped int // Of these: power that was read without its sign, put right.

	// Skipped.
	Torn       int // Cut, run together, or with other columns.
	NotNumbers int // NaN or infinite.
	Zeros      int // All zeros, as tools wrote for a frame they could not read.
	Backwards  int // Earlier than the line before, or far ahead of the next.
	Impossible int // Power that no meter can measure.

	Short bool // The compressed file ends early.
}

// Skipped is the number of lines that were not given out.
func (s Summary) Skipped() int {
	return s.Torn + s.NotNumbers + s.Zeros + s.Backwards + s.Impossible
}

// String is the summary in words, such as "5999 rows, 2 skipped (1 torn, 1 of
// zeros)".
func (s Summary) String() string {
	b := fmt.Sprintf("%d rows, %d skipped", s.Rows, s.Skipped())
	var why []string
	for _, k := range []struct {
		n    int
		what string
	}{
		{s.Torn, "torn"}, {s.NotNumbers, "not a number"}, {s.Zeros, "of zeros"},
		{s.Backwards, "with a time that goes back"}, {s.Impossible, "with impossible power"},
	} {
		if k.n > 0 {
			why = append(why, fmt.Sprintf("%d %s", k.n, k.what))
		}
	}
	if why != nil {
		b += " (" + strings.Join(why, ", ") + ")"
	}
	if s.Unwrapped > 0 {
		b += fmt.Sprintf(", %d with a lost sign restored", s.Unwrapped)
	}
	if s.Short {
		b += ", compressed file ends early"
	}
	return b
}

// count takes note of what is wrong with a line.
func (s *Summary) count(err error) {
	switch {
	case errors.Is(err, errNotNumber):
		s.NotNumbers++
	case errors.Is(err, errZeros):
		s.Zeros++
	case errors.Is(err, errPower):
		s.Impossible++
	default:
		s.Torn++
	}
}
