package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

const (
	// retryPause lies between attempts while the kernel still closes the stream that was there before. A connect during
	// that time gives EBUSY until the device has answered, then ECONNRESET for a moment; some 0.1 s in all. A connect over
	// a link that this host has just begun to end, two seconds after its last stream, gives ECONNABORTED with it
	// (net/bluetooth/hci_conn.c, hci_conn_timeout).
	retryPause = 50 * time.Millisecond
	// retryWindow is how long such answers are believed to be of that kind. An EBUSY that lasts longer is another program.
	retryWindow = 1500 * time.Millisecond
	// lateRefusal is how long a refusal takes at least that stems from the attempt before this one: after a connect that
	// the device left unanswered, the next may fail once, 7 to 10 s on, with ECONNREFUSED. A device that refuses does so
	// within about a second.
	lateRefusal = 5 * time.Second
)

func dial(ctx context.Context, remote Addr, cfg *Config, level Security) (*stream, Addr, error) {
	s, local, err := system.dial(ctx, remote, cfg, level)
	if err != nil {
		return nil, Addr{}, err
	}
	return newStream(s), local, nil
}

// dial connects with a fresh socket for each attempt: one that failed is of no use any more.
func (h *host) dial(ctx context.Context, remote Addr, cfg *Config, level Security) (*socket, Addr, error) {
	var r retries
	for {
		if err := ctx.Err(); err != nil {
			return nil, Addr{}, err
		}
		fd, local, err := h.prepare(ctx, remote.Address, cfg, level)
		if err != nil {
			return nil, Addr{}, err
		}
		began := time.Now()
		s, err := h.establish(ctx, fd, sockaddr(protocolRFCOMM, remote.Address, remote.Channel))
		if err == nil {
			return s, ownAddr(s, local), nil
		}
		if now := time.Now(); !r.allow(err, now, now.Sub(began)) {
			return nil, Addr{}, h.refusal(ctx, local, remote.Address, level, err)
		}
		if cerr := pause(ctx, retryPause); cerr != nil {
			return nil, Addr{}, fmt.Errorf("%w after %w", cerr, classify(err))
		}
	}
}

// linked reports whether a link to the device is up. When that can't be learnt it is taken to be.
func (h *host) linked(local, remote bdaddr.Address) bool {
	candidates, err := h.usable(local, remote)
	if err != nil {
		return true
	}
	for _, a := range candidates {
		if up, err := h.linkUp(a, remote); err != nil || up {
			return true
		}
	}
	return false
}

// retries remembers what allow needs to know of the attempts before.
type retries struct {
	giveUp      time.Time // set by the first failure of a stream that is still being closed
	refusedLate bool
}

// allow reports whether a connect that failed with err at the time now, after it took so long, is worth another attempt.
func (r *retries) allow(err error, now time.Time, took time.Duration) bool {
	switch connectErrno(err) {
	case unix.EBUSY, unix.ECONNRESET, unix.ENOTCONN, unix.ECONNABORTED:
		if r.giveUp.IsZero() {
			r.giveUp = now.Add(retryWindow)
		}
		return now.Before(r.giveUp)
	case unix.ECONNREFUSED:
		if now.Before(r.giveUp) {
			// While the stream before is being closed the device may refuse as well: its session is about to end.
			return true
		}
		late := took >= lateRefusal && !r.refusedLate
		r.refusedLate = true
		return late
	}
	return false
}

// connectErrno gives the errno of a failed connect(2), 0 for an error of anything else.
func connectErrno(err error) unix.Errno {
	var serr *os.SyscallError
	var errno unix.Errno
	if errors.As(err, &serr) && serr.Syscall == "connect" && errors.As(serr.Err, &errno) {
		return errno
	}
	return 0
}

// prepare makes sure that a connect is safe, and makes the socket for it, bound to the adapter that has seen the device.
func (h *host) prepare(ctx context.Context, remote bdaddr.Address, cfg *Config, level Security) (fd int, local bdaddr.Address, err error) {
	// First of all, so that nobody waits five seconds for a presence test before learning of it.
	if err := h.checkRunning(); err != nil {
		return -1, local, err
	}
	if local, err = h.reach(ctx, remote, cfg); err != nil {
		return -1, local, err
	}
	if fd, err = h.open(protocolRFCOMM, local, level); err != nil {
		return -1, local, err
	}
	// Once more, now that the module is loaded: the presence test took time, and the connect cannot be taken back.
	if err := h.checkRunning(); err != nil {
		closeFD(fd)
		return -1, local, err
	}
	return fd, local, nil
}

// ownAddr is the address of the stream's own end, as the kernel knows it once connected, else as it was chosen.
func ownAddr(s *socket, chosen bdaddr.Address) Addr {
	local := Addr{Address: chosen}
	// Control fails only on a closed socket, and nobody else has this one yet.
	_ = s.raw.Control(func(fd uintptr) {
		if a, err := localAddr(int(fd)); err == nil {
			local = a
		}
	})
	return local
}

// pause waits for d or for the end of ctx, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
