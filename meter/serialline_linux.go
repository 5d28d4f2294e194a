package meter

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/internal/steady"
)

// A serialLine is an open serial line on the runtime's poller. Its reads cost
// two system calls a frame: see package steady.
type serialLine struct {
	*os.File
	closed atomic.Bool

	mu   sync.Mutex // held by Read
	wait steady.Wait
	p    []byte // what Read is to fill
	n    int    // and has filled
	err  error
}

func newSerialLine(f *os.File, raw syscall.RawConn) *serialLine {
	l := &serialLine{File: f}
	l.wait = steady.Wait{Park: raw.Read, Read: l.readOnce}
	return l
}

func (l *serialLine) readOnce(fd uintptr) steady.Outcome {
	for {
		l.n, l.err = steady.Read(int(fd), l.p)
		if !errors.Is(l.err, unix.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(l.err, unix.EAGAIN):
		return steady.Nothing
	case l.err != nil || l.n == 0:
		return steady.Last
	case l.n < len(l.p):
		return steady.Drained
	}
	return steady.Filled
}

// Read implements io.Reader.
func (l *serialLine) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return 0, &fs.PathError{Op: "read", Path: l.Name(), Err: fs.ErrClosed}
	}
	if len(p) == 0 {
		return 0, nil
	}
	l.p = p
	defer func() { l.p = nil }()
	switch err := l.wait.Next(); {
	case err != nil:
		return 0, err
	case l.err != nil:
		return 0, &fs.PathError{Op: "read", Path: l.Name(), Err: l.err}
	case l.n == 0:
		return 0, io.EOF
	}
	return l.n, nil
}

// Close wakes a read under way and ends the wait that it leaves behind, which
// holds on to the descriptor.
func (l *serialLine) Close() error {
	if l.closed.Swap(true) {
		return &fs.PathError{Op: "close", Path: l.Name(), Err: fs.ErrClosed}
	}
	err := l.SetReadDeadline(time.Unix(1, 0))
	l.mu.Lock()
	l.wait.End()
	l.mu.Unlock()
	return errors.Join(err, l.File.Close())
}
