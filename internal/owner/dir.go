package owner

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"powerspy2/internal/patherr"
	"powerspy2/internal/xdg"
)

// ErrNoPlace means that this user has no directory for locks that is theirs alone.
var ErrNoPlace = errors.New("no directory for locks")

// A PlaceError says why a directory can't hold locks. It matches ErrNoPlace.
type PlaceError struct {
	Path  string
	Owner string // the other user whose it is; empty: it is this user's, or is none
	Open  bool   // it is this user's, and open to others
	Err   error
}

func (e *PlaceError) Error() string { return fmt.Sprintf("lock directory %s: %v", e.Path, e.Err) }

// Is lets errors.Is find ErrNoPlace.
func (e *PlaceError) Is(target error) bool { return target == ErrNoPlace }

// Unwrap returns the cause.
func (e *PlaceError) Unwrap() error { return e.Err }

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
// if it must. Errors match ErrNoPlace, and may be a *PlaceError.
func Directory(getenv func(string) string) (string, error) {
	root, err := machine(getenv).open()
	if err != nil {
		return "", err
	}
	return root.Name(), root.Close()
}

// open returns the directory of the locks, which it makes if it must:
// $XDG_RUNTIME_DIR/powerspy; without that variable, as under cron, what it
// usually is; for users without a runtime directory one of their own among the
// temporary files, or, since others may have taken that name, in their cache.
// Nobody else can have prepared, or can change, what is in it.
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
	root, err := makePrivate(filepath.Join(p.temp, "powerspy-"+uid), p.uid)
	if err == nil {
		return root, nil
	}
	if cache := p.cache(); cache != "" {
		if root, cerr := makePrivate(cache, p.uid); cerr == nil {
			return root, nil
		}
	}
	return nil, err
}

// cache is the directory of the locks within this user's cache: one for each
// machine, since a home may be on a file server. It is empty where there is
// none.
func (p place) cache() string {
	dir, err := xdg.Cache(p.getenv)
	if err != nil {
		return ""
	}
	host, err := os.Hostname()
	if err != nil || os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return filepath.Join(dir, "run-"+filepath.Base(host))
}

// makePrivate makes a directory that is private, unless there is one.
func makePrivate(path string, uid int) (*os.Root, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return nil, &PlaceError{Path: path, Err: patherr.Bare(err)}
	}
	return private(path, uid)
}

// private opens a directory that belongs to this user and that nobody else may
// enter. It follows no symbolic link. Errors are *PlaceError.
func private(path string, uid int) (_ *os.Root, err error) {
	failed := &PlaceError{Path: path}
	seen, err := os.Lstat(path)
	if err != nil {
		failed.Err = patherr.Bare(err)
		return nil, failed
	}
	// Before its mode, and before it is opened: neither is this user's to mend.
	if owner, ok := uidOf(seen); !ok || owner != uid {
		failed.Owner = userName(owner)
		failed.Err = fmt.Errorf("it belongs to another user, %s", failed.Owner)
		return nil, failed
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		failed.Err = patherr.Bare(err)
		return nil, failed
	}
	opened, err := root.Stat(".")
	switch {
	case err != nil:
		failed.Err = patherr.Bare(err)
	case !seen.IsDir(), !os.SameFile(seen, opened):
		failed.Err = errors.New("it is not a directory, or has just become another")
	case opened.Mode().Perm()&0o077 != 0:
		failed.Open = true
		failed.Err = fmt.Errorf("it is open to other users (mode %v)", opened.Mode().Perm())
	default:
		return root, nil
	}
	_ = root.Close() // there is an error to tell already
	return nil, failed
}

// userName returns the name of a user, or the number of one that has none.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
