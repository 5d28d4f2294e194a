package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"powerspy2/internal/atomicfile"
	"powerspy2/internal/cli"
)

// The one rule for files that a command makes, in one place: what is there
// already stays unless --force is given, and what is not a regular file stays in any
// case, a symbolic link among them, which may be somebody else's. Results of
// measurements that go on (measure --output) are appended to instead: see
// outputFile.

const forceFlag = "force"

func force() *cli.Flag {
	return &cli.Flag{Name: forceFlag, Usage: "replace a file that exists"}
}

// outputTo is the flag that names the file to write.
func outputTo(usage string) *cli.Flag {
	return &cli.Flag{Name: outputFlag, Aliases: []string{"o"}, Takes: cli.File{}, Usage: usage}
}

// A newFile is a file that a command is to make.
type newFile struct {
	name  string // standardOutput is standard output
	force bool   // replace a regular file
}

// An existsError is a file that stays as it is.
type existsError struct{ path string }

func (e *existsError) Error() string { return e.path + " already exists" }
func (e *existsError) Unwrap() error { return fs.ErrExist }

// An otherKindError is something that is never replaced.
type otherKindError struct{ path, kind string }

func (e *otherKindError) Error() string { return fmt.Sprintf("%s is %s", e.path, e.kind) }
func (e *otherKindError) Unwrap() error { return fs.ErrExist }

// A missingDirectoryError is a file whose directory is not there.
type missingDirectoryError struct{ path, directory string }

func (e *missingDirectoryError) Error() string {
	return fmt.Sprintf("can't create %s: the directory %s does not exist", e.path, e.directory)
}
func (e *missingDirectoryError) Unwrap() error { return fs.ErrNotExist }

// check says what keeps the file from being written, as far as that shows
// beforehand.
func (f newFile) check() error {
	if f.name == standardOutput {
		return nil
	}
	info, err := os.Lstat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir := filepath.Dir(f.name)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return &missingDirectoryError{f.name, dir}
		}
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &otherKindError{f.name, fileKind(f.name, info.Mode())}
	case !f.force:
		return &existsError{f.name}
	}
	return atomicfile.Check(f.name)
}

// write writes the file, whole or not at all. What has come to be there since
// check stays, too.
func (f newFile) write(e env, content func(io.Writer) error) error {
	if f.name == standardOutput {
		return content(e.stdout)
	}
	if err := f.check(); err != nil {
		return err
	}
	return atomicfile.Write(f.name, 0o666, content)
}

// writeText is write for what is known.
func (f newFile) writeText(e env, text string) error {
	return f.write(e, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// toFile are the flags of a command whose text goes to standard output by default.
func toFile() []*cli.Flag {
	return []*cli.Flag{outputTo("write `FILE`; - is standard output, the default"), force()}
}

// writeText writes what a command prints, to the file of --output if it is given.
func (a *app) writeText(c *cli.Context, text string) error {
	name := outputName(c)
	if name == "" {
		name = standardOutput
	}
	return newFile{name, c.Bool(forceFlag)}.writeText(a.env, text)
}

// fileKind says what a thing that is not a regular file is.
func fileKind(name string, mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		if to, err := os.Readlink(name); err == nil {
			return fmt.Sprintf("a symbolic link to %q", to)
		}
		return "a symbolic link"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// A fileUse is a file of a flag; without a name it is none.
type fileUse struct{ flag, name string }

// differentFiles refuses one file for two flags: what is written later would destroy
// what was written before, or is read.
func differentFiles(c *cli.Context, uses []fileUse) error {
	for i, u := range uses {
		for _, other := range uses[:i] {
			if u.flag != other.flag && sameFile(u.name, other.name) {
				return c.Usagef("--%s and --%s have the same file", other.flag, u.flag)
			}
		}
	}
	return nil
}

// sameFile says whether two paths lead to one regular file, which may not be there yet.
func sameFile(a, b string) bool {
	if a == "" || b == "" || a == standardOutput || b == standardOutput {
		return false
	}
	x, xerr := os.Stat(a)
	y, yerr := os.Stat(b)
	if xerr == nil && yerr == nil {
		return x.Mode().IsRegular() && os.SameFile(x, y)
	}
	first, err := filepath.Abs(a)
	second, other := filepath.Abs(b)
	return err == nil && other == nil && first == second
}
