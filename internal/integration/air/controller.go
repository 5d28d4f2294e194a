package air

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"powerspy2/bdaddr"
)

// ErrUnplugged is what Run returns after Unplug.
var ErrUnplugged = errors.New("air: controller unplugged")

// errRunning is what Run returns while another Run is under way.
var errRunning = errors.New("air: controller already runs")

// outputLimit bounds the packets that wait for a host that does not read;
// beyond it the controller takes no more from the host.
const outputLimit = 512

// heldLimit bounds what is kept while nothing can be done with it: data for a
// device out of reach, or a hung controller.
const heldLimit = 256

// Config describes a controller. The zero value is usable.
type Config struct {
	// Address of the adapter; 00:1A:7D:DA:71:13 when zero.
	Address bdaddr.Address

	// Dial makes the other end of a serial port of a device added by the text
	// command "add"; without it the command is refused.
	Dial func(ctx context.Context, address bdaddr.Address) (io.ReadWriteCloser, error)

	// UnknownCommand is told of every command that the controller answers with
	// "unknown command". It is called with the controller locked: it must not
	// call back.
	UnknownCommand func(opcode uint16, params []byte)

	// Trace is shown every H4 packet, toHost or from the host. The same rule
	// holds, and p must not be kept.
	Trace func(toHost bool, p []byte)
}

// A Controller is a Bluetooth controller and the air around it. Its methods
// may be called from any goroutine, before, during and after Run; what a
// device has in memory (name, PIN, keys) outlives a Run, links do not.
type Controller struct {
	cfg Config

	// mu guards everything below, and all of sessions, devices, links and
	// channels. Callbacks of timers take it, so that whoever holds it can stop
	// a timer for good.
	mu      sync.Mutex
	devices []*Device
	session *session
	hung    bool
	plugged chan struct{} // closed while the adapter is in its socket

	inquiryUnit time.Duration
}

// New returns a controller with nothing in its air.
func New(cfg Config) *Controller {
	if cfg.Address.IsZero() {
		cfg.Address = bdaddr.Address{0x00, 0x1a, 0x7d, 0xda, 0x71, 0x13}
	}
	c := &Controller{cfg: cfg, inquiryUnit: InquiryUnit, plugged: make(chan struct{})}
	close(c.plugged)
	return c
}

// SetInquiryUnit changes the length of one unit of the inquiries to come, of
// which Linux orders eight. Less than [InquiryUnit] makes discovery faster than
// any real adapter's.
func (c *Controller) SetInquiryUnit(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inquiryUnit = d
}

// Address returns the adapter's own address.
func (c *Controller) Address() bdaddr.Address { return c.cfg.Address }

// Run serves the host at the other end of rw until ctx ends, Unplug is called
// or rw fails, and closes rw. Every packet goes out in one Write. When it
// returns all links are gone, every connection that a device dialled is closed,
// and nothing it started still runs. The error is ctx's, ErrUnplugged, or what
// rw said.
func (c *Controller) Run(ctx context.Context, rw io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := c.begin(ctx, cancel, rw)
	if err != nil {
		return errors.Join(err, rw.Close())
	}
	var loops sync.WaitGroup
	loops.Go(func() { // what wakes the two below
		<-ctx.Done()
		s.end()
		cancel(rw.Close())
	})
	loops.Go(func() { cancel(s.writeLoop(rw)) })
	cancel(s.readLoop(rw))
	loops.Wait()
	s.work.Wait()
	c.mu.Lock()
	c.session = nil
	c.mu.Unlock()
	return context.Cause(ctx)
}

func (c *Controller) begin(ctx context.Context, cancel context.CancelCauseFunc, rw io.ReadWriteCloser) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return nil, errRunning
	}
	s := newSession(c, ctx, cancel)
	c.session = s
	return s, nil
}

// Serve runs the controller on what open returns, again and again: after
// Unplug it waits for Plug and reopens. It returns ctx's error when ctx
// ends, and any other end of a Run.
func (c *Controller) Serve(ctx context.Context, open func() (io.ReadWriteCloser, error)) error {
	for {
		c.mu.Lock()
		plugged := c.plugged
		c.mu.Unlock()
		select {
		case <-plugged:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		rw, err := open()
		if err != nil {
			return err
		}
		if err := c.Run(ctx, rw); !errors.Is(err, ErrUnplugged) {
			return err
		}
	}
}

// Add puts a device into the air.
//
// The error says which field of cfg makes no sense, or that the address is taken.
func (c *Controller) Add(cfg DeviceConfig) (*Device, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.devices {
		if d.cfg.Address == cfg.Address {
			return nil, fmt.Errorf("air: %v is already in range", cfg.Address)
		}
	}
	d := &Device{c: c, cfg: cfg, port: make(chan struct{}, 1)}
	c.devices = append(c.devices, d)
	return d, nil
}

// Remove takes a device out of the air for good; a link to it ends with a
// connection timeout at once. It reports whether the device was there.
func (c *Controller) Remove(d *Device) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.devices, d)
	if i < 0 {
		return false
	}
	d.away = true
	if d.link != nil {
		d.link.drop(ConnectionTimeout)
	}
	c.devices = slices.Delete(c.devices, i, i+1)
	return true
}

// Devices returns the devices in range in the order of their arrival.
func (c *Controller) Devices() []*Device {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.devices)
}

// Device returns the device of an address, nil when there is none.
func (c *Controller) Device(address bdaddr.Address) *Device {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lookup(address)
}

func (c *Controller) lookup(address bdaddr.Address) *Device {
	for _, d := range c.devices {
		if d.cfg.Address == address {
			return d
		}
	}
	return nil
}
