// Package busy tells what else a machine does: what runs beside a command is measured
// with it.
package busy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Load returns the load average of the last minute as a file such as /proc/loadavg
// tells it (proc_loadavg(5)). high says that a machine with so many processors is not
// calm: it is above a tenth of them, and above a third of one. It is false where the
// system does not tell.
func Load(file string, processors int) (average string, high bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	average, _, _ = strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(average, 64)
	return average, err == nil && load > max(0.33, 0.1*float64(processors))
}

// A Process is how long a process has used processors.
type Process struct {
	Name      string
	Directory string // in /proc
	Used      time.Duration
}

// tick is the unit of times in /proc (proc_pid_stat(5)); it is this on all systems that
// Go runs on.
const tick = 10 * time.Millisecond

// Processes returns those that this user may see in a directory such as /proc, by their
// number, but for this one.
func Processes(proc string) map[int]Process {
	list, err := filepath.Glob(filepath.Join(proc, "[1-9]*", "stat"))
	if err != nil {
		return nil
	}
	all := make(map[int]Process, len(list))
	for _, path := range list {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if p, ok := parseStat(string(text)); ok {
			p.Directory = filepath.Dir(path)
			all[pid] = p
		}
	}
	return all
}

// parseStat reads what stands in a file stat: the name in brackets, which may hold
// anything, and utime and stime as the 14th and 15th field.
func parseStat(text string) (Process, bool) {
	open, closed := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || closed < open {
		return Process{}, false
	}
	fields := strings.Fields(text[closed+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return Process{}, false
	}
	u, uerr := strconv.ParseInt(fields[utime], 10, 64)
	s, serr := strconv.ParseInt(fields[stime], 10, 64)
	if uerr != nil || serr != nil {
		return Process{}, false
	}
	return Process{Name: text[open+1 : closed], Used: time.Duration(u+s) * tick}, true
}

// A Use is what others did with the processors.
type Use struct {
	All  float64 // of all of them, in processors
	Most float64 // of the one that used most
	PID  int
	Process
}

// much is the share of a processor from which on others are told.
const much = 0.03

// Between returns what others did between two looks; ok is false where that is little.
func Between(before, after map[int]Process, elapsed time.Duration) (u Use, ok bool) {
	var all, most time.Duration
	for pid, p := range after {
		used := p.Used - before[pid].Used
		if before[pid].Name != p.Name {
			used = p.Used // another process of this number
		}
		all += used
		if used > most {
			most, u.PID, u.Process = used, pid, p
		}
	}
	if all.Seconds() < much*elapsed.Seconds() || most == 0 {
		return Use{}, false
	}
	u.All, u.Most = all.Seconds()/elapsed.Seconds(), most.Seconds()/elapsed.Seconds()
	return u, true
}
