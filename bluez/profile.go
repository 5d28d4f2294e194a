package bluez

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

const (
	// serialPortUUID is the Serial Port service class of the Bluetooth assigned
	// numbers.
	serialPortUUID = "00001101-0000-1000-8000-00805f9b34fb"

	// backlog is how many connections wait for Accept before more are refused.
	backlog = 8

	opProfile = "register a serial port"
	opAccept  = "accept on the serial port"
)

// A Profile is a serial port that this machine offers to other devices, on
// every adapter, with its service record (org.bluez.ProfileManager1,
// RegisterProfile; org.bluez.Profile1, NewConnection).
type Profile struct {
	c    *Client
	path dbus.ObjectPath

	accepted chan connection

	mu    sync.Mutex // guards ended, and with it sending on accepted
	ended bool
	done  chan struct{}
}

type connection struct {
	file *os.File
	from bdaddr.Address
}

// RegisterSerialProfile offers a serial port on an RFCOMM channel, 1 to 30,
// under a name that goes to the service record. The link must be authenticated:
// a device that is not paired is asked for a PIN.
//
// The error is an os.ErrExist when a program of this machine offers a serial
// port already, an os.ErrInvalid for another channel. The profile ends with the
// daemon.
func (c *Client) RegisterSerialProfile(ctx context.Context, channel uint8, name string) (*Profile, error) {
	if channel < 1 || channel > 30 {
		return nil, &Error{Op: opProfile, Err: os.ErrInvalid}
	}
	p := &Profile{
		c:        c,
		accepted: make(chan connection, backlog),
		done:     make(chan struct{}),
	}
	p.path = c.export("serial", profileMethods{p}, profileInterface)
	options := map[string]dbus.Variant{
		"Name":                  dbus.MakeVariant(name),
		"Role":                  dbus.MakeVariant("server"),
		"Channel":               dbus.MakeVariant(uint16(channel)),
		"RequireAuthentication": dbus.MakeVariant(true),
		"RequireAuthorization":  dbus.MakeVariant(false),
	}
	if _, err := c.call(ctx, rootPath, profileManagerInterface+".RegisterProfile", p.path, serialPortUUID, options); err != nil {
		p.end(ctx)
		return nil, wrap(opProfile, "", err)
	}
	return p, nil
}

// Accept waits for a device to connect and returns the socket, which is
// non-blocking and the caller's to close, and the address of the device. It
// fails with net.ErrClosed after Close, with ErrNoBus when the bus is lost, and
// with the context's error. Up to 8 devices wait for it, more are refused.
func (p *Profile) Accept(ctx context.Context) (*os.File, bdaddr.Address, error) {
	var err error
	select {
	case conn := <-p.accepted:
		return conn.file, conn.from, nil
	case <-p.done:
		err = net.ErrClosed
	case <-p.c.conn.Context().Done():
		err = p.c.gone()
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, bdaddr.Address{}, wrap(opAccept, "", err)
}

// Close withdraws the serial port. Accepted connections go on. The error is
// always nil.
func (p *Profile) Close() error {
	p.end(context.Background())
	return nil
}

func (p *Profile) end(ctx context.Context) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended = true
	close(p.done)
	p.mu.Unlock()
	for {
		select {
		case conn := <-p.accepted:
			// Nobody has written to it.
			_ = conn.file.Close()
			continue
		default:
		}
		break
	}
	ctx, cancel := p.c.cleanup(ctx)
	defer cancel()
	// Fails when it was not registered, or the daemon left and forgot it.
	_, _ = p.c.call(ctx, rootPath, profileManagerInterface+".UnregisterProfile", p.path)
	p.c.withdraw(p.path, profileInterface)
}

// offer queues a connection for Accept. It is false when nobody can take it.
func (p *Profile) offer(conn connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	select {
	case p.accepted <- conn:
		return true
	default:
		return false
	}
}

// profileMethods is what BlueZ sees of a profile (org.bluez.Profile1).
type profileMethods struct{ p *Profile }

// NewConnection takes over the socket of a device that connected.
func (m profileMethods) NewConnection(sender dbus.Sender, device dbus.ObjectPath, fd dbus.UnixFD, _ map[string]dbus.Variant) *dbus.Error {
	from, err := deviceAddress(device)
	if err != nil || !m.p.c.isDaemon(context.Background(), sender) {
		// Nobody has written to it.
		_ = syscall.Close(int(fd))
		return errRejected
	}
	// BlueZ sets it as well; without it reads could not be interrupted.
	err = syscall.SetNonblock(int(fd), true)
	file := os.NewFile(uintptr(fd), "rfcomm:"+from.String())
	if err != nil || !m.p.offer(connection{file, from}) {
		_ = file.Close()
		return errRejected
	}
	return nil
}

// RequestDisconnection says that BlueZ ends the link to a device, whose sockets
// then fail. There is nothing to do before.
func (profileMethods) RequestDisconnection(dbus.ObjectPath) *dbus.Error { return nil }

// Cancel says that BlueZ no longer waits for an answer to NewConnection.
func (profileMethods) Cancel() *dbus.Error { return nil }

// Release says that BlueZ has dropped the profile.
func (profileMethods) Release() *dbus.Error { return nil }
