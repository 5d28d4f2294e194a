package bench

import (
	"context"
	"time"
)

// A Clock is where an engine gets its time.
type Clock interface {
	Now() time.Time

	// Sleep returns after d, or with the error of ctx.
	Sleep(ctx context.Context, d time.Duration) error
}

// systemClock is the system's.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
