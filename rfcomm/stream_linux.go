package rfcomm

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/internal/steady"
)

// A stream is the connected socket of a Conn.
type stream struct {
	socket *socket
	reader *steady.Reader
	writer transfer
}

// A transfer is a write in progress: the bytes still to send, those sent, and the errno that ended it.
type transfer struct {
	mu  sync.Mutex // serialises whole calls of write
	p   []byte
	n   int
	err error
	fn  func(fd uintptr) bool // made once so that no call allocates
}

// newStream makes a stream of s, which it owns from here on.
func newStream(s *socket) *stream {
	st := &stream{socket: s, reader: steady.NewReader(s.file, s.raw)}
	t := &st.writer
	t.fn = func(fd uintptr) bool {
		for len(t.p) > 0 {
			n, err := retryInterrupted(unix.Write, fd, t.p)
			t.n, t.p, t.err = t.n+n, t.p[n:], err
			if err == nil && n == 0 {
				t.err = io.ErrUnexpectedEOF
			}
			if t.err != nil {
				return !errors.Is(t.err, unix.EAGAIN)
			}
		}
		return true
	}
	return st
}

// read reads what is there; the error, when there is one, comes with no bytes.
func (s *stream) read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		err = os.NewSyscallError("read", errno)
	}
	return n, s.socket.closedError(err)
}

// write writes all of p unless an error comes first.
func (s *stream) write(p []byte) (int, error) {
	t := &s.writer
	t.mu.Lock()
	defer t.mu.Unlock()

	if s.socket.closed.Load() {
		return 0, net.ErrClosed
	}
	t.p, t.n, t.err = p, 0, nil
	defer func() { t.p = nil }()
	if err := s.socket.wait(context.Background(), writing, t.fn); err != nil {
		return t.n, err
	}
	if t.err == nil {
		return t.n, nil
	}
	err := os.NewSyscallError("write", t.err)
	// A shortage of memory passes; anything else is the end of the stream.
	if !errors.Is(t.err, unix.ENOBUFS) && !errors.Is(t.err, unix.ENOMEM) {
		s.reader.Break(err)
	}
	return t.n, err
}

func (s *stream) setReadDeadline(t time.Time) error {
	return s.socket.closedError(s.reader.SetDeadline(t))
}

func (s *stream) setWriteDeadline(t time.Time) error { return s.socket.setDeadline(writing, t) }

// close wakes a read or write under way.
func (s *stream) close() error {
	if s.socket.closed.Swap(true) {
		return nil
	}
	return s.reader.Close()
}
