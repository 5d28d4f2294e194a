package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewDirect returns a writer to f for a line every few milliseconds, for days.
//
// Before each write of an *os.File the scheduler of Go is told that the thread
// may block, for which it wakes its monitor thread; that costs three to four
// system calls on top of the one that writes. The writer does without where a
// write can't block for long: on a regular file, and, through a non-blocking
// description of its own, on a pipe or a terminal. Where it could, because the
// pipe is full, say, it writes through f after all.
//
// f stays the caller's to close, and has to stay open as long as the writer is
// used.
func NewDirect(f *os.File) io.Writer {
	info, err := f.Stat()
	if err != nil {
		return f
	}
	fd := int(f.Fd())
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return &direct{f: f, fd: fd}
	case mode&(fs.ModeNamedPipe|fs.ModeCharDevice) != 0:
		// Setting the flag on f itself would set it for all programs that
		// share f with us, such as the shell its terminal. This one is never
		// closed: it lasts as long as the program's output.
		fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_APPEND|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			return f // a pipe of another user's, for one
		}
		return &direct{f: f, fd: fd}
	}
	return f
}

// direct writes to fd, or to f when fd would block.
type direct struct {
	f  *os.File
	fd int
}

func (d *direct) Write(p []byte) (n int, err error) {
	for n < len(p) {
		rest := p[n:]
		written, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(d.fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)))
		switch {
		case errno == 0:
			n += int(written)
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			m, err := d.f.Write(rest)
			return n + m, err
		default:
			return n, &fs.PathError{Op: "write", Path: d.f.Name(), Err: errno}
		}
		if errno == 0 && written == 0 {
			return n, &fs.PathError{Op: "write", Path: d.f.Name(), Err: errors.New("nothing was written")}
		}
	}
	return n, nil
}
