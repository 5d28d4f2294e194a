package air

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"powerspy2/bdaddr"
)

// DeviceConfig describes a device when it is added.
type DeviceConfig struct {
	// Address must be given.
	Address bdaddr.Address

	// Name is told on a remote name request only; at most 248 bytes.
	Name string

	// PIN of 1 to 16 bytes; "1234" when empty.
	PIN string

	// Class of device, 24 bits; 0x1f00 (uncategorised) when 0.
	Class uint32

	// Channel of the serial port, 1 to 30; 1 when 0.
	Channel uint8

	// SecurityMode says when the device wants to know its host (Core volume 3,
	// part C, section 5.2): 1 never, 2 when RFCOMM is opened over a link that
	// the host has not authenticated, 3 before the link is up. 2 when 0.
	SecurityMode int

	// SimplePairing makes the device one of Bluetooth 2.1: it pairs by Secure
	// Simple Pairing with a host that can, without a PIN or a number to compare.
	SimplePairing bool

	// NoPairing makes the device refuse to pair, whatever the PIN.
	NoPairing bool

	// RefuseStrangers makes a device in mode 2 refuse RFCOMM over a link that
	// is not authenticated, instead of asking for authentication.
	RefuseStrangers bool

	// PINTimeout is how long the device waits for the host's part of an
	// authentication; the specification's 30 s when 0.
	PINTimeout time.Duration

	// MTU is the largest L2CAP packet that the device takes and sends, 48 to
	// 65535 bytes; 672 when 0.
	MTU int

	// FrameSize is the most data in an RFCOMM frame, at least 1 byte; 330 when
	// 0. An MTU that is too small for it counts.
	FrameSize int

	// RSSI in dBm, as an inquiry hears the device; -60 when 0.
	RSSI int8

	// Dial makes the other end of the serial port each time a host opens it.
	// ctx ends with the channel. An error refuses the channel. Required.
	Dial func(ctx context.Context) (io.ReadWriteCloser, error)
}

// errConfig is what every complaint about a DeviceConfig wraps.
var errConfig = errors.New("air: device")

func (cfg *DeviceConfig) setDefaults() error {
	fill(&cfg.PIN, "1234")
	fill(&cfg.Class, 0x1f00)
	fill(&cfg.Channel, 1)
	fill(&cfg.SecurityMode, 2)
	fill(&cfg.PINTimeout, 30*time.Second)
	fill(&cfg.MTU, defaultMTU)
	fill(&cfg.FrameSize, 330)
	fill(&cfg.RSSI, -60)
	switch {
	case cfg.Address.IsZero():
		return fmt.Errorf("%w without an address", errConfig)
	case cfg.Dial == nil:
		return fmt.Errorf("%w without a Dial function", errConfig)
	case len(cfg.Name) > nameLength:
		return fmt.Errorf("%w name of %d bytes, %d at most", errConfig, len(cfg.Name), nameLength)
	case len(cfg.PIN) > maxPIN:
		return fmt.Errorf("%w PIN of %d bytes, %d at most", errConfig, len(cfg.PIN), maxPIN)
	case cfg.Class > 0xffffff:
		return fmt.Errorf("%w class 0x%x of more than 24 bits", errConfig, cfg.Class)
	case cfg.SecurityMode < 1 || cfg.SecurityMode > 3:
		return fmt.Errorf("%w security mode %d, want 1 to 3", errConfig, cfg.SecurityMode)
	case cfg.MTU < minMTU || cfg.MTU > 0xffff:
		return fmt.Errorf("%w MTU %d, want %d to 65535", errConfig, cfg.MTU, minMTU)
	case cfg.FrameSize < 1:
		return fmt.Errorf("%w frame size %d, want at least 1", errConfig, cfg.FrameSize)
	}
	return checkChannel(cfg.Channel)
}

func checkChannel(channel uint8) error {
	if channel < 1 || channel > 30 {
		return fmt.Errorf("%w channel %d, want 1 to 30", errConfig, channel)
	}
	return nil
}

func fill[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// A Device is one device in range of a Controller, whose lock guards it.
type Device struct {
	c    *Controller
	cfg  DeviceConfig // the faults change some of it
	link *link        // nil without
	key  *[16]byte    // of the last pairing, nil when there is none

	// port is held while the serial port is dialled or open: a channel that
	// is reopened waits until the one before it is fully closed.
	port chan struct{}

	away      bool
	hidden    bool
	busy      bool
	mute      bool
	refuse    bool
	silent    bool
	nameFault Reason
	nameDelay time.Duration
	latency   time.Duration

	lastReason Reason // why the last link ended
}

// Address returns the device's address.
func (d *Device) Address() bdaddr.Address { return d.cfg.Address }

// Status is what a device is and what happens to it at a moment.
type Status struct {
	Address       bdaddr.Address
	Name          string
	Away          bool   // out of reach
	Paired        bool   // it has a key; the host may have none
	Linked        bool   // an ACL link is up or being authenticated
	Authenticated bool   // the link is
	Encrypted     bool   // the link is
	Open          bool   // the serial port is
	LastReason    Reason // of the end of the last link
}

// Status returns the device's state.
func (d *Device) Status() Status {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	s := Status{Address: d.cfg.Address, Name: d.cfg.Name, Away: d.away, Paired: d.key != nil, LastReason: d.lastReason}
	if l := d.link; l != nil {
		s.Linked, s.Authenticated, s.Encrypted = true, l.authenticated, l.encrypted
		s.Open = l.mux != nil && l.mux.openDLC() != nil
	}
	return s
}
