package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewDirect returns a writer to f for a line every few milliseconds, for days.
//
// Before each write of an *os.File the scheduler of Go is told that the thread
// may block, for which it wakes its monitor thread; that costs three to four
// system calls on top of the one that writes. The writer does without where a
// write can't block: through a non-blocking description, on a pipe, a terminal or
// /dev/null. When that has no room it writes through f after all, and so while a
// reader holds it up the rest of the program goes on, also on one processor. A
// regular file is written through f alone: its disk may hang, and no flag keeps
// write(2) from waiting for it.
//
// f stays the caller's to close, and has to stay open as long as the writer is
// used.
func NewDirect(f *os.File) io.Writer {
	info, err := f.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return f
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return f
	}
	d := &direct{f: f}
	// Not (*os.File).Fd, which would make it blocking.
	cerr := raw.Control(func(fd uintptr) {
		flags, ferr := unix.FcntlInt(fd, unix.F_GETFL, 0)
		switch {
		case ferr != nil:
			err = ferr
		case info.Mode()&fs.ModeCharDevice != 0 && !heedsNonblock(int(fd), info):
			err = errors.ErrUnsupported
		case flags&unix.O_NONBLOCK != 0 && f.SetWriteDeadline(time.Time{}) == nil:
			d.raw = raw // on the poller, which waits where there is no room
		default:
			err = d.open(fd)
		}
	})
	if err != nil || cerr != nil {
		return f
	}
	return d
}

// heedsNonblock reports whether writes to a character device are known never to
// block when they are not to: terminals, and the devices of memory, such as
// /dev/null (Documentation/admin-guide/devices.txt, 1 char).
func heedsNonblock(fd int, info fs.FileInfo) bool {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		return true
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && unix.Major(stat.Rdev) == 1
}

// direct writes without blocking, or through f when that can't be.
type direct struct {
	f   *os.File
	raw syscall.RawConn // of f, where f itself is non-blocking; else nil
	fd  int             // of a non-blocking description of our own
}

// open makes the description of our own: setting the flag on f would set it for
// all programs that share f with us, such as the shell its terminal. Another
// user's pipe can't be opened.
func (d *direct) open(fd uintptr) (err error) {
	d.fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_APPEND|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		runtime.AddCleanup(d, func(fd int) { _ = unix.Close(fd) }, d.fd)
	}
	return err
}

func (d *direct) Write(p []byte) (n int, err error) {
	for n < len(p) {
		written, err := d.try(p[n:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			written, err = d.f.Write(p[n:])
			return n + written, err
		case err != nil:
			return n, &fs.PathError{Op: "write", Path: d.f.Name(), Err: err}
		case written == 0:
			return n, &fs.PathError{Op: "write", Path: d.f.Name(), Err: errors.New("nothing was written")}
		}
		n += written
	}
	return n, nil
}

// try is a write(2) that does not block.
func (d *direct) try(p []byte) (n int, err error) {
	if d.raw == nil {
		return write(d.fd, p)
	}
	if cerr := d.raw.Control(func(fd uintptr) { n, err = write(int(fd), p) }); cerr != nil {
		return 0, cerr
	}
	return n, err
}

// write is write(2) without a word to the scheduler.
func write(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
