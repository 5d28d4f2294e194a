package progress

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/meter"
)

// One gap is told at once; many short ones are one line a second that counts.
func TestGapLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		g := &Gaps{Line: func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }}
		next := func() (line string) {
			if len(told) > 0 {
				line, told = told[0], told[1:]
			}
			return line
		}
		at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local)
		gap := func(reason string) {
			<-time.After(100 * time.Millisecond)
			g.Flush(false) // a reading before it
			g.Add(&meter.Gap{From: at, To: at.Add(50 * time.Millisecond), Reason: reason})
			at = at.Add(100 * time.Millisecond)
		}
		gap("left out")
		if got, want := next(), "nothing was measured from 12:00:00.000 to 12:00:00.050: left out"; got != want {
			t.Errorf("the first: %q, want %q", got, want)
		}
		for range 25 {
			gap("left out")
		}
		for _, want := range []string{
			"9 gaps from 12:00:00.100 to 12:00:00.950, 450ms in all: left out",
			"10 gaps from 12:00:01.000 to 12:00:01.950, 500ms in all: left out",
		} {
			if got := next(); got != want {
				t.Errorf("a run: %q, want %q", got, want)
			}
		}
		gap("the link broke")
		g.Flush(true)
		if got, want := next(), "7 gaps from 12:00:02.000 to 12:00:02.650, 350ms in all: left out, and other reasons"; got != want {
			t.Errorf("the end: %q, want %q", got, want)
		}
		g.Flush(true)
		if len(told) > 0 {
			t.Errorf("more: %q", told)
		}
	})
}
