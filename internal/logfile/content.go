package logfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A Content is what is looked at of a file before it is appended to.
type Content struct {
	Head []byte // the first lines, whole ones, or the beginning of a very long one; empty if there is none
	Last []byte // the last whole line, without its line end
	Torn []byte // what follows that, up to the first zero byte
	Mark string // the Config.Mark that the file was made with; "" if that is not known
}

// longestLine bounds what is looked at of a line. Longer ones are told by their
// beginning.
const longestLine = 16 << 10

// content looks at a file of this size, whose whole lines end at whole.
func content(f *os.File, whole, size int64) (c Content, err error) {
	if c.Head, err = readAt(f, 0, min(whole, longestLine)); err != nil {
		return c, err
	}
	if n := bytes.LastIndexByte(c.Head, '\n') + 1; n > 0 {
		c.Head = c.Head[:n]
	}
	from := max(0, whole-longestLine)
	if c.Last, err = readAt(f, from, whole-from); err != nil {
		return c, err
	}
	c.Last = bytes.TrimSuffix(c.Last, []byte("\n"))
	c.Last = c.Last[bytes.LastIndexByte(c.Last, '\n')+1:]
	if c.Torn, err = readAt(f, whole, min(size-whole, longestLine)); err != nil {
		return c, err
	}
	c.Torn, _, _ = bytes.Cut(c.Torn, []byte{0})
	c.Mark = mark(f)
	return c, nil
}

func readAt(f *os.File, from, n int64) ([]byte, error) {
	b := make([]byte, n)
	if got, err := f.ReadAt(b, from); err != nil && (!errors.Is(err, io.EOF) || int64(got) < n) {
		return nil, err
	}
	return b, nil
}

// markName is the extended attribute (xattr(7)) that says what a file is made
// of, which not every format says in its lines.
const markName = "user.powerspy.readings"

// mark returns the mark of a file, "" if it has none.
func mark(f *os.File) string {
	b := make([]byte, 4096)
	n, err := unix.Fgetxattr(int(f.Fd()), markName, b)
	runtime.KeepAlive(f)
	if err != nil || n < 0 {
		return ""
	}
	return string(b[:n])
}

// setMark marks a file. A file system that keeps no marks has its files told by
// their lines alone.
func setMark(f *os.File, mark string) {
	if mark != "" {
		_ = unix.Fsetxattr(int(f.Fd()), markName, []byte(mark), 0)
		runtime.KeepAlive(f)
	}
}
