package meter

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
)

func TestSyncClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:delay=20ms,jitter=0s")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.Local)
		if err := m.SetClock(t.Context(), past); err != nil {
			t.Fatal(err)
		}
		before, after, err := m.SyncClock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if off := before.Meter.Sub(past).Abs(); off > 2*time.Second {
			t.Errorf("before: %v, want %v", before.Meter, past)
		}
		if off := after.Offset().Abs(); off > ClockResolution {
			t.Errorf("after: off by %v", off)
		}
		if err := m.SetClock(t.Context(), past.AddDate(300, 0, 0)); !errors.Is(err, ErrUsage) {
			t.Errorf("year 2301: got %v", err)
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
