package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"powerspy2/internal/patherr"
)

// ErrAnswered is that somebody listens on a Unix socket already.
var ErrAnswered = errors.New("another server answers there")

// ErrGroup is that a Unix socket can't be given to a group which its owner is not in.
var ErrGroup = errors.New("its group can only be one that this user is in")

// A SocketConfig says who may open a Unix socket.
type SocketConfig struct {
	Mode  os.FileMode // permissions of its file; 0: 0600
	Group int         // of its file; -1: that of the process
}

// longestPath is the longest path of a Unix socket in bytes (unix(7)).
const longestPath = 107

// probeTime bounds asking whether somebody listens.
const probeTime = time.Second

// ListenUnix listens on a Unix socket. One that a server which was killed has left
// is replaced; anything else that has this name is not touched. Nobody can open it
// before its permissions are set. Errors are the system's, without the path,
// [ErrAnswered] and [ErrGroup].
func ListenUnix(path string, c SocketConfig) (*Listener, error) {
	if n := len(path) - longestPath; n > 0 {
		return nil, tooLong(n) // nobody could connect
	}
	if err := vacant(path); err != nil {
		return nil, err
	}
	// It is made where nobody else can enter, and moved.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, patherr.Bare(err)
	}
	defer os.RemoveAll(dir) // what is not moved is not needed
	made := filepath.Join(dir, "s")
	if n := len(made) - longestPath; n > 0 {
		return nil, tooLong(n)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	mode := c.Mode
	if mode == 0 {
		mode = 0o600
	}
	if c.Group >= 0 {
		if err = os.Chown(made, -1, c.Group); errors.Is(err, fs.ErrPermission) {
			err = ErrGroup
		}
	}
	if err == nil {
		err = os.Chmod(made, mode)
	}
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(patherr.Bare(err), l.Close())
	}
	mine, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(patherr.Bare(err), l.Close())
	}
	return &Listener{Listener: &socket{UnixListener: l, path: path, mine: mine}, Kind: Unix}, nil
}

func tooLong(n int) error { return fmt.Errorf("its path is too long by %d bytes", n) }

// vacant returns why a path can't be that of a new socket.
func vacant(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return patherr.Bare(err)
	case info.Mode().Type() != os.ModeSocket:
		return errors.New("there is something else of this name, which is no socket")
	}
	c, err := net.DialTimeout("unix", path, probeTime)
	if err == nil {
		_ = c.Close() // it was only asked
		return ErrAnswered
	}
	if !refused(err) {
		return fmt.Errorf("it can't be told whether a server answers there: %w", patherr.Bare(err))
	}
	return nil
}

// A socket is a Unix socket that has been moved to its path.
type socket struct {
	*net.UnixListener
	path string
	mine os.FileInfo
	once sync.Once
}

// Addr returns the path.
func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close also removes the file, unless it is another one's by now.
func (s *socket) Close() error {
	s.once.Do(func() {
		if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.mine) {
			_ = os.Remove(s.path) // what stays is replaced by the next server
		}
	})
	return s.UnixListener.Close()
}
