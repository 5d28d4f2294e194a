package owner

import (
	"errors"
	"fmt"
	"io"
	"os"
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
// process. Errors match ErrHeld when somebody else holds the meter; others
// mean that this machine has no place for locks.
func Claim(getenv func(string) string, key string, me Holder) (release func() error, err error) {
	return machine(getenv).claim(key, me)
}

// replaced is how often a lock file may be replaced by another while it is
// being locked, as a program that tidies up might do.
const replaced = 3

func (p place) claim(key string, me Holder) (release func() error, err error) {
	root, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("directory of the locks: %w", err)
	}
	defer root.Close() // it was only read
	name := fileName(key)
	for range replaced {
		f, current, err := lock(root, name)
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
		// Closing drops the lock. The file stays: removing it would let two
		// processes lock two files of one name.
		return f.Close, nil
	}
	return nil, fmt.Errorf("lock %s: something keeps removing it", name)
}

// lock opens and locks a file, and tells whether it is still the one of its
// name.
func lock(root *os.Root, name string) (f *os.File, current bool, err error) {
	f, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // there is an error to tell already
			f = nil
		}
	}()
	taken, err := tryLock(f)
	if err != nil {
		return f, false, fmt.Errorf("lock %s: %w", name, err)
	}
	if !taken {
		text, rerr := io.ReadAll(io.LimitReader(f, 64<<10))
		if rerr != nil {
			text = nil // then it is some other process
		}
		return f, false, &HeldError{decode(text)}
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
