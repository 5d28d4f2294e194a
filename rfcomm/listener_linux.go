package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// A listener is the listening socket of a Listener.
type listener struct {
	socket *socket
}

func listen(local Addr, level Security) (*listener, Addr, error) {
	fd, err := system.open(protocolRFCOMM, bdaddr.Address{}, level)
	if err != nil {
		return nil, Addr{}, err
	}
	// Be sure to close fd on every error from here on.
	if err := system.checkRunning(); err != nil {
		closeFD(fd)
		return nil, Addr{}, err
	}
	if err := unix.Bind(fd, sockaddr(protocolRFCOMM, local.Address, local.Channel)); err != nil {
		closeFD(fd)
		return nil, Addr{}, os.NewSyscallError("bind", err)
	}
	// A zero channel is replaced by a free one here (net/bluetooth/rfcomm/sock.c, rfcomm_sock_listen).
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		closeFD(fd)
		return nil, Addr{}, os.NewSyscallError("listen", err)
	}
	addr, err := localAddr(fd)
	if err != nil {
		closeFD(fd)
		return nil, Addr{}, err
	}
	s, err := newSocket(fd)
	if err != nil {
		return nil, Addr{}, err
	}
	return &listener{socket: s}, addr, nil
}

func (l *listener) accept() (s *stream, local, remote Addr, err error) {
	fd, sa, err := l.acceptFD()
	if err != nil {
		return nil, Addr{}, Addr{}, err
	}
	remote, ok := addrOf(sa)
	if !ok {
		closeFD(fd)
		return nil, Addr{}, Addr{}, os.NewSyscallError("accept4", unix.EAFNOSUPPORT)
	}
	if local, err = localAddr(fd); err != nil {
		closeFD(fd)
		return nil, Addr{}, Addr{}, err
	}
	sock, err := newSocket(fd)
	if err != nil {
		return nil, Addr{}, Addr{}, err
	}
	return newStream(sock), local, remote, nil
}

// acceptFD waits for a connection and takes it.
func (l *listener) acceptFD() (fd int, sa unix.Sockaddr, err error) {
	var errno error
	err = l.socket.wait(context.Background(), reading, func(listening uintptr) bool {
		for {
			fd, sa, errno = unix.Accept4(int(listening), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			switch errno {
			case unix.EINTR, unix.ECONNABORTED:
				// ECONNABORTED: gone again before it was taken.
				continue
			}
			return errno != unix.EAGAIN
		}
	})
	if err == nil {
		err = os.NewSyscallError("accept4", errno)
	}
	return fd, sa, err
}

func (l *listener) setDeadline(t time.Time) error { return l.socket.setDeadline(reading, t) }

func (l *listener) close() error { return l.socket.close() }

// fileStream makes a stream of a duplicate of the descriptor of f.
func fileStream(f *os.File) (s *stream, local, remote Addr, err error) {
	fd, err := duplicate(f)
	if err != nil {
		return nil, Addr{}, Addr{}, err
	}
	// Be sure to close fd on every error from here on.
	if local, remote, err = streamAddrs(fd); err != nil {
		closeFD(fd)
		return nil, Addr{}, Addr{}, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		closeFD(fd)
		return nil, Addr{}, Addr{}, os.NewSyscallError("fcntl", err)
	}
	sock, err := newSocket(fd)
	if err != nil {
		return nil, Addr{}, Addr{}, err
	}
	return newStream(sock), local, remote, nil
}

// duplicate makes a descriptor of its own for the file that f has open, without changing f's mode as f.Fd may.
func duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, errno := -1, error(nil)
	if err := raw.Control(func(old uintptr) {
		fd, errno = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		// Control fails for no other reason.
		return -1, os.ErrClosed
	}
	return fd, os.NewSyscallError("fcntl", errno)
}

// streamAddrs checks that fd is a connected RFCOMM stream, and gives its ends.
func streamAddrs(fd int) (local, remote Addr, err error) {
	for _, option := range []struct{ name, want int }{
		{unix.SO_DOMAIN, unix.AF_BLUETOOTH},
		{unix.SO_PROTOCOL, unix.BTPROTO_RFCOMM},
		{unix.SO_TYPE, unix.SOCK_STREAM},
	} {
		got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option.name)
		if err != nil {
			return Addr{}, Addr{}, os.NewSyscallError("getsockopt", err)
		}
		if got != option.want {
			return Addr{}, Addr{}, errors.New("file is not an RFCOMM stream socket")
		}
	}
	if local, err = localAddr(fd); err != nil {
		return Addr{}, Addr{}, err
	}
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return Addr{}, Addr{}, os.NewSyscallError("getpeername", err)
	}
	remote, ok := addrOf(sa)
	if !ok {
		return Addr{}, Addr{}, fmt.Errorf("unexpected peer address %T", sa)
	}
	return local, remote, nil
}
