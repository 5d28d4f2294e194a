// Package atomicfile writes files that appear, or replace older ones, only when
// they are whole and on the disk.
package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write gives the named file the content that write writes, and the rights of a
// new file made with perm, less the umask. A symbolic link stays one. On any
// error the file is as it was. Errors are those of write and of the file system
// ([*fs.PathError], [*os.LinkError]); what is not a regular file is not
// replaced.
func Write(name string, perm fs.FileMode, write func(io.Writer) error) error {
	f, err := create(name, perm)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.CloseAtomicallyReplace()
	}
	if err == nil {
		return nil
	}
	return errors.Join(named(err, f.Name(), name), f.Cleanup())
}

// Check says what would keep [Write] from writing the named file, as far as that
// shows beforehand. Errors are those of the file system ([*fs.PathError]).
func Check(name string) error {
	f, err := create(name, 0o600)
	if err != nil {
		return err
	}
	return f.Cleanup()
}

// create creates a temporary file beside the one that name leads to, and removes
// what killed writers of it left behind.
func create(name string, perm fs.FileMode) (*renameio.PendingFile, error) {
	real, err := filepath.EvalSymlinks(name)
	switch {
	case err == nil:
		// A rename would put a file in the place of a device or a pipe.
		if info, err := os.Stat(real); err == nil && !info.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "write", Path: name, Err: errors.New("not a regular file")}
		}
	case errors.Is(err, fs.ErrNotExist):
		// Either there is nothing of that name, or a link that leads nowhere,
		// which is not ours to replace.
		if _, err := os.Lstat(name); err == nil {
			return nil, &fs.PathError{Op: "write", Path: name, Err: errors.New("a symbolic link that leads nowhere")}
		}
		real = name
	default:
		return nil, named(err, "", name)
	}
	sweep(real)
	f, err := renameio.NewPendingFile(real, renameio.WithTempDir(filepath.Dir(real)), renameio.WithPermissions(perm))
	if err != nil {
		return nil, named(err, "", name)
	}
	hold(f.File)
	return f, nil
}

// named makes an error speak of the file that was asked for: one about the path
// temporary, or about any if that is empty.
func named(err error, temporary, name string) error {
	var p *fs.PathError
	if errors.As(err, &p) && (temporary == "" || p.Path == temporary) {
		p.Op, p.Path = "write", name
	}
	return err
}
