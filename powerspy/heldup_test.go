package powerspy

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A heldUpLink is that of a process which gets no processor time during a read: its
// deadline passes, and what has come by then is still to be read.
type heldUpLink struct {
	Link
	times int // so many reads are
}

func (h *heldUpLink) Read(p []byte) (int, error) {
	if h.times == 0 {
		return h.Link.Read(p)
	}
	h.times--
	time.Sleep(DefaultTimeout + time.Second)
	return 0, os.ErrDeadlineExceeded
}

// An answer that came while the process was held up past its time is the answer,
// though not after endless tries; one that never came is missed a moment later.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(synced, readsByte, readsByte, []step{want("<V0E>")})...)
		link := &heldUpLink{Link: c.link}
		c.link = link
		var p [1]byte
		for _, times := range []int{1, reprieves} {
			link.times = times
			if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
				t.Errorf("held up %d times: %#02x, %v", times, p[0], err)
			}
		}
		begun := time.Now()
		if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("without an answer: %v", err)
		}
		if took := time.Since(begun); took != DefaultTimeout {
			t.Errorf("the time of an answer is %v", took)
		}
	})
}
