package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"powerspy2/bdaddr"
)

// A Security is the security that a stream asks of its link (BT_SECURITY, net/bluetooth/rfcomm/sock.c).
type Security uint8

const (
	// SecurityDefault is SecurityMedium.
	SecurityDefault Security = iota
	// SecurityLow neither authenticates nor encrypts from our side, even when the devices are paired.
	SecurityLow
	// SecurityMedium authenticates and encrypts with the existing bonding; without one an agent is asked for the PIN.
	SecurityMedium
	// SecurityHigh asks for a key of high strength; a bonding made with a four-digit PIN cannot give it (ErrKeyRefused).
	SecurityHigh
)

// String gives the level's name.
func (s Security) String() string {
	switch s {
	case SecurityDefault:
		return "default"
	case SecurityLow:
		return "low"
	case SecurityMedium:
		return "medium"
	case SecurityHigh:
		return "high"
	}
	return fmt.Sprintf("Security(%d)", uint8(s))
}

// A Config holds the choices of Dial and Listen. A nil *Config means all defaults.
type Config struct {
	// Local is the address of the adapter to use; zero lets the kernel choose (Listen: every adapter).
	Local bdaddr.Address
	// Security is the security asked of the link.
	Security Security
	// AssumePresent makes Dial trust that the device is there and leave out its presence test. Set it only after proof
	// that is a moment old, such as a fresh RSSI in discovery: see the package's comment on what hangs on it.
	AssumePresent bool
	// Forerunner raises the link to the device before Dial and FindChannel connect, where there is none yet and the kernel
	// may not survive a connect that cannot raise it: see the package's comment. SpawnForerunner is one. Nil: that is
	// risked.
	Forerunner Forerunner
}

// level checks and resolves the security.
func (c *Config) level() (Security, error) {
	switch c.Security {
	case SecurityDefault:
		return SecurityMedium, nil
	case SecurityLow, SecurityMedium, SecurityHigh:
		return c.Security, nil
	}
	return 0, fmt.Errorf("unknown security level %d", c.Security)
}

// Dial opens a stream to a channel, 1 to 30, of a device (net/bluetooth/rfcomm/sock.c, rfcomm_sock_connect). It refuses
// to touch a kernel whose RFCOMM is dead (ErrKernelStuck), tests unless the link is up already that the device answers
// (ErrAbsent after some five seconds), lets cfg.Forerunner raise the link where that is called for, and then connects with
// a fresh socket for each attempt: what a kernel answers just after a stream to the same channel was closed (EBUSY,
// ECONNRESET, ENOTCONN), or while it ends the idle link (ECONNABORTED), is retried every 50 ms for 1.5 s at most. When ctx
// ends first, the error matches that of ctx.
//
// Without a deadline Dial returns within a minute or so, whatever the device and the adapter do: each attempt is
// bounded by the kernel's RFCOMM timer of 30 s.
func Dial(ctx context.Context, remote Addr, cfg *Config) (*Conn, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	source := Addr{Address: cfg.Local}
	level, err := cfg.level()
	if err != nil {
		return nil, opError(opDial, err, source, remote)
	}
	if err := checkRemote(remote.Address); err != nil {
		return nil, opError(opDial, err, source, remote)
	}
	if remote.Channel < minChannel || remote.Channel > maxChannel {
		err := fmt.Errorf("channel %d is not in the range %d to %d", remote.Channel, minChannel, maxChannel)
		return nil, opError(opDial, err, source, remote)
	}
	stream, local, err := dial(ctx, remote, cfg, level)
	if err != nil {
		return nil, opError(opDial, err, source, remote)
	}
	return &Conn{stream: stream, local: local, remote: remote}, nil
}

// checkRemote refuses an address that names no device.
func checkRemote(remote bdaddr.Address) error {
	if remote.IsZero() {
		return errors.New("the zero address names no device")
	}
	return nil
}

// FileConn makes a Conn of a connected RFCOMM stream socket in f, such as BlueZ hands to a profile (org.bluez.Profile1,
// NewConnection). The Conn has its own descriptor: closing f is the caller's task and does not affect it. A file that is
// something else, or not connected, is an error.
func FileConn(f *os.File) (*Conn, error) {
	stream, local, remote, err := fileStream(f)
	if err != nil {
		return nil, opError(opFile, err, Addr{}, Addr{})
	}
	return &Conn{stream: stream, local: local, remote: remote}, nil
}

// Present asks a device for its name through an HCI remote name request (Core Specification, volume 4, part E, section
// 7.1.19), which pages the device but sets up no channel and asks for no pairing, and returns the name. local is the
// address of the adapter to use; zero means the first that is on. It needs no rights (net/bluetooth/hci_sock.c,
// hci_sec_filter). A device that does not answer within the page timeout, some five seconds, gives ErrAbsent; one that
// is busy with another host may give ErrRefused. Without an adapter that is on the error is ErrAdapterDown; an adapter
// that has not ended the request within ten seconds is ErrAdapterHung.
func Present(ctx context.Context, local, remote bdaddr.Address) (name string, err error) {
	if err = checkRemote(remote); err == nil {
		name, err = present(ctx, local, remote)
	}
	return name, opError(opPresent, err, Addr{Address: local}, Addr{Address: remote})
}

// FindChannel asks a device by the Service Discovery Protocol (Core Specification, volume 3, part B) for the RFCOMM
// channel of the service class with the given 16-bit UUID (0x1101 is the serial port), and returns the first that its
// records name, 1 to 30. It needs neither rights nor a bonding. As Dial does, it tests first, unless the link is up,
// that the device answers (ErrAbsent). ErrNoService means that the device answered and has no such service. Of cfg
// Local, AssumePresent and Forerunner count.
func FindChannel(ctx context.Context, remote bdaddr.Address, uuid uint16, cfg *Config) (uint8, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	channel, err := uint8(0), checkRemote(remote)
	if err == nil {
		channel, err = findChannel(ctx, remote, uuid, cfg)
	}
	return channel, opError(opFind, err, Addr{Address: cfg.Local}, Addr{Address: remote})
}

// A State says how the kernel's RFCOMM is, as far as this process can see.
type State uint8

const (
	// StateUnknown means that kernel threads are not visible to this process (hidepid, a PID namespace).
	StateUnknown State = iota
	// StateNotLoaded means that the module rfcomm is not loaded; the first socket loads it.
	StateNotLoaded
	// StateRunning means that krfcommd is alive.
	StateRunning
	// StateStuck means that the module is loaded and krfcommd is dead: see ErrKernelStuck.
	StateStuck
)

// String describes the state in a few words.
func (s State) String() string {
	switch s {
	case StateUnknown:
		return "unknown"
	case StateNotLoaded:
		return "not loaded"
	case StateRunning:
		return "running"
	case StateStuck:
		return "stuck"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// KernelState returns the state of the kernel's RFCOMM. It opens and closes a socket, which loads the module where it is not
// loaded. The error is nil except for StateStuck, ErrKernelStuck; for a system without RFCOMM, ErrNotSupported; and when
// a socket cannot be made for another reason.
func KernelState() (State, error) {
	state, err := kernelState()
	return state, opError(opKernel, err, Addr{}, Addr{})
}

var _ net.Conn = (*Conn)(nil)

// A Conn is an RFCOMM stream. Its methods may be called from several goroutines at once. It implements [net.Conn].
type Conn struct {
	stream        *stream
	local, remote Addr
}

// Read reads what is there, or waits for the first byte until the read deadline. The first error other than a passed
// deadline is final: every later Read returns it again, because the kernel reports it once and would then block for ever.
// The end of the stream is io.EOF, but a device that closes the channel or loses the link gives an errno instead:
// ECONNRESET, ETIMEDOUT (ErrLinkLost), or ECONNABORTED when this host ended the link. A device that falls silent gives
// nothing at all: set a deadline. An end that came together with the last data is seen a second later at most.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.stream.read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, c.opError(opRead, err)
}

// Write writes all of p, waiting until the write deadline while the kernel's buffer is full. The number of bytes returned
// beside an error is what the kernel took; how much of it the device received is not known.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.stream.write(p)
	return n, c.opError(opWrite, err)
}

// Close closes the stream and wakes a blocked Read or Write, which return net.ErrClosed. Closing again does nothing and
// returns nil.
func (c *Conn) Close() error { return c.opError(opClose, c.stream.close()) }

// LocalAddr returns the adapter's address, an [Addr].
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the device's address and the channel, an [Addr].
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines; the zero time means none. A Read or Write whose deadline passes returns an error
// matching os.ErrDeadlineExceeded and the stream stays usable.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of Read, blocked calls included. After Close the error is net.ErrClosed.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.opError(opSet, c.stream.setReadDeadline(t))
}

// SetWriteDeadline sets the deadline of Write, blocked calls included. After Close the error is net.ErrClosed.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.opError(opSet, c.stream.setWriteDeadline(t))
}

func (c *Conn) opError(op string, err error) error { return opError(op, err, c.local, c.remote) }

var _ net.Listener = (*Listener)(nil)

// A Listener waits for devices to open streams to a channel of this machine. It implements [net.Listener].
type Listener struct {
	listener *listener
	addr     Addr
}

// Listen listens on a channel, 1 to 30 or 0 for any that is free (net/bluetooth/rfcomm/sock.c, rfcomm_sock_listen), of
// the adapter with the address in local, of every adapter when it is zero. Of cfg only Security counts, and Local where
// local has no address. The service record that lets others find the channel is not made here. The error matches
// EADDRINUSE when the channel is taken, ErrKernelStuck or ErrNotSupported.
func Listen(local Addr, cfg *Config) (*Listener, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	if local.Address.IsZero() {
		local.Address = cfg.Local
	}
	level, err := cfg.level()
	if err != nil {
		return nil, opError(opListen, err, local, Addr{})
	}
	if local.Channel > maxChannel {
		err := fmt.Errorf("channel %d is not in the range %d to %d", local.Channel, minChannel, maxChannel)
		return nil, opError(opListen, err, local, Addr{})
	}
	l, addr, err := listen(local, level)
	if err != nil {
		return nil, opError(opListen, err, local, Addr{})
	}
	return &Listener{listener: l, addr: addr}, nil
}

// Accept waits for a stream until the deadline, whose passing is os.ErrDeadlineExceeded; it returns a [*Conn]. After
// Close the error is net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	stream, local, remote, err := l.listener.accept()
	if err != nil {
		return nil, opError(opAccept, err, l.addr, Addr{})
	}
	return &Conn{stream: stream, local: local, remote: remote}, nil
}

// Close stops listening and wakes a blocked Accept, which returns net.ErrClosed. Streams already accepted stay open.
// Closing again does nothing and returns nil.
func (l *Listener) Close() error { return opError(opClose, l.listener.close(), Addr{}, l.addr) }

// Addr returns the address listened on, an [Addr] with the channel in use.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetDeadline sets the deadline of Accept, blocked calls included; the zero time means none. After Close the error is
// net.ErrClosed.
func (l *Listener) SetDeadline(t time.Time) error {
	return opError(opSet, l.listener.setDeadline(t), Addr{}, l.addr)
}
