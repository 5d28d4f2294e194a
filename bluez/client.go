package bluez

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	busName   = "org.freedesktop.DBus"
	bluezName = "org.bluez"

	// callTimeout bounds a call that BlueZ answers from memory or after a few
	// commands to the adapter. Seen: 2 s for an adapter that hangs, 2.6 s for
	// Disconnect.
	callTimeout = 10 * time.Second

	// cleanupTimeout bounds what is still said to the daemon after the caller's
	// context has ended.
	cleanupTimeout = 3 * time.Second
)

// A Client is a connection to BlueZ of its own: agents, discoveries and
// profiles that it registers belong to it and end with it. Its methods may be
// called from several goroutines.
type Client struct {
	conn   *dbus.Conn
	closed atomic.Bool

	// How long BlueZ has for a call, and for a pairing.
	timeout, pairTimeout time.Duration

	// mu guards what BlueZ allows a client only once, and the exporting of
	// objects, which godbus does not.
	mu          sync.Mutex
	discovering map[string]bool // by adapter
	agent       bool
	exported    int // so many objects so far
}

// Dial connects to BlueZ on the system bus, or on the bus whose address is in
// DBUS_SYSTEM_BUS_ADDRESS. It fails with ErrNoBus when there is no such bus
// and with ErrNoDaemon when BlueZ is not on it. The context ends with Dial, it
// does not bound the life of the Client.
//
// A user to whom the D-Bus policy forbids BlueZ can Dial; the first call, for
// example Adapters, then tells so with os.ErrPermission.
func Dial(ctx context.Context) (*Client, error) {
	return dial(ctx, dbus.ConnectSystemBus)
}

// dial is Dial on the bus that connect connects to.
func dial(ctx context.Context, connect func(...dbus.ConnOption) (*dbus.Conn, error)) (*Client, error) {
	const op = "connect"
	c, err := dialBus(ctx, connect)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	// Asked before the first call to BlueZ: on some systems such a call makes
	// the bus try to start the daemon, and hang with it.
	body, _, err := c.callBus(ctx, "NameHasOwner", bluezName)
	if err == nil {
		var owned bool
		owned, err = only[bool](body, "NameHasOwner")
		if err == nil && !owned {
			err = ErrNoDaemon
		}
	}
	if err != nil {
		err = wrap(op, "", err)
		// What went wrong first is what the caller needs to know.
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// dialBus connects to the bus, whether BlueZ is on it or not.
func dialBus(caller context.Context, connect func(...dbus.ConnOption) (*dbus.Conn, error)) (*Client, error) {
	ctx, cancel := context.WithTimeout(caller, callTimeout)
	defer cancel()

	// connect takes no context of its own. Closing the connection is what ends
	// a handshake that hangs, and the end of its context closes it.
	connCtx, closeConn := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, closeConn)
	// Signals have to stay in order for property changes to make sense; the
	// default handler reorders them under load.
	conn, err := connect(dbus.WithContext(connCtx), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if !stop() {
		if conn != nil {
			// The context has closed it, or is about to.
			_ = conn.Close()
		}
		return nil, dialContextError(caller)
	}
	if err != nil {
		closeConn()
		return nil, dialError(err)
	}
	return &Client{
		conn:        conn,
		timeout:     callTimeout,
		pairTimeout: pairTimeout,
		discovering: make(map[string]bool),
	}, nil
}

// dialContextError explains why the context of a Dial ended: the caller's did, or
// our own bound was reached.
func dialContextError(caller context.Context) error {
	if err := caller.Err(); err != nil {
		return err
	}
	return ErrNoBus
}

// dialError explains why there is no connection to the bus. The cause is kept as
// text only, save for the one that callers ask for: a socket that does not
// exist would otherwise pass for a device that does not.
func dialError(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrNoBus, err)
	}
	return fmt.Errorf("%w: %v", ErrNoBus, err)
}

// Close ends the connection, and with it every discovery, pairing, agent,
// profile and watcher of the client. Calls in progress end with net.ErrClosed.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if err := c.conn.Close(); err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// gone returns the reason why the connection to the bus is closed.
func (c *Client) gone() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return ErrNoBus
}

// call calls a method of BlueZ and returns the values that it answers. It never
// makes the bus start BlueZ, and gives up after c.timeout with ErrNoAnswer.
func (c *Client) call(ctx context.Context, object dbus.ObjectPath, method string, args ...any) ([]any, error) {
	body, _, err := c.do(ctx, bluezName, object, method, args...)
	return body, err
}

// callBus is call for a method of the bus itself. It also says where the
// answer, be it an error, stands among the signals.
func (c *Client) callBus(ctx context.Context, method string, args ...any) ([]any, dbus.Sequence, error) {
	return c.do(ctx, busName, "/org/freedesktop/DBus", busName+"."+method, args...)
}

func (c *Client) do(ctx context.Context, dest string, object dbus.ObjectPath, method string, args ...any) ([]any, dbus.Sequence, error) {
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	call := <-c.start(callCtx, dest, object, method, args...).Done
	return call.Body, call.ResponseSequence, c.callError(ctx, call.Err)
}

// start sends a call and returns before it is answered.
func (c *Client) start(ctx context.Context, dest string, object dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return c.conn.Object(dest, object).GoWithContext(ctx, method, dbus.FlagNoAutoStart, make(chan *dbus.Call, 1), args...)
}

// callError explains why a call failed that was made for ctx with a bound of ours.
func (c *Client) callError(ctx context.Context, err error) error {
	var answer dbus.Error
	switch {
	case err == nil, errors.As(err, &answer):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return ErrNoAnswer
	case c.isLoss(err):
		return c.gone()
	}
	return err
}

// isLoss reports whether a call failed because there is no connection to the bus
// any more.
func (c *Client) isLoss(err error) bool {
	var oe *net.OpError
	return !c.conn.Connected() || errors.Is(err, dbus.ErrClosed) || errors.Is(err, io.EOF) || errors.As(err, &oe)
}

// set sets a property.
func (c *Client) set(ctx context.Context, object dbus.ObjectPath, iface, property string, value any) error {
	_, err := c.call(ctx, object, propertiesInterface+".Set", iface, property, dbus.MakeVariant(value))
	return err
}

// getAll reads the properties of one interface of an object.
func (c *Client) getAll(ctx context.Context, object dbus.ObjectPath, iface string) (map[string]dbus.Variant, error) {
	body, err := c.call(ctx, object, propertiesInterface+".GetAll", iface)
	if err != nil {
		return nil, err
	}
	return only[map[string]dbus.Variant](body, "GetAll")
}

// only returns the one value of an answer.
func only[T any](body []any, method string) (T, error) {
	if len(body) == 1 {
		if value, ok := body[0].(T); ok {
			return value, nil
		}
	}
	var zero T
	return zero, fmt.Errorf("unexpected answer to %s: %T, want one %T", method, body, zero)
}

// cleanup returns a context for what is still to be said to the daemon after
// ctx has ended.
func (c *Client) cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), min(c.timeout, cleanupTimeout))
}

// export offers an object of ours to BlueZ, under a path that none of this
// client has had before. name says what it is.
func (c *Client) export(name string, methods any, iface string) dbus.ObjectPath {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exported++
	object := dbus.ObjectPath(fmt.Sprintf("/powerspy/%s%d", name, c.exported))
	// Fails for an invalid path or another handler than godbus's own only.
	_ = c.conn.Export(methods, object, iface)
	return object
}

// withdraw takes back an object that was exported.
func (c *Client) withdraw(object dbus.ObjectPath, iface string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Fails as little as in export.
	_ = c.conn.Export(nil, object, iface)
}

// isDaemon reports whether the unique name of a caller is that of BlueZ. Objects
// of ours can be called by others on the bus as well, and are not for them.
func (c *Client) isDaemon(ctx context.Context, sender dbus.Sender) bool {
	owner, _, err := c.owner(ctx)
	return err == nil && owner == string(sender)
}

// owner returns the unique name of BlueZ on the bus, "" when it is not there,
// and where the answer stands among the signals.
func (c *Client) owner(ctx context.Context) (string, dbus.Sequence, error) {
	body, seq, err := c.callBus(ctx, "GetNameOwner", bluezName)
	var de dbus.Error
	if errors.As(err, &de) && de.Name == busName+".Error.NameHasNoOwner" {
		return "", seq, nil
	}
	if err != nil {
		return "", 0, err
	}
	owner, err := only[string](body, "GetNameOwner")
	return owner, seq, err
}
