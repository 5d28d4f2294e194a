package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/internal/output"
	"powerspy2/internal/patherr"
)

// A NoDirectoryError is a file whose directory is missing.
type NoDirectoryError struct {
	Directory string
	Err       error // the system's
}

func (e *NoDirectoryError) Error() string { return e.Err.Error() }

// Unwrap returns the system's error.
func (e *NoDirectoryError) Unwrap() error { return e.Err }

// An UnreadableError is a file that may be written to but not read, which is
// needed to see whether its last line is whole.
type UnreadableError struct {
	Path string
	Err  error // the system's
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%v to read it, to see whether its last line is whole", e.Err)
}

// Unwrap returns the system's error.
func (e *UnreadableError) Unwrap() error { return e.Err }

// pipePoll is how often a pipe that nobody reads yet is tried again.
const pipePoll = 100 * time.Millisecond

// opened is a file that is ready for the next line.
type opened struct {
	file    *os.File
	w       io.Writer   // to file, with one system call a line
	info    fs.FileInfo // as it was when it was opened
	regular bool
	empty   bool
	cut     int64 // bytes of a torn line that were cut off
	content Content
	release func() error // of its claim; nil: it has none

	// What is left of a write that failed, to be cut off: from, to. Nothing
	// when they are the same.
	from, to int64
}

// open opens and claims the file, and cuts off a torn last line. It returns nil
// when path is the file that is open already.
func (c *Config) open(ctx context.Context, path string, now *opened) (*opened, error) {
	for {
		f, err := openFile(ctx, path)
		if err != nil {
			return nil, err
		}
		o, again, err := c.prepare(f, path, now)
		if o == nil {
			err = errors.Join(err, patherr.Bare(f.Close()))
		}
		if err != nil || !again {
			return o, err
		}
	}
}

// prepare makes f ready. It is to be opened again when path has become another
// file meanwhile.
func (c *Config) prepare(f *os.File, path string, now *opened) (_ *opened, again bool, err error) {
	o := &opened{file: f}
	defer func() {
		if err != nil || again {
			err = errors.Join(err, o.unclaim())
		}
	}()
	if o.info, err = f.Stat(); err != nil {
		return nil, false, patherr.Bare(err)
	}
	if now != nil && os.SameFile(o.info, now.info) {
		return nil, false, nil
	}
	if o.regular = o.info.Mode().IsRegular(); o.regular {
		if err := o.claim(c); err != nil {
			return nil, false, err
		}
		// Between open and claim another program may have moved it away.
		if named, err := os.Stat(path); err != nil || !os.SameFile(named, o.info) {
			return nil, true, nil
		}
		if err := o.repair(c); err != nil {
			return nil, false, err
		}
	}
	o.w = output.NewDirect(f)
	return o, false, nil
}

// openFile opens a file to append to. A regular file is opened for reading too,
// to see how it ends; a pipe must not be, or its reader's end would never be
// noticed.
func openFile(ctx context.Context, path string) (*os.File, error) {
	for {
		var mode fs.FileMode
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode()
		}
		flags := os.O_RDWR | os.O_APPEND | os.O_CREATE
		switch {
		case mode&fs.ModeNamedPipe != 0:
			flags = os.O_WRONLY | os.O_APPEND | unix.O_NONBLOCK
		case !mode.IsRegular():
			flags = os.O_WRONLY | os.O_APPEND
		}
		f, err := os.OpenFile(path, flags, 0o666)
		switch {
		case err == nil:
			return f, nil
		case mode&fs.ModeNamedPipe != 0 && errors.Is(err, unix.ENXIO):
			// Nobody has it open for reading; a blocking open would wait too,
			// but not for ctx.
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(pipePoll):
			}
		case errors.Is(err, fs.ErrNotExist):
			return nil, &NoDirectoryError{filepath.Dir(path), patherr.Bare(err)}
		case errors.Is(err, fs.ErrPermission) && mode.IsRegular() && unix.Access(path, unix.W_OK) == nil:
			return nil, &UnreadableError{path, patherr.Bare(err)}
		default:
			return nil, patherr.Bare(err)
		}
	}
}

// claim keeps other writers away from the file, which goes by its device and
// inode: it may have several names.
func (o *opened) claim(c *Config) (err error) {
	stat, ok := o.info.Sys().(*syscall.Stat_t)
	if c.Claim == nil || !ok {
		return nil
	}
	o.release, err = c.Claim(fmt.Sprintf("file %d:%d", stat.Dev, stat.Ino))
	return err
}

// unclaim ends the claim.
func (o *opened) unclaim() error {
	if o.release == nil {
		return nil
	}
	release := o.release
	o.release = nil
	return release()
}

// repair cuts off a torn last line, if the file is known to be one of these
// readings. It is claimed, so that no other program is in the middle of writing
// it.
func (o *opened) repair(c *Config) error {
	// Its size before it was claimed may be old.
	info, err := o.file.Stat()
	if err != nil {
		return patherr.Bare(err)
	}
	find := c.Whole
	if find == nil {
		find = wholeLength
	}
	whole, err := find(o.file, info.Size())
	if err != nil {
		return patherr.Bare(err)
	}
	if o.content, err = content(o.file, whole, info.Size()); err != nil {
		return patherr.Bare(err)
	}
	if info.Size() == 0 {
		setMark(o.file, c.Mark)
	} else if c.Check != nil {
		if err := c.Check(o.content); err != nil {
			return err
		}
	}
	if o.cut = info.Size() - whole; o.cut > 0 {
		if err := o.file.Truncate(whole); err != nil {
			return fmt.Errorf("its last line is torn and can't be cut off: %w", patherr.Bare(err))
		}
	}
	o.empty = whole == 0
	return nil
}

// failed notes that n bytes of a line were written before it failed, and cuts
// them off.
func (o *opened) failed(n int) error {
	if n == 0 || !o.regular {
		return nil
	}
	// Behind what was appended, also when others append too.
	at, err := o.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return patherr.Bare(err)
	}
	o.from, o.to = at-int64(n), at
	return o.mend()
}

// mend cuts off what is left of a line that failed. As long as that can't be
// done nothing may be written behind it.
func (o *opened) mend() error {
	if o.from == o.to {
		return nil
	}
	info, err := o.file.Stat()
	if err != nil {
		return patherr.Bare(err)
	}
	// Another size means that somebody else has cut the file, or has written
	// to it without the lock: then it is not ours to cut.
	if info.Size() == o.to {
		if err := o.file.Truncate(o.from); err != nil {
			return fmt.Errorf("half a line can't be cut off: %w", patherr.Bare(err))
		}
	}
	o.from, o.to = 0, 0
	return nil
}
