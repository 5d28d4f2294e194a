package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoProcess says that there is no process of a number.
var ErrNoProcess = errors.New("there is no such process")

// A Process is one that somebody else started.
type Process struct{ f *os.File }

// OpenProcess finds a process. It need not be this user's. The error matches
// ErrNoProcess, or is that of the system.
func OpenProcess(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, os.NewSyscallError("pidfd_open", err))
	}
	return &Process{os.NewFile(uintptr(fd), "process")}, nil
}

// Wait waits until the process has ended, or ctx has, whose error it returns then.
func (p *Process) Wait(ctx context.Context) error {
	conn, err := p.f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = p.f.SetReadDeadline(time.Unix(1, 0)) // it can only fail for a file that is closed
	})
	defer stop()
	// Its descriptor becomes readable when a process ends (pidfd_open(2)).
	err = conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Close closes what the process is known by.
func (p *Process) Close() error { return p.f.Close() }
