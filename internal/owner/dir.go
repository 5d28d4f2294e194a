package owner

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// A PublicError is a directory that should be private and is not.
type PublicError struct {
	Path string
	Mode fs.FileMode
}

func (e *PublicError) Error() string {
	return fmt.Sprintf("%s is open to other users (mode %v)", e.Path, e.Mode)
}

// A place is where directories of running processes may be.
type place struct {
	getenv func(string) string
	run    string // the parent of users' runtime directories
	temp   string // for users without one
	uid    int
}

// machine is the usual place for this process.
func machine(getenv func(string) string) place {
	return place{getenv: getenv, run: "/run/user", temp: os.TempDir(), uid: os.Getuid()}
}

// Directory returns the path of the directory of the locks, which nobody else
// may enter; other things of running processes may be in it, too. It is made
// if it must.
func Directory(getenv func(string) string) (string, error) {
	root, err := machine(getenv).open()
	if err != nil {
		return "", err
	}
	return root.Name(), root.Close()
}

// open returns the directory of the locks, which it makes if it must:
// $XDG_RUNTIME_DIR/powerspy; without that variable, as under cron, what it
// usually is; and for users without a runtime directory one of their own
// among the temporary files. Nobody else can have prepared, or can change,
// what is in it.
func (p place) open() (*os.Root, error) {
	uid := strconv.Itoa(p.uid)
	for _, parent := range []string{p.getenv("XDG_RUNTIME_DIR"), filepath.Join(p.run, uid)} {
		if !filepath.IsAbs(parent) {
			continue
		}
		// The parent is checked as well: where others can write they could put
		// another directory in the place of ours. With `su` or a container the
		// variable may name somebody else's.
		if root, err := private(parent, p.uid); err == nil {
			_ = root.Close() // it was only looked at
			if root, err := makePrivate(filepath.Join(parent, "powerspy"), p.uid); err == nil {
				return root, nil
			}
		}
	}
	return makePrivate(filepath.Join(p.temp, "powerspy-"+uid), p.uid)
}

// makePrivate makes a directory that is private, unless there is one.
func makePrivate(path string, uid int) (*os.Root, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return nil, err
	}
	return private(path, uid)
}

// private opens a directory that belongs to this user and that nobody else may
// enter. It follows no symbolic link.
func private(path string, uid int) (_ *os.Root, err error) {
	seen, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = root.Close() // there is an error to tell already
		}
	}()
	opened, err := root.Stat(".")
	switch {
	case err != nil:
		return nil, err
	case !seen.IsDir(), !os.SameFile(seen, opened):
		return nil, fmt.Errorf("%s is not a directory, or has just become another", path)
	case opened.Mode().Perm()&0o077 != 0:
		return nil, &PublicError{path, opened.Mode().Perm()}
	}
	if owner, ok := uidOf(opened); !ok || owner != uid {
		return nil, fmt.Errorf("%s belongs to another user", path)
	}
	return root, nil
}
