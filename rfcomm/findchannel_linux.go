package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/bdaddr"
)

const (
	// sdpPSM is the L2CAP port of the Service Discovery Protocol (Assigned Numbers, 2.8).
	sdpPSM = 0x01
	// sdpPatience is how long one attempt waits for an answer. Kernels have been seen to lose the first.
	sdpPatience = 5 * time.Second
	// sdpAttempts is how often the question is put.
	sdpAttempts = 2
	// sdpLimit bounds one attempt whatever the kernel does: setting the link up takes up to a page timeout, and the kernel
	// gives an L2CAP connect 40 s (L2CAP_CONN_TIMEOUT).
	sdpLimit = 50 * time.Second
)

func findChannel(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *Config) (uint8, error) {
	return system.findChannel(ctx, remote, uuid, cfg)
}

func (h *host) findChannel(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *Config) (uint8, error) {
	var err error
	for range sdpAttempts {
		var channel uint8
		if channel, err = h.queryChannel(ctx, remote, uuid, cfg); err == nil {
			return channel, nil
		}
		if err = classify(err); ctx.Err() != nil || isAnswer(err) {
			break
		}
	}
	return 0, err
}

// isAnswer reports whether a service query failed in a way that another attempt would not change.
func isAnswer(err error) bool {
	for _, answer := range []error{
		ErrNoService, ErrAbsent, ErrRefused, ErrKeyRefused, ErrAdapterDown, ErrAdapterHung, ErrKernelStuck, ErrNotSupported,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// queryChannel asks once, and returns also when the kernel does not.
//
// NB: the query runs in a goroutine that nothing waits for unconditionally: a kernel that does not survive a failed link
// ends the thread that closes the socket, and with it this goroutine.
func (h *host) queryChannel(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *Config) (uint8, error) {
	type answer struct {
		channel uint8
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		channel, err := h.askOnce(ctx, remote, uuid, cfg)
		answers <- answer{channel, err}
	}()
	limit := time.NewTimer(sdpLimit)
	defer limit.Stop()
	select {
	case a := <-answers:
		return a.channel, a.err
	case <-limit.C:
		return 0, fmt.Errorf("%w: a service query has not returned for %v", ErrKernelStuck, sdpLimit)
	case <-ctx.Done():
	}
	// The query notices the end of ctx by itself, unless it is stuck.
	grace := time.NewTimer(stuckAfter)
	defer grace.Stop()
	select {
	case a := <-answers:
		return a.channel, a.err
	case <-grace.C:
		return 0, ctx.Err()
	}
}

// askOnce asks on a socket of its own.
func (h *host) askOnce(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *Config) (uint8, error) {
	// NB: an L2CAP connect that cannot set up the link is as dangerous as one of RFCOMM: the kernel that has the bug
	// kills the thread that closes the socket.
	local, err := h.reach(ctx, remote, cfg)
	if err != nil {
		return 0, err
	}
	// Service discovery needs no security, and must work before pairing.
	fd, err := h.open(protocolL2CAP, local, SecurityLow)
	if err != nil {
		return 0, err
	}
	s, err := h.establish(ctx, fd, sockaddr(protocolL2CAP, remote, sdpPSM))
	if err != nil {
		return 0, err
	}
	channel, err := askChannel(ctx, s, uuid)
	if cerr := s.close(); err == nil && cerr != nil {
		err = cerr
	}
	return channel, err
}

// askChannel puts the question on a connected socket and follows the continuations of the answer.
func askChannel(ctx context.Context, s *socket, uuid uint16) (uint8, error) {
	patient, cancel := context.WithTimeout(ctx, sdpPatience)
	defer cancel()
	lists, err := exchangeSDP(patient, s, uuid)
	if err != nil {
		if patient.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("no answer to a service query in %v: %w", sdpPatience, os.ErrDeadlineExceeded)
		}
		return 0, err
	}
	return serviceChannel(lists)
}

// exchangeSDP collects the attribute lists of all parts of the answer.
func exchangeSDP(ctx context.Context, s *socket, uuid uint16) ([]byte, error) {
	var lists, continuation []byte
	packet := make([]byte, maxSDPPacket)
	for transaction := uint16(1); ; transaction++ {
		if err := s.writeMessage(ctx, appendSearch(nil, transaction, uuid, continuation)); err != nil {
			return nil, err
		}
		var part []byte
		for {
			n, err := s.readMessage(ctx, packet)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				return nil, errors.New("device closed the service query")
			}
			var stale bool
			part, continuation, stale, err = parseSearch(packet[:n], transaction)
			if err != nil {
				return nil, err
			}
			if !stale {
				break
			}
		}
		lists = append(lists, part...)
		switch {
		case len(lists) > maxSDPLists:
			return nil, fmt.Errorf("service records of more than %d bytes", maxSDPLists)
		case len(continuation) == 0:
			return lists, nil
		case len(part) == 0:
			return nil, errors.New("service query answered with an empty part")
		}
		// packet is read into again.
		continuation = append([]byte(nil), continuation...)
	}
}
