//go:build integration && linux

package vmtest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// KernelRFCOMMAlive reports whether the kernel's RFCOMM works as far as can be
// seen: the module is not loaded yet, or its thread krfcommd lives.
func KernelRFCOMMAlive(t testing.TB) bool {
	t.Helper()
	modules, err := os.ReadFile("/proc/modules")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(modules), "rfcomm ") && !strings.Contains(string(modules), "\nrfcomm ") {
		return true
	}
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		comm, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended meanwhile
		}
		if strings.TrimSpace(string(comm)) == "krfcommd" {
			return true
		}
	}
	return false
}

// DiesOfFailedConnect reports whether this is a kernel whose RFCOMM is killed by a
// connect that fails before there is a link: Linux 6.1.192, which is Debian's
// 6.1.0-55 and -56. On any other such a death is a failure of the test, and on
// these a survival of what has to kill it: then the list is out of date.
func DiesOfFailedConnect(t testing.TB) bool {
	t.Helper()
	release := kernelRelease(t)
	return strings.HasPrefix(release, "6.1.0-55-") || strings.HasPrefix(release, "6.1.0-56-")
}

// kernelRelease returns what `uname -r` prints.
func kernelRelease(t testing.TB) string {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(u.Release[:])
}

// connectRFCOMM connects to a device as programs do that do not look first
// whether it is there, and returns what the kernel says.
func connectRFCOMM(t testing.TB, a bdaddr.Address, channel uint8) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.BTPROTO_RFCOMM)
	if err != nil {
		t.Fatalf("socket: %v", err)
	}
	sa := &unix.SockaddrRFCOMM{Channel: channel}
	for i, b := range a {
		sa.Addr[len(a)-1-i] = b // the kernel's order is the reverse of the printed one
	}
	err = unix.Connect(fd, sa)
	if errors.Is(err, unix.EINTR) {
		// By the runtime's own signals: it goes on, and ends by itself.
		err = connected(fd)
	}
	if cerr := unix.Close(fd); cerr != nil {
		t.Fatalf("close: %v", cerr)
	}
	return err
}

// connected waits for the end of a connect that goes on, and returns how it went.
func connected(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(waitTime.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		status, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || status == 0 {
			return err
		}
		return unix.Errno(status)
	}
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // not there yet
	}
	return info.Size()
}

// tail returns the last lines of a file, from offset on.
func tail(path string, offset int64, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<22))
	if err != nil && !errors.Is(err, syscall.EINVAL) {
		return err.Error()
	}
	all := strings.SplitAfter(string(b), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
