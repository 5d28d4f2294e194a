package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stuckAfter is how long a non-blocking connect(2), which returns within milliseconds, may take before the kernel is
// given up. It takes the RFCOMM mutex (net/bluetooth/rfcomm/core.c, rfcomm_dlc_open) that a dead krfcommd never releases.
const stuckAfter = 2 * time.Second

// establish connects fd, which it owns from here on, and returns it registered in the poller.
func (h *host) establish(ctx context.Context, fd int, sa unix.Sockaddr) (*socket, error) {
	if err := h.startConnect(ctx, fd, sa); err != nil {
		return nil, err
	}
	s, err := newSocket(fd)
	if err != nil {
		return nil, err
	}
	var outcome error
	err = s.wait(ctx, writing, func(fd uintptr) bool {
		var done bool
		done, outcome = connected(int(fd))
		return done
	})
	if err == nil {
		err = outcome
	}
	if err != nil {
		// What close could say matters less than err.
		_ = s.close()
		return nil, err
	}
	return s, nil
}

// startConnect calls connect(2) and returns nil when it connected or began to. On an error fd is closed, or will be.
//
// NB: connect(2) runs in a goroutine that nothing waits for unconditionally: in a kernel that is stuck it never returns,
// and no signal ends it. The goroutine that is left behind then owns fd.
func (h *host) startConnect(ctx context.Context, fd int, sa unix.Sockaddr) error {
	result := make(chan error)
	abandoned := make(chan struct{})
	go func() {
		err := h.connect(fd, sa)
		select {
		case result <- err:
		case <-abandoned:
			closeFD(fd)
		}
	}()

	timer := time.NewTimer(stuckAfter)
	defer timer.Stop()
	select {
	case err := <-result:
		if err == nil || errors.Is(err, unix.EINPROGRESS) {
			return nil
		}
		closeFD(fd)
		return os.NewSyscallError("connect", err)
	case <-ctx.Done():
		close(abandoned)
		return ctx.Err()
	case <-timer.C:
		close(abandoned)
		return fmt.Errorf("%w: connect(2) has not returned for %v", ErrKernelStuck, stuckAfter)
	}
}

// connected reports whether a connect in progress has ended, and how. It asks poll(2) first because a wake of the poller
// proves nothing, and takes SO_ERROR for the outcome: a second connect(2) gives EBADFD and spoils the socket, and
// getpeername(2) answers while the connect is still under way (net/bluetooth/rfcomm/sock.c).
func connected(fd int) (done bool, err error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		_, err := unix.Poll(fds, 0)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return true, os.NewSyscallError("poll", err)
		}
	}
	events := fds[0].Revents
	if events&(unix.POLLOUT|unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0 {
		return false, nil
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return true, os.NewSyscallError("getsockopt", err)
	case errno != 0:
		return true, os.NewSyscallError("connect", unix.Errno(errno))
	case events&unix.POLLHUP != 0:
		// Closed again, and somebody else took the errno.
		return true, os.NewSyscallError("connect", unix.ENOTCONN)
	}
	return true, nil
}
