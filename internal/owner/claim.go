package owner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"powerspy2/internal/flock"
)

// ErrHeld says that another process holds the meter.
var ErrHeld = errors.New("in use")

// A HeldError says who holds a meter. It matches ErrHeld.
type HeldError struct{ Holder Holder }

func (e *HeldError) Error() string { return "it is in use by " + e.Holder.String() }

// Is lets errors.Is find ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Claim takes the meter with this key for the process me until release is
// called or the process ends. A second claim fails, also one by the same
// process. Errors match ErrHeld when somebody else holds the meter, and
// ErrNoPlace when this user has no directory for locks.
func Claim(getenv func(string) string, key string, me Holder) (release func() error, err error) {
	return machine(getenv).claim(key, me)
}

const (
	// replaced is how often a lock file may be replaced by another while it is
	// being locked, as it is when its holder ends or a program tidies up.
	replaced = 10
	// tidying is how long a file of a process that is gone may stay locked: by
	// another claim, which looks whether it can go.
	tidying = 10 * time.Millisecond
)

func (p place) claim(key string, me Holder) (release func() error, err error) {
	root, err := p.open()
	if err != nil {
		return nil, err
	}
	defer root.Close() // it was only read
	name := fileName(key)
	for range replaced {
		f, current, err := lock(root, name, os.O_CREATE)
		var held *HeldError
		if errors.As(err, &held) && held.Holder.gone() {
			time.Sleep(tidying)
			continue
		}
		if err != nil {
			return nil, err
		}
		if !current {
			_ = f.Close() // nobody can find this file any more
			continue
		}
		if err := sign(f, me); err != nil {
			return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
		}
		tidy(root)
		dir := root.Name()
		return func() error { return remove(filepath.Join(dir, name), f) }, nil
	}
	// Perhaps a process that can't be seen from here, as in a container.
	_, _, err = lock(root, name, os.O_CREATE)
	if errors.Is(err, ErrHeld) {
		return nil, err
	}
	return nil, fmt.Errorf("lock %s: something keeps removing it", name)
}

// remove removes a lock file and drops its lock, in this order: whoever locks it
// afterwards finds that it is not the one of its name any more.
func remove(path string, f *os.File) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// tidy removes the lock files of processes that were killed. What can't be
// removed stays: it means nothing.
func tidy(root *os.Root) {
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	names, err := dir.Readdirnames(-1)
	_ = dir.Close() // it was only read
	if err != nil {
		return
	}
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) || !holderIn(root, name).gone() {
			continue
		}
		if f, current, err := lock(root, name, 0); err == nil {
			if current {
				_ = root.Remove(name)
			}
			_ = f.Close()
		}
	}
}

// holderIn reads who holds, or held, a lock file.
func holderIn(root *os.Root, name string) Holder {
	f, err := root.Open(name)
	if err != nil {
		return Holder{}
	}
	defer f.Close()
	return read(f)
}

// read reads who wrote itself into a lock file.
func read(f *os.File) Holder {
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return Holder{} // some process
	}
	return decode(text)
}

// lock opens and locks a file, with more flags for opening it, and reports whether
// it is still the one of its name.
func lock(root *os.Root, name string, flags int) (f *os.File, current bool, err error) {
	f, err = root.OpenFile(name, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // there is an error to tell already
			f = nil
		}
	}()
	taken, err := flock.Try(f)
	if err != nil {
		return f, false, fmt.Errorf("lock %s: %w", name, err)
	}
	if !taken {
		return f, false, &HeldError{read(f)}
	}
	mine, err := f.Stat()
	if err != nil {
		return f, false, fmt.Errorf("lock: %w", err)
	}
	there, err := root.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return f, false, nil
	}
	if err != nil {
		return f, false, fmt.Errorf("lock: %w", err)
	}
	return f, os.SameFile(mine, there), nil
}

// sign writes into a lock file who holds it.
func sign(f *os.File, me Holder) error {
	text, err := me.encode()
	if err != nil {
		return err
	}
	// The sticky bit asks what tidies up runtime directories to leave the file
	// alone (XDG Base Directory Specification, XDG_RUNTIME_DIR).
	if err := f.Chmod(0o600 | os.ModeSticky); err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return err
}
