package meter

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// A connect that breaks off again and again is a meter that does not answer, and no
// failure of this program.
func TestBrokenConnect(t *testing.T) {
	for _, errno := range []error{syscall.ECONNABORTED, syscall.ECONNRESET} {
		if err := explain("connect to PowerSpy 4567", os.NewSyscallError("connect", errno)); !errors.Is(err, ErrNoAnswer) || !errors.Is(err, errno) {
			t.Errorf("got %v", err)
		}
	}
}

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
