package meter

import (
	"errors"
	"testing"
)

func TestErrorText(t *testing.T) {
	for op, want := range map[string]string{
		"pair with PowerSpy 4567": "pair with PowerSpy 4567: no answer",
		"measure with sim:":       "measure with sim: no answer",
	} {
		if got := (&Error{Op: op, Err: errors.New("no answer")}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
