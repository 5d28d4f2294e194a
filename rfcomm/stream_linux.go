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

	// reader.mu and writer.mu serialise whole calls of read and write, and guard what readFn and writeFn, made once so
	// that no call allocates, work on. close takes neither, so that it can wake them.
	reader, writer  transfer
	readFn, writeFn func(fd uintptr) bool
	// steady is Config.Steady, and pieces the wait for data that then lasts from read to read; guarded by reader.mu.
	steady bool
	pieces steady.Wait
	// final is the first error of a read that is no deadline; guarded by reader.mu.
	final error

	// mu guards broken and, with it, the read deadline, which a write that finds the stream broken takes over.
	mu     sync.Mutex
	broken error
}

// A transfer is a read or write in progress: the bytes still to fill or to send, those done, and the errno that ended it.
type transfer struct {
	mu  sync.Mutex
	p   []byte
	n   int
	err error
}

func newStream(s *socket, isSteady bool) *stream {
	st := &stream{socket: s, steady: isSteady}
	st.readFn = func(fd uintptr) bool {
		t := &st.reader
		t.n, t.err = retryInterrupted(steady.Read, fd, t.p)
		return !errors.Is(t.err, unix.EAGAIN)
	}
	st.writeFn = func(fd uintptr) bool {
		t := &st.writer
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
	st.pieces = steady.Wait{
		Park: func(fn func(uintptr) bool) error { return s.wait(context.Background(), reading, fn) },
		Read: func(fd uintptr) steady.Outcome {
			t := &st.reader
			switch {
			case !st.readFn(fd):
				return steady.Nothing
			case t.err != nil || t.n == 0:
				return steady.Last
			case t.n < len(t.p):
				return steady.Drained
			}
			return steady.Filled
		},
	}
	return st
}

// read reads what is there; the error, when there is one, comes with no bytes.
func (s *stream) read(p []byte) (int, error) {
	t := &s.reader
	t.mu.Lock()
	defer t.mu.Unlock()

	if s.socket.closed.Load() {
		return 0, net.ErrClosed
	}
	if s.final != nil {
		return 0, s.final
	}
	if len(p) == 0 {
		return 0, nil
	}
	t.p = p
	defer func() { t.p = nil }()
	var err error
	if s.steady {
		err = s.pieces.Next()
	} else {
		err = s.socket.wait(context.Background(), reading, s.readFn)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if broken := s.brokenBy(); broken != nil {
			return s.readLast(broken)
		}
	}
	if err != nil {
		return 0, err
	}
	return s.readDone()
}

// readLast reads, without waiting, what was received before a write found the stream broken: the write may have taken
// the errno that a read waits for, and the kernel reports it once.
func (s *stream) readLast(broken error) (int, error) {
	if err := s.socket.raw.Control(func(fd uintptr) { s.readFn(fd) }); err != nil {
		return 0, s.socket.closedError(err)
	}
	if errors.Is(s.reader.err, unix.EAGAIN) {
		s.final = broken
		return 0, s.final
	}
	return s.readDone()
}

// readDone turns the outcome of readFn into that of read. NB: after the first error the kernel forgets the errno, and
// the next read(2) would find nothing, for ever (net/bluetooth/af_bluetooth.c, bt_sock_stream_recvmsg).
func (s *stream) readDone() (int, error) {
	switch t := &s.reader; {
	case t.err != nil:
		s.final = os.NewSyscallError("read", t.err)
	case t.n == 0:
		s.final = io.EOF
	}
	if s.final != nil {
		return 0, s.final
	}
	return s.reader.n, nil
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
	if err := s.socket.wait(context.Background(), writing, s.writeFn); err != nil {
		return t.n, err
	}
	if t.err == nil {
		return t.n, nil
	}
	err := os.NewSyscallError("write", t.err)
	// A shortage of memory passes; anything else is the end of the stream.
	if !errors.Is(t.err, unix.ENOBUFS) && !errors.Is(t.err, unix.ENOMEM) {
		s.breakReads(err)
	}
	return t.n, err
}

// breakReads remembers that a write found the stream broken and wakes a blocked read to learn of it.
func (s *stream) breakReads(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return
	}
	s.broken = err
	// Fails only when the socket is closed, which wakes as well.
	_ = s.socket.setDeadline(reading, longAgo)
}

func (s *stream) brokenBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

func (s *stream) setReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket.closed.Load() {
		return net.ErrClosed
	}
	if s.broken != nil {
		// Reads no longer wait, and the deadline must stay as breakReads set it.
		return nil
	}
	return s.socket.setDeadline(reading, t)
}

func (s *stream) setWriteDeadline(t time.Time) error { return s.socket.setDeadline(writing, t) }

// close wakes a read under way and ends the wait that it leaves behind, which holds on to the descriptor.
func (s *stream) close() error {
	if s.socket.closed.Swap(true) {
		return nil
	}
	derr := s.socket.file.SetReadDeadline(longAgo)
	s.reader.mu.Lock()
	s.pieces.End()
	s.reader.mu.Unlock()
	return errors.Join(derr, s.socket.file.Close())
}
