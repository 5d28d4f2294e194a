package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkLink says why a symbolic link to a terminal of ours can't be made: only
// one that an earlier run left behind is replaced. It leads to a terminal, which
// is there no more, unless a lock shows that the link is nobody else's.
func checkLink(link string, locked bool) error {
	info, err := os.Lstat(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir := filepath.Dir(link)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return &missingDirectoryError{link, dir}
		}
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return &otherKindError{link, "a file"}
	case info.Mode()&fs.ModeSymlink == 0:
		return &otherKindError{link, fileKind(link, info.Mode())}
	}
	to, err := os.Readlink(link)
	if err != nil || !strings.HasPrefix(to, "/dev/pts/") {
		return &otherKindError{link, fileKind(link, info.Mode())}
	}
	if _, err := os.Stat(to); err == nil && !locked {
		return &otherKindError{link, fmt.Sprintf("a symbolic link to the terminal %s, which is in use", to)}
	}
	return nil
}
