package serial

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// keepers are programs that hold a line open for others to use: rfcomm(1) does
// so as long as the connection is to last.
var keepers = map[string]bool{"rfcomm": true}

// heldAt says who has the line at path, which could not be opened.
func heldAt(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return &BusyError{}
	}
	return heldBy(info)
}

// heldBy says who has a line that somebody has.
func heldBy(info fs.FileInfo) error {
	if holder, ok := find(info); ok {
		return holder
	}
	return &BusyError{}
}

// find looks for another process that has a line open, among those that this
// user may look into (proc_pid_fd(5)). What can't be read is left out.
func find(line fs.FileInfo) (*BusyError, bool) {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil, false // a malformed pattern, which it is not
	}
	for _, link := range links {
		dir := filepath.Dir(filepath.Dir(link))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() || !isOpen(link, line) {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		if name := strings.TrimSuffix(string(comm), "\n"); !keepers[name] {
			return &BusyError{PID: pid, Name: name}, true
		}
	}
	return nil, false
}

// isOpen tells whether the descriptor that link stands for is of the line.
func isOpen(link string, line fs.FileInfo) bool {
	// Most are files or sockets, which need not be looked at.
	if to, err := os.Readlink(link); err != nil || !strings.HasPrefix(to, "/dev/") {
		return false
	}
	info, err := os.Stat(link)
	if err != nil {
		return false
	}
	a, aok := info.Sys().(*syscall.Stat_t)
	b, bok := line.Sys().(*syscall.Stat_t)
	if !aok || !bok || info.Mode()&fs.ModeCharDevice == 0 || a.Rdev != b.Rdev {
		return false
	}
	// Each container numbers pseudo-terminals of its own.
	return !isPseudo(line) || a.Dev == b.Dev
}
