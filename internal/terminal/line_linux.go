package terminal

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Line is one connection over the master side of a pseudo-terminal.
type Line struct {
	master *os.File
	end    func() error
	once   sync.Once // ends: on a Terminal a second time would concern the next client
}

func (l *Line) Read(p []byte) (int, error) {
	n, err := l.master.Read(p)
	return n, lineError(err)
}

func (l *Line) Write(p []byte) (int, error) {
	n, err := l.master.Write(p)
	return n, lineError(err)
}

// SetDeadline makes Read and Write end at t, with net.ErrClosed.
func (l *Line) SetDeadline(t time.Time) error { return l.master.SetDeadline(t) }

// lineError translates EIO, which means that no client has the path open, and
// the deadline that stands for Close.
func lineError(err error) error {
	switch {
	case errors.Is(err, unix.EIO):
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		return net.ErrClosed
	default:
		return err
	}
}

// Close ends the connection, and wakes Read and Write. On a Terminal the client
// notices nothing, by a Listener it is hung up. Only the first call does
// something.
func (l *Line) Close() (err error) {
	l.once.Do(func() { err = l.end() })
	return err
}
