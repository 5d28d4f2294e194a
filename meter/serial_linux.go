package meter

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"powerspy2/powerspy"
)

// errNotTerminal: a path that is no serial line.
var errNotTerminal = errors.New("not a serial line")

// openSerial opens a serial line in raw mode. The speed is left as it is: on
// rfcomm devices and pseudo-terminals it means nothing.
func openSerial(path string) (_ powerspy.Link, err error) {
	// O_NONBLOCK puts the file on the runtime's poller, which gives deadlines,
	// and keeps open(2) from waiting for a carrier.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var ioctlErr error
	if err := raw.Control(func(fd uintptr) { ioctlErr = makeRaw(int(fd)) }); err != nil {
		return nil, err
	}
	if errors.Is(ioctlErr, unix.ENOTTY) {
		return nil, fmt.Errorf("%s is %w", path, errNotTerminal)
	}
	if ioctlErr != nil {
		return nil, fmt.Errorf("%s: %w", path, ioctlErr)
	}
	return newSerialLine(f, raw), nil
}

// makeRaw is cfmakeraw(3): bytes pass both ways as they are.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8 | unix.CLOCAL | unix.CREAD
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return os.NewSyscallError("ioctl TCSETS", unix.IoctlSetTermios(fd, unix.TCSETS, t))
}
