package rfcomm

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

const (
	// keyTests is how often a key has to fail before it counts as refused. A device that is still busy with the security
	// of a link that has just come up was seen to refuse once.
	keyTests = 2
	keyPause = 500 * time.Millisecond
	// touchLimit bounds a connect over a link that is up.
	touchLimit = 5 * time.Second
)

// refusal finds out what a connect that was refused (ECONNREFUSED) was refused for; other errors are returned as they are.
//
// The kernel says the same of a channel without a listener, of a link that is refused, and of an authentication that
// fails over a link that was up before (net/bluetooth/l2cap_core.c, l2cap_security_cfm and l2cap_chan_timeout).
func (h *host) refusal(ctx context.Context, local, remote bdaddr.Address, level Security, err error) error {
	switch {
	case connectErrno(err) != unix.ECONNREFUSED:
		return err
	case !h.linked(local, remote):
		// A channel is refused over a link, which stays up for some two seconds after it.
		return occupied(err)
	case level == SecurityLow || h.keyWorks(ctx, local, remote, level):
		return err
	}
	return fmt.Errorf("%w: authentication failed over the link (%v)", ErrKeyRefused, err)
}

// occupied is the error of a connect that left no link: one that was refused was so by a device that is busy elsewhere.
func occupied(err error) error {
	if connectErrno(err) != unix.ECONNREFUSED {
		return err
	}
	return fmt.Errorf("%w: %w", ErrOccupied, classify(err))
}

// keyWorks reports whether a device that is linked can be authenticated. It is false only where service discovery can be
// connected to without security, and not with it.
func (h *host) keyWorks(ctx context.Context, local, remote bdaddr.Address, level Security) bool {
	for try := range keyTests {
		if try > 0 && pause(ctx, keyPause) != nil {
			return true
		}
		if h.touch(ctx, local, remote, SecurityLow) != nil {
			return true // nothing can be told
		}
		switch connectErrno(h.touch(ctx, local, remote, level)) {
		case unix.ECONNREFUSED, unix.EACCES, unix.EBADE:
		default:
			return true
		}
	}
	return false
}

// touch connects to the device's service discovery and closes again.
//
// NB: it runs in a goroutine that nothing waits for unconditionally: the link may end meanwhile, and a kernel with the
// failed-connect bug then ends the thread that closes the socket.
func (h *host) touch(ctx context.Context, local, remote bdaddr.Address, level Security) error {
	ctx, cancel := context.WithTimeout(ctx, touchLimit)
	defer cancel()
	touched := make(chan error, 1)
	go func() {
		fd, err := h.open(protocolL2CAP, local, level)
		if err != nil {
			touched <- err
			return
		}
		s, err := h.establish(ctx, fd, sockaddr(protocolL2CAP, remote, sdpPSM))
		if err == nil {
			err = s.close()
		}
		touched <- err
	}()
	select {
	case err := <-touched:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
