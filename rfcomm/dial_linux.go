package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

const (
	// retryPause lies between attempts while the kernel still closes the stream that was there before. A connect during
	// that time gives EBUSY until the device has answered, then ECONNRESET for a moment; some 0.1 s in all.
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
	var giveUp time.Time // set by the first failure worth a retry
	refusedLate := false
	for {
		began := time.Now()
		s, local, err := h.attempt(ctx, remote, cfg, level)
		if err == nil {
			return s, local, nil
		}
		switch {
		case errors.Is(err, unix.EBUSY), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ENOTCONN):
			if giveUp.IsZero() {
				giveUp = time.Now().Add(retryWindow)
			}
			if time.Now().After(giveUp) {
				return nil, Addr{}, err
			}
		case errors.Is(err, unix.ECONNREFUSED) && !refusedLate && time.Since(began) >= lateRefusal:
			refusedLate = true
		default:
			return nil, Addr{}, err
		}
		if cerr := pause(ctx, retryPause); cerr != nil {
			return nil, Addr{}, fmt.Errorf("%w after %w", cerr, classify(err))
		}
	}
}

// attempt connects once.
func (h *host) attempt(ctx context.Context, remote Addr, cfg *Config, level Security) (*socket, Addr, error) {
	// First of all, so that nobody waits five seconds for a presence test before learning of it.
	if err := h.checkRunning(); err != nil {
		return nil, Addr{}, err
	}
	local := cfg.Local
	if !cfg.AssumePresent {
		var err error
		if local, err = h.reach(ctx, local, remote.Address); err != nil {
			return nil, Addr{}, err
		}
	}
	fd, err := h.open(protocolRFCOMM, local, level)
	if err != nil {
		return nil, Addr{}, err
	}
	// Once more, now that the module is loaded: the presence test took time, and the connect cannot be taken back.
	if err := h.checkRunning(); err != nil {
		closeFD(fd)
		return nil, Addr{}, err
	}
	s, err := h.establish(ctx, fd, sockaddr(protocolRFCOMM, remote.Address, remote.Channel))
	if err != nil {
		return nil, Addr{}, err
	}
	return s, h.localAddr(s, local), nil
}

// localAddr is the address of the stream's own end, as the kernel knows it once connected, else as it was chosen.
func (h *host) localAddr(s *socket, chosen bdaddr.Address) Addr {
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
