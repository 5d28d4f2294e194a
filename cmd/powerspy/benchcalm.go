package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/harmless"
)

// Whether the machine is calm: what runs beside the commands is measured with them.

// watchCalm watches the machine before the first run, and returns what is not calm. It
// sets the power at rest.
func (s *session) watchCalm(ctx context.Context, r *benchRunner, idle *baseline.Collector) ([]string, error) {
	var warnings []string
	if text := loadWarning("/proc/loadavg", runtime.NumCPU()); text != "" {
		warnings = append(warnings, text)
	}
	if r.base != nil && r.plan.baseline.measure > 0 {
		r.rest = r.base.Power // it was watched just now, and is warned of
		return warnings, nil
	}
	if r.plan.calm == 0 {
		return warnings, nil
	}
	began := time.Now()
	before := processTimes("/proc")
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
	if text := busiest(before, processTimes("/proc"), time.Since(began)); text != "" {
		warnings = append(warnings, text)
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

// fewLoad is up to which load a machine is calm: a tenth of its processors, at least
// a third of one.
func fewLoad(processors int) float64 { return max(0.33, 0.1*float64(processors)) }

// loadWarning says that the load average of the last minute is high, "" if it is not or
// the system does not tell it.
func loadWarning(file string, processors int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil || load <= fewLoad(processors) {
		return ""
	}
	return fmt.Sprintf("the machine is not idle: its load average is %s, with %d processors", first, processors)
}

// A processTime is how long a process has used processors.
type processTime struct {
	name string
	dir  string // in /proc
	used time.Duration
}

// tick is the unit of times in /proc (proc_pid_stat(5)); it is this on all systems that
// Go runs on.
const tick = 10 * time.Millisecond

// processTimes returns those of the processes that this user may see, by their number,
// but for this one.
func processTimes(proc string) map[int]processTime {
	list, err := filepath.Glob(filepath.Join(proc, "[1-9]*", "stat"))
	if err != nil {
		return nil
	}
	times := make(map[int]processTime, len(list))
	for _, path := range list {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if t, ok := parseStat(string(text)); ok {
			t.dir = filepath.Dir(path)
			times[pid] = t
		}
	}
	return times
}

// parseStat reads what stands in a file stat: the name in brackets, which may hold
// anything, and utime and stime as the 14th and 15th field.
func parseStat(text string) (processTime, bool) {
	open, closed := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || closed < open {
		return processTime{}, false
	}
	fields := strings.Fields(text[closed+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return processTime{}, false
	}
	u, uerr := strconv.ParseInt(fields[utime], 10, 64)
	s, serr := strconv.ParseInt(fields[stime], 10, 64)
	if uerr != nil || serr != nil {
		return processTime{}, false
	}
	return processTime{name: text[open+1 : closed], used: time.Duration(u+s) * tick}, true
}

// muchUse is the share of a processor from which on others are told.
const muchUse = 0.03

// busiest says what others did with the processors between two looks, "" if that was
// little.
func busiest(before, after map[int]processTime, elapsed time.Duration) string {
	var all, most time.Duration
	var pid int
	for p, t := range after {
		used := t.used - before[p].used
		if before[p].name != t.name {
			used = t.used // another process of this number
		}
		all += used
		if used > most {
			most, pid = used, p
		}
	}
	if all.Seconds() < muchUse*elapsed.Seconds() || most == 0 {
		return ""
	}
	percent := func(d time.Duration) float64 { return 100 * d.Seconds() / elapsed.Seconds() }
	t := after[pid]
	owner, _ := ownerOf(t.dir)
	return fmt.Sprintf("other processes use %.0f %% of a processor; most of it, %.0f %%, process %d (%s) of user %s",
		percent(all), percent(most), pid, harmless.Text(t.name), cmp.Or(owner, "unknown"))
}
