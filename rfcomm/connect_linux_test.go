package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// tcpSocket makes a fresh non-blocking TCP socket. Like an RFCOMM socket that has not begun to connect, it counts as
// writable, and whoever registers it then gets a wake that means nothing.
func tcpSocket(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// fullListener listens with a queue that is full, so that the next connect to it stays under way.
func fullListener(t testing.TB) (addr unix.Sockaddr, accept func()) {
	t.Helper()
	listening, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(listening) })
	if err := unix.Bind(listening, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listening, 0); err != nil {
		t.Fatal(err)
	}
	if addr, err = unix.Getsockname(listening); err != nil {
		t.Fatal(err)
	}
	// A queue of 0 takes one connection; the kernel leaves the next without an answer.
	filler := tcpSocket(t)
	t.Cleanup(func() { unix.Close(filler) })
	if err := unix.Connect(filler, addr); err != unix.EINPROGRESS && err != nil {
		t.Fatal(err)
	}
	fds := []unix.PollFd{{Fd: int32(filler), Events: unix.POLLOUT}}
	if n, err := unix.Poll(fds, 5000); n != 1 || err != nil {
		t.Fatalf("queue not filled: %d, %v", n, err)
	}
	return addr, func() {
		fd, _, err := unix.Accept(listening)
		if err != nil {
			t.Error(err)
			return
		}
		unix.Close(fd)
	}
}

// registered reports whether a descriptor is in the poller.
func registered(t testing.TB, fd int) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(info)) {
			var got int
			if _, err := fmt.Sscanf(line, "tfd: %d", &got); err == nil && got == fd {
				return true
			}
		}
	}
	return false
}

// The trap of a connect's completion: neither a wake, nor a zero SO_ERROR, nor a peer's name proves a connection, and a
// socket that is registered before its connect starts with a wake that proves nothing.
func TestEstablishStaysPending(t *testing.T) {
	addr, _ := fullListener(t)
	fd := tcpSocket(t)
	started := make(chan struct{})
	h := &host{connect: func(fd int, sa unix.Sockaddr) error {
		if registered(t, fd) {
			t.Error("the socket is in the poller before connect(2)")
		}
		defer close(started)
		return unix.Connect(fd, sa)
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	s, err := h.establish(ctx, fd, addr)
	if err == nil {
		s.close()
		t.Fatal("a connect that is still under way counts as connected")
	}
	if err != context.DeadlineExceeded {
		t.Errorf("got %v, want the context's error", err)
	}
	<-started
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("descriptor left open: %v", err)
	}
}

// A wake that means nothing, here the call that wait makes before it waits and one more, must not end the connect.
func TestConnectedSpuriousWake(t *testing.T) {
	addr, _ := fullListener(t)
	fd := tcpSocket(t)
	if done, _ := connected(fd); !done {
		t.Fatal("an unconnected socket does not count as writable: TCP sets no such trap, and this test shows nothing")
	}
	if err := unix.Connect(fd, addr); err != unix.EINPROGRESS {
		t.Fatalf("got %v, want EINPROGRESS", err)
	}
	defer unix.Close(fd)
	for range 2 {
		if done, err := connected(fd); done || err != nil {
			t.Fatalf("got %v, %v while connecting", done, err)
		}
	}
}

func TestEstablish(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: l.Addr().(*net.TCPAddr).Port}
	h := &host{connect: unix.Connect}
	fd := tcpSocket(t)
	s, err := h.establish(context.Background(), fd, addr)
	if err != nil {
		t.Fatal(err)
	}
	if !registered(t, fd) {
		t.Error("the connected socket is not in the poller")
	}
	if err := s.writeMessage(context.Background(), []byte("x")); err != nil {
		t.Errorf("the connected socket does not write: %v", err)
	}
	s.close()

	l.Close()
	fd = tcpSocket(t)
	s, err = h.establish(context.Background(), fd, addr)
	if err == nil {
		s.close()
		t.Fatal("connected to nobody")
	}
	if connectErrno(err) != unix.ECONNREFUSED {
		t.Errorf("got %v, want ECONNREFUSED of connect", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("descriptor left open: %v", err)
	}
}

// An established connection that ended before anybody looked, its errno taken, is not connected.
func TestConnectedHangup(t *testing.T) {
	c, peer := tcpPair(t)
	reset(t, peer)
	var done bool
	var err error
	cerr := c.stream.socket.raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, perr := unix.Poll(fds, 5000); n != 1 || perr != nil {
			t.Errorf("no reset: %d, %v", n, perr)
		}
		if _, gerr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); gerr != nil {
			t.Error(gerr)
		}
		done, err = connected(int(fd))
	})
	if cerr != nil {
		t.Fatal(cerr)
	}
	if !done || connectErrno(err) != unix.ENOTCONN {
		t.Errorf("got %v, %v, want ENOTCONN", done, err)
	}
}

// A connect(2) that does not return, as on a kernel whose RFCOMM is dead, must not hold the caller, and the descriptor
// must outlive it: it belongs to whoever is inside the system call.
func TestEstablishStuck(t *testing.T) {
	tests := []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
		want error
		is   time.Duration
	}{
		{"no deadline", func() (context.Context, context.CancelFunc) {
			return context.WithCancel(context.Background())
		}, ErrKernelStuck, stuckAfter},
		{"a shorter deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Second)
		}, context.DeadlineExceeded, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fd, peer := socketPair(t, unix.SOCK_STREAM)
				defer unix.Close(peer)
				release := make(chan struct{})
				h := &host{connect: func(int, unix.Sockaddr) error {
					<-release
					return nil
				}}
				ctx, cancel := tt.ctx()
				defer cancel()
				began := time.Now()
				s, err := h.establish(ctx, fd, nil)
				if err == nil {
					s.close()
					t.Fatal("connected")
				}
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if took := time.Since(began); took != tt.is {
					t.Errorf("took %v, want %v", took, tt.is)
				}
				if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
					t.Errorf("descriptor closed under a connect(2) that uses it: %v", err)
				}
				close(release)
				synctest.Wait()
				if n, err := unix.Read(peer, make([]byte, 1)); n != 0 || err != nil {
					t.Errorf("descriptor left open after connect(2) returned: %d, %v", n, err)
				}
			})
		})
	}
}
