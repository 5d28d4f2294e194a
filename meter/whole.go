package meter

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// WriteWhole writes what r gives to the named file, which appears, or replaces
// an older one, only when it is whole and on the disk. It gets the rights that
// new files have. Errors are those of r and of the file system ([*os.PathError],
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
	f, err := createPart(name)
	if err != nil {
		return err
	}
	defer func() {
		var p *os.PathError
		if errors.As(err, &p) && p.Path == f.Name() {
			p.Path = name
		}
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

// CanWrite tells what would keep [WriteWhole] from writing the named file, as
// far as that shows beforehand. Errors are those of the file system
// ([*os.PathError]).
func CanWrite(name string) error {
	f, err := createPart(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// createPart creates the temporary file for name, with the rights that a new
// file has. Its errors speak of name.
func createPart(name string) (*os.File, error) {
	// A rename would put a file in the place of a device or a pipe.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "write", Path: name, Err: errors.New("not a regular file")}
	}
	part := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8]+".part")
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	var p *os.PathError
	if errors.As(err, &p) {
		p.Op, p.Path = "write", name
	}
	return f, err
}
