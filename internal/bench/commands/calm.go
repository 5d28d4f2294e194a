package commands

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"time"

	"powerspy2/internal/busy"
	"powerspy2/internal/harmless"
	"powerspy2/internal/owner"
)

// Calm watches the machine before the first run for as long as NewRunner was told, and
// returns what is not calm: what runs beside the commands is measured with them. It
// sets Rest. For no time it looks at the load alone. waiting is called when it begins
// to watch.
func (r *Runner) Calm(ctx context.Context, waiting func(time.Duration)) ([]string, error) {
	var warnings []string
	if load, high := busy.Load("/proc/loadavg", runtime.NumCPU()); high {
		warnings = append(warnings, fmt.Sprintf("the machine is not idle: its load average is %s, with %d processors", load, runtime.NumCPU()))
	}
	if r.calm == 0 {
		return warnings, nil
	}
	began := time.Now()
	before := busy.Processes("/proc")
	waiting(r.calm)
	select {
	case <-r.idle.Enough():
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.Watch.Context().Done():
		_, err := r.Watch.Stop()
		return nil, err
	}
	if use, ok := busy.Between(before, busy.Processes("/proc"), time.Since(began)); ok {
		warnings = append(warnings, useText(&use))
	}
	b, err := r.idle.Baseline()
	if err != nil {
		return warnings, nil // too short to tell
	}
	r.Rest = b.Power
	if !b.Calm() {
		warnings = append(warnings, fmt.Sprintf("the power was not steady before the first run: means of a second went from %.2f to %.2f W", b.Low, b.High))
	}
	return warnings, nil
}

// useText says what others did with the processors.
func useText(u *busy.Use) string {
	user, _ := owner.OfFile(u.Directory)
	return fmt.Sprintf("other processes use %.0f %% of a processor; most of it, %.0f %%, process %d (%s) of user %s",
		100*u.All, 100*u.Most, u.PID, harmless.Text(u.Name), cmp.Or(user, "unknown"))
}
