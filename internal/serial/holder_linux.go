package serial

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
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
	for _, name := range list("/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := "/proc/" + name
		if !hasOpen(dir+"/fd", line) {
			continue
		}
		comm, err := os.ReadFile(dir + "/comm")
		if err != nil {
			continue // it has ended
		}
		if name := strings.TrimSuffix(string(comm), "\n"); !keepers[name] {
			return &BusyError{PID: pid, Name: name}, true
		}
	}
	return nil, false
}

// hasOpen reports whether a descriptor in a directory of them is of the line.
func hasOpen(fds string, line fs.FileInfo) bool {
	for _, fd := range list(fds) {
		if isOpen(fds+"/"+fd, line) {
			return true
		}
	}
	return false
}

// list lists a directory, which is empty if it can't be read. Package os would
// offer each directory to the poller first, at five system calls more.
func list(path string) (names []string) {
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(dir) // it was only read
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil || n <= 0 {
			return names
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// isOpen reports whether the descriptor that link stands for is of the line.
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
