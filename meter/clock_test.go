package meter

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// The offset is told to the length of an exchange, and is small after the clock
// was set.
func TestSyncClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:delay=20ms,jitter=0s,stall=0")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		simulator, err := m.Target().Simulator()
		if err != nil {
			t.Fatal(err)
		}
		// offset is the truth.
		offset := func() time.Duration {
			now := time.Now()
			c := simulator.Clock() // local time, as if it were UTC
			return time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), time.Local).Sub(now)
		}
		past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.Local)
		if err := m.SetClock(t.Context(), past); err != nil {
			t.Fatal(err)
		}
		truth := offset()
		before, after, err := m.SyncClock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if off := (before.Offset - truth).Abs(); off > before.Within || before.Within > 50*time.Millisecond {
			t.Errorf("before: ahead by %v within %v, in truth %v", before.Offset, before.Within, truth)
		}
		if off := (after.Offset - offset()).Abs(); off > after.Within || after.Within > 50*time.Millisecond {
			t.Errorf("after: ahead by %v within %v, in truth %v", after.Offset, after.Within, offset())
		}
		if off := offset().Abs(); off > time.Millisecond {
			t.Errorf("after: off by %v", off)
		}
		if err := m.SetClock(t.Context(), past.AddDate(300, 0, 0)); !errors.Is(err, ErrUsage) {
			t.Errorf("year 2301: got %v", err)
		}
	})
}

// A slow link costs precision, which is told, and a request that is held up on
// its way is made again.
func TestClockOfSlowLink(t *testing.T) {
	for _, device := range []string{"sim:delay=150ms,jitter=50ms,stall=0", "sim:delay=5ms,jitter=30ms,stall=0.1"} {
		for seed := range 10 {
			synctest.Test(t, func(t *testing.T) {
				m, err := Open(t.Context(), Config{Target: mustParse(t, device+",seed="+string(rune('0'+seed)))})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				_, after, err := m.SyncClock(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				simulator, err := m.Target().Simulator()
				if err != nil {
					t.Fatal(err)
				}
				now, c := time.Now(), simulator.Clock()
				truth := time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), time.Local).Sub(now)
				if off := (after.Offset - truth).Abs(); off > after.Within || after.Within > time.Second {
					t.Errorf("%s: ahead by %v within %v, in truth %v", device, after.Offset, after.Within, truth)
				}
			})
		}
	}
}

// Damaged answers are found out, and so is a clock that stands still.
func TestClockDamaged(t *testing.T) {
	for n := range 40 { // the answer that is damaged
		for _, digits := range []string{"01", "0F", "FF"} {
			synctest.Test(t, func(t *testing.T) {
				answers := 0
				m := openForged(t, sim.Config{Delay: 20 * time.Millisecond}, func(answer string) string {
					if len(answer) != len("<0C081E101621>") {
						return answer
					}
					if answers++; answers != n {
						return answer
					}
					seconds := strings.Index("0123456789ABCDEF", answer[12:13])
					return answer[:12] + string("0123456789ABCDEF"[seconds^int(digits[1]&1)]) + answer[13:]
				})
				r, err := m.Clock(t.Context())
				if err != nil || r.Within > 50*time.Millisecond {
					t.Errorf("damaged answer %d: %+v, %v", n, r, err)
				}
				now, c := time.Now(), m.simulator.Clock()
				truth := time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), time.Local).Sub(now)
				if off := (r.Offset - truth).Abs(); off > r.Within {
					t.Errorf("damaged answer %d: ahead by %v within %v, in truth %v", n, r.Offset, r.Within, truth)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		m := openForged(t, sim.Config{Delay: 20 * time.Millisecond}, func(answer string) string {
			if len(answer) == len("<0C081E101621>") {
				return "<0C081E101621>"
			}
			return answer
		})
		if r, err := m.Clock(t.Context()); err != nil || !r.Stopped || r.Meter.Format(time.DateTime) != "2012-08-30 16:22:33" {
			t.Errorf("a clock that stands still: %+v, %v", r, err)
		}
	})
}

func TestClockOfV1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:gen=1")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, _, err := m.SyncClock(t.Context()); !errors.Is(err, powerspy.ErrNotSupported) || !errors.Is(err, ErrNoAnswer) {
			t.Errorf("got %v", err)
		}
	})
}
