package rfcomm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

const (
	// presenceLimit bounds a presence test. The page timeout ends it after 5.12 s; an adapter that says nothing for so
	// long is hung.
	presenceLimit = 10 * time.Second
	// disallowedPause lies between requests while the adapter is busy with another of its tasks, such as paging.
	disallowedPause = 200 * time.Millisecond
)

func present(ctx context.Context, local, remote bdaddr.Address) (string, error) {
	return system.present(ctx, local, remote)
}

func (h *host) present(ctx context.Context, local, remote bdaddr.Address) (string, error) {
	candidates, err := h.usable(local, remote)
	if err != nil {
		return "", err
	}
	return h.askName(ctx, candidates[0], remote)
}

// reach makes sure that a device is there: that a link to it is up, or that it answers a presence test, after which the
// forerunner raises the link where a connect that cannot raise it would be fatal. It returns the address of the adapter
// that has seen the device.
func (h *host) reach(ctx context.Context, remote bdaddr.Address, cfg *Config) (bdaddr.Address, error) {
	if cfg.AssumePresent && cfg.Forerunner == nil {
		return cfg.Local, nil
	}
	candidates, err := h.usable(cfg.Local, remote)
	if err != nil {
		return bdaddr.Address{}, err
	}
	for _, a := range candidates {
		// An adapter that vanishes here is met again below, or by the kernel.
		if up, err := h.linkUp(a, remote); err == nil && up {
			return a.address, nil
		}
	}
	first := candidates[0]
	err = nil
	if !cfg.AssumePresent {
		_, err = h.askName(ctx, first, remote)
	}
	if err == nil && cfg.Forerunner != nil && h.failedConnectKills() {
		err = cfg.Forerunner(ctx, first.address, remote)
	}
	if err != nil {
		// Unless the link is up all the same: somebody else set it up, which may have been in the way, or the device has
		// no service discovery.
		if up, lerr := h.linkUp(first, remote); lerr != nil || !up {
			return bdaddr.Address{}, occupied(err)
		}
	}
	return first.address, nil
}

// usable lists the adapters that are on and may carry a link to remote: all, or the one with the address local. There is
// at least one unless the error says otherwise.
func (h *host) usable(local, remote bdaddr.Address) ([]adapter, error) {
	all, err := h.adapters()
	if err != nil {
		return nil, err
	}
	var on []adapter
	known := false
	for _, a := range all {
		if !local.IsZero() && a.address != local || a.address == remote {
			continue
		}
		known = true
		if a.up {
			on = append(on, a)
		}
	}
	switch {
	case len(on) > 0:
		return on, nil
	case known:
		return nil, fmt.Errorf("%w: powered off: %w", ErrAdapterDown, unix.EHOSTUNREACH)
	case local.IsZero():
		return nil, fmt.Errorf("%w: none is present: %w", ErrAdapterDown, unix.EHOSTUNREACH)
	}
	return nil, fmt.Errorf("%w: none has the address %v: %w", ErrAdapterDown, local, unix.EHOSTUNREACH)
}

// askName runs a presence test through one adapter.
func (h *host) askName(ctx context.Context, a adapter, remote bdaddr.Address) (string, error) {
	fd, err := h.openHCI(a)
	if err != nil {
		return "", adapterGone(err)
	}
	s, err := newSocket(fd)
	if err != nil {
		return "", err
	}
	name, err := remoteName(ctx, s, remote, presenceLimit)
	if cerr := s.close(); err == nil && cerr != nil {
		err = cerr
	}
	return name, err
}

// remoteName asks for a device's name on a raw HCI socket, within limit.
func remoteName(ctx context.Context, s *socket, remote bdaddr.Address, limit time.Duration) (string, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, err := awaitName(limited, s, remote)
	if err == nil || limited.Err() == nil {
		return name, adapterGone(err)
	}
	// Stop paging a device that nobody waits for any more. It does no harm if this fails: the page timeout ends the request
	// as well. Control fails only on a closed socket.
	_ = s.raw.Control(func(fd uintptr) {
		_, _ = retryInterrupted(unix.Write, fd, appendRemoteNameCancel(nil, remote))
	})
	switch {
	case ctx.Err() != nil:
		return "", err
	case errors.Is(err, statusDisallowed):
		return "", fmt.Errorf("no presence test in %v: %w", limit, statusDisallowed)
	}
	return "", fmt.Errorf("%w: no end of a remote name request in %v: %w", ErrAdapterHung, limit, unix.ETIMEDOUT)
}

// awaitName sends the request and reads events until one ends it. A raw HCI socket receives the events of everybody's
// requests: an answer by the device counts whoever asked, a failure only once our own request is under way.
func awaitName(ctx context.Context, s *socket, remote bdaddr.Address) (string, error) {
	request := appendRemoteName(nil, remote)
	if err := s.writeMessage(ctx, request); err != nil {
		return "", err
	}
	started := false
	packet := make([]byte, maxPacket)
	for {
		n, err := s.readMessage(ctx, packet)
		if err != nil {
			return "", err
		}
		if n == 0 {
			// The kernel has closed the socket's adapter.
			return "", os.NewSyscallError("read", unix.ENODEV)
		}
		event, params, ok := parseEvent(packet[:n])
		if !ok {
			continue
		}
		switch event {
		case eventCommandStatus:
			status, opcode, ok := parseCommandStatus(params)
			switch {
			case !ok || opcode != commandRemoteName:
			case status == 0:
				started = true
			case status == statusDisallowed:
				if err := pause(ctx, disallowedPause); err != nil {
					return "", fmt.Errorf("%w: %w", err, status)
				}
				if err := s.writeMessage(ctx, request); err != nil {
					return "", err
				}
			default:
				return "", classifyStatus(status)
			}
		case eventRemoteName:
			status, address, name, ok := parseRemoteName(params)
			switch {
			case !ok || address != remote:
			case status == 0:
				return name, nil
			case started:
				return "", classifyStatus(status)
			}
		}
	}
}

// classifyStatus turns the failure of a request into an error with its sentinel. NB: whatever it is, no connect may
// follow: the radio link would fail as the request did.
func classifyStatus(status hciStatus) error {
	switch status {
	case statusPageTimeout:
		return fmt.Errorf("%w: %w", ErrAbsent, status)
	case statusLimited, statusSecurity, statusUnacceptable, statusAcceptTimeout:
		return fmt.Errorf("%w: %w", ErrRefused, status)
	}
	return status
}

// adapterGone recognises what the kernel answers on the HCI socket of an adapter that is off or unplugged.
func adapterGone(err error) error {
	for _, gone := range []error{unix.ENODEV, unix.ENETDOWN, unix.EPIPE, unix.ENXIO, unix.EBADFD} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %w", ErrAdapterDown, err)
		}
	}
	return err
}

// parseEvent splits an HCI event packet into its code and parameters.
func parseEvent(p []byte) (code byte, params []byte, ok bool) {
	if len(p) < 3 || p[0] != packetEvent || len(p)-3 < int(p[2]) {
		return 0, nil, false
	}
	return p[1], p[3 : 3+int(p[2])], true
}

// parseCommandStatus reads the parameters of a command status event: status, number of commands allowed, opcode.
func parseCommandStatus(p []byte) (status hciStatus, opcode uint16, ok bool) {
	if len(p) < 4 {
		return 0, 0, false
	}
	return hciStatus(p[0]), binary.LittleEndian.Uint16(p[2:]), true
}

// parseRemoteName reads the parameters of a remote name request complete event: status, address, and the name, 248 bytes
// ended by a zero unless it fills them.
func parseRemoteName(p []byte) (status hciStatus, address bdaddr.Address, name string, ok bool) {
	if len(p) < 7 {
		return 0, address, "", false
	}
	address = reverse([6]byte(p[1:7]))
	text, _, _ := bytes.Cut(p[7:], []byte{0})
	return hciStatus(p[0]), address, strings.ToValidUTF8(string(text), "\uFFFD"), true
}
