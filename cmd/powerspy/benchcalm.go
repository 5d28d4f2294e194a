package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/busy"
	"powerspy2/internal/harmless"
)

// Whether the machine is calm: what runs beside the commands is measured with them.

// watchCalm watches the machine before the first run, and returns what is not calm. It
// sets the power at rest.
func (s *session) watchCalm(ctx context.Context, r *benchRunner, idle *baseline.Collector) ([]string, error) {
	var warnings []string
	if load, high := busy.Load("/proc/loadavg", runtime.NumCPU()); high {
		warnings = append(warnings, fmt.Sprintf("the machine is not idle: its load average is %s, with %d processors", load, runtime.NumCPU()))
	}
	if r.base != nil && r.plan.baseline.measure > 0 {
		r.rest = r.base.Power // it was watched just now, and is warned of
		return warnings, nil
	}
	if r.plan.calm == 0 {
		return warnings, nil
	}
	began := time.Now()
	before := busy.Processes("/proc")
	s.progress.Working(fmt.Sprintf("watching the machine for %v", r.plan.calm))
	defer s.progress.End()
	select {
	case <-idle.Enough():
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.meter.watch.Context().Done():
		_, err := r.meter.watch.Stop()
		return nil, err
	}
	if use, ok := busy.Between(before, busy.Processes("/proc"), time.Since(began)); ok {
		warnings = append(warnings, useText(&use))
	}
	b, err := idle.Baseline()
	if err != nil {
		return warnings, nil // too short to tell
	}
	r.rest = b.Power
	if !b.Calm() {
		warnings = append(warnings, fmt.Sprintf("the power was not steady before the first run: means of a second went from %.2f to %.2f W", b.Low, b.High))
	}
	return warnings, nil
}

// useText says what others did with the processors.
func useText(u *busy.Use) string {
	owner, _ := ownerOf(u.Directory)
	return fmt.Sprintf("other processes use %.0f %% of a processor; most of it, %.0f %%, process %d (%s) of user %s",
		100*u.All, 100*u.Most, u.PID, harmless.Text(u.Name), cmp.Or(owner, "unknown"))
}
