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
		return fmt.Errorf("make the symbolic link %s: %w", link, os.ErrExist)
	}
	// Nobody has heard of the temporary name.
	failed := func(err error) error {
		if l := new(os.LinkError); errors.As(err, &l) {
			err = l.Err
		}
		return fmt.Errorf("make the symbolic link %s: %w", link, err)
	}
	temporary := fmt.Sprintf("%s.%d.%d", link, os.Getpid(), time.Now().UnixNano())
	if err := os.Symlink(path, temporary); err != nil {
		return failed(err)
	}
	if err := os.Rename(temporary, link); err != nil {
		return errors.Join(failed(err), os.Remove(temporary))
	}
	return nil
}
