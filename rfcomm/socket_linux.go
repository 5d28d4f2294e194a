package rfcomm

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A direction says what a socket waits for.
type direction bool

const (
	reading direction = false
	writing direction = true
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// A socket is a non-blocking descriptor on the runtime poller.
type socket struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
}

// newSocket registers a non-blocking descriptor with the runtime poller. The socket owns fd from here on, also when
// newSocket fails.
//
// NB: a client's socket comes here only after connect(2): the kernel calls a socket that has not begun to connect writable
// (net/bluetooth/af_bluetooth.c, bt_sock_poll), and the poller would keep that wake.
func newSocket(fd int) (*socket, error) {
	file := os.NewFile(uintptr(fd), network)
	if file == nil {
		return nil, os.NewSyscallError("fcntl", unix.EBADF)
	}
	raw, err := file.SyscallConn()
	if err == nil {
		// Fails when the poller did not take the descriptor.
		err = file.SetDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &socket{file: file, raw: raw}, nil
}

// wait owns all waiting. It calls fn until fn says that it is done, and between calls waits for the descriptor to become
// readable or writable, for the deadline, for Close, and for ctx, whose own error it returns. fn is called at least once
// unless the deadline has passed, before any wait, so that data which is there costs one system call.
//
// A ctx that can end uses the deadline of that direction and leaves it cleared: whoever passes one sets no deadline.
func (s *socket) wait(ctx context.Context, d direction, fn func(fd uintptr) bool) error {
	if ctx.Done() == nil {
		return s.park(d, fn)
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	expired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(expired)
		// Fails only when the socket is closed, which wakes as well.
		_ = s.setDeadline(d, longAgo)
	})
	err := s.park(d, fn)
	if !stop() {
		// NB: the watcher has begun. Join it before disarming: one that comes after would leave a past deadline to the
		// next call.
		<-expired
		if derr := s.setDeadline(d, time.Time{}); err == nil {
			err = derr
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = ctx.Err()
		}
	}
	return err
}

// park calls fn under the poller, with net.ErrClosed as the one error of a closed socket.
func (s *socket) park(d direction, fn func(fd uintptr) bool) error {
	var err error
	if d == writing {
		err = s.raw.Write(fn)
	} else {
		err = s.raw.Read(fn)
	}
	return s.closedError(err)
}

func (s *socket) setDeadline(d direction, t time.Time) error {
	if d == writing {
		return s.closedError(s.file.SetWriteDeadline(t))
	}
	return s.closedError(s.file.SetReadDeadline(t))
}

func (s *socket) closedError(err error) error {
	if err != nil && s.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// close closes the descriptor once and wakes whoever waits.
func (s *socket) close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.file.Close()
}

// readMessage reads one message of a socket that keeps their borders, under ctx.
func (s *socket) readMessage(ctx context.Context, p []byte) (int, error) {
	var n int
	var errno error
	err := s.wait(ctx, reading, func(fd uintptr) bool {
		n, errno = retryInterrupted(unix.Read, fd, p)
		return !errors.Is(errno, unix.EAGAIN)
	})
	if err == nil {
		err = os.NewSyscallError("read", errno)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// writeMessage writes one message under ctx.
func (s *socket) writeMessage(ctx context.Context, p []byte) error {
	var errno error
	err := s.wait(ctx, writing, func(fd uintptr) bool {
		_, errno = retryInterrupted(unix.Write, fd, p)
		return !errors.Is(errno, unix.EAGAIN)
	})
	if err == nil {
		err = os.NewSyscallError("write", errno)
	}
	return err
}

// retryInterrupted calls read(2) or write(2) again for as long as signals interrupt it. The count is never negative.
func retryInterrupted(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}
