package meter

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// WriteWhole writes what r gives to the named file, which appears, or replaces
// an older one, only when it is whole and on the disk. Only its owner may read
// it. Errors are those of r and of the file system ([*os.PathError],
// [*os.LinkError]); what is not a regular file is not replaced.
func WriteWhole(name string, r io.Reader) error {
	return writeWhole(name, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// writeWhole is WriteWhole for what is written piece by piece. The temporary
// file lies beside the final one and is removed on any error.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	// A rename would put a file in the place of a device or a pipe.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return &os.PathError{Op: "write", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
