package meter

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLog(t *testing.T) {
	for _, tt := range []struct {
		name, device string
		cancelled    bool
		want         error
	}{
		{name: "whole", device: "sim:"},
		{name: "interrupted", device: "sim:", cancelled: true, want: context.Canceled},
		{name: "hangs", device: "sim:loghang", want: ErrNoAnswer},
		{name: "refused", device: "sim:refuse=O", want: ErrNoAnswer},
		{name: "V1", device: "sim:gen=1", want: ErrNoAnswer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := Open(t.Context(), Config{Target: mustParse(t, tt.device)})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancelled {
					time.AfterFunc(time.Second, cancel)
				}
				began := time.Now()
				if err := m.LogFor(ctx, time.Minute); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if took := time.Since(began); took > time.Minute+2*logTime {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestLogPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.SetLogPeriod(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if d, n, err := m.LogPeriod(t.Context()); err != nil || n < 99 || n > 101 || (d-2*time.Second).Abs() > 20*time.Millisecond {
			t.Errorf("got %v, %d, %v", d, n, err)
		}
		for _, d := range []time.Duration{-1, 0, time.Millisecond, time.Hour} {
			if _, err := m.SetLogPeriod(t.Context(), d); !errors.Is(err, ErrUsage) {
				t.Errorf("%v: got %v", d, err)
			}
		}
	})
}
