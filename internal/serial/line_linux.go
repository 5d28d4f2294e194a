package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"powerspy2/internal/flock"
	"powerspy2/internal/steady"
)

// A Line is an open serial line. Its methods may be called concurrently.
type Line struct {
	file   *os.File
	raw    syscall.RawConn
	reader *steady.Reader
	closed atomic.Bool
}

// Open opens a serial line: a device such as /dev/rfcomm0, or a pseudo-terminal.
// It takes the line for itself: programs that ask for flock(2)'s lock are kept
// away, and, on a device, whoever else opens it (TIOCEXCL; the superuser alone
// is let in). The speed is left as it is, since it means nothing to an rfcomm
// device or a pseudo-terminal.
//
// Errors are *[BusyError], [ErrNotTerminal] and those of the system
// ([*fs.PathError]).
func Open(path string) (_ *Line, err error) {
	// O_NONBLOCK puts the file on the runtime's poller, which gives deadlines,
	// and keeps open(2) from waiting for a carrier.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, heldAt(path)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // there is an error to tell already
		}
	}()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	l := &Line{file: f, raw: raw, reader: steady.NewReader(f, raw)}
	if err := l.control(checkTerminal); err != nil {
		return nil, err
	}
	if taken, err := flock.Try(f); err == nil && !taken {
		return nil, heldBy(info)
	}
	// Without a lock, too: bytes that two programs read go to either.
	if holder, ok := find(info); ok {
		return nil, holder
	}
	if !isPseudo(info) {
		if err := l.control(func(fd int) error { return ioctl("TIOCEXCL", fd, unix.TIOCEXCL) }); err != nil {
			return nil, err
		}
	}
	return l, l.control(makeRaw)
}

// control calls fn with the descriptor, and names the line in its error.
func (l *Line) control(fn func(fd int) error) error {
	var failed error
	if err := l.raw.Control(func(fd uintptr) { failed = fn(int(fd)) }); err != nil {
		return err
	}
	return l.wrap("open", failed)
}

func (l *Line) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: l.file.Name(), Err: err}
}

func checkTerminal(fd int) error {
	if !term.IsTerminal(fd) {
		return ErrNotTerminal
	}
	return nil
}

// makeRaw makes bytes pass both ways as they are, whatever the modem's lines say.
func makeRaw(fd int) error {
	if _, err := term.MakeRaw(fd); err != nil {
		return fmt.Errorf("raw mode: %w", err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	t.Cflag |= unix.CLOCAL | unix.CREAD
	return os.NewSyscallError("ioctl TCSETS", unix.IoctlSetTermios(fd, unix.TCSETS, t))
}

func ioctl(name string, fd int, request uint) error {
	return os.NewSyscallError("ioctl "+name, unix.IoctlSetInt(fd, request, 0))
}

// isPseudo recognises the client's side of a pseudo-terminal
// (Documentation/admin-guide/devices.txt, 136 to 143 char).
//
// NB: these are not taken by TIOCEXCL. It lasts as long as the terminal, which
// the other side keeps: a program that was killed would leave a line that nobody
// can open again. A device forgets it with the last descriptor.
func isPseudo(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	major := unix.Major(stat.Rdev)
	return major >= 136 && major <= 143
}

// Read reads what is there, or waits for the first byte. A line that was hung up
// is at its end: io.EOF, or EIO of a pseudo-terminal.
func (l *Line) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	if _, ok := errors.AsType[unix.Errno](err); ok || errors.Is(err, os.ErrClosed) {
		err = l.wrap("read", err)
	}
	return n, err
}

// Write writes all of p.
func (l *Line) Write(p []byte) (int, error) { return l.file.Write(p) }

// SetReadDeadline makes Read, also one under way, end at t with
// os.ErrDeadlineExceeded. Zero: never.
func (l *Line) SetReadDeadline(t time.Time) error {
	return l.wrap("set deadline", l.reader.SetDeadline(t))
}

// SetWriteDeadline does so for Write.
func (l *Line) SetWriteDeadline(t time.Time) error { return l.file.SetWriteDeadline(t) }

// Close gives the line back, and wakes Read and Write. A second one returns
// os.ErrClosed.
func (l *Line) Close() error {
	if l.closed.Swap(true) {
		return l.wrap("close", os.ErrClosed)
	}
	// Whoever else has it open, as root, would be left alone with it otherwise.
	// A line that is gone has nothing to give back.
	_ = l.control(func(fd int) error { return ioctl("TIOCNXCL", fd, unix.TIOCNXCL) })
	return l.wrap("close", l.reader.Close())
}
