package terminal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Link makes link a symbolic link to path, at once: whoever opens it meanwhile
// gets the old or the new. A symbolic link that is there already is replaced,
// anything else is left alone.
func Link(path, link string) error {
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return &os.LinkError{Op: "symlink", Old: path, New: link, Err: os.ErrExist}
	}
	temporary := fmt.Sprintf("%s.%d.%d", link, os.Getpid(), time.Now().UnixNano())
	if err := os.Symlink(path, temporary); err != nil {
		return fmt.Errorf("make symbolic link %s: %w", link, err)
	}
	if err := os.Rename(temporary, link); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
