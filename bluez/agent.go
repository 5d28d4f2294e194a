package bluez

import (
	"context"
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

const (
	agentManagerPath = rootPath

	// capability is what an agent says that it can do. Devices that pair by
	// Secure Simple Pairing then do so without a number to type or to compare
	// ("Just Works"); BlueZ asks for the PIN of an older one whatever is said.
	capability = "NoInputNoOutput"

	opAgent = "register a pairing agent"
)

// errPIN is about a PIN that no device can have; the Bluetooth specification
// has 1 to 16 bytes of UTF-8. It does not contain the PIN, nor may any other
// error.
var errPIN = errors.New("a PIN has 1 to 16 characters")

func validPIN(pin string) bool {
	if len(pin) < 1 || len(pin) > 16 || !utf8.ValidString(pin) {
		return false
	}
	for _, r := range pin {
		if r == 0 {
			return false // cannot be sent over D-Bus
		}
	}
	return true
}

var (
	errRejected = dbus.NewError("org.bluez.Error.Rejected", nil)
	errCanceled = dbus.NewError("org.bluez.Error.Canceled", nil)
)

// An answerer decides what an agent answers.
type answerer struct {
	// pin is asked for the PIN of a device, and must return soon after its
	// context has ended.
	pin func(context.Context, dbus.ObjectPath) (string, error)
	// confirms reports whether a device may pair without a PIN.
	confirms func(dbus.ObjectPath) bool
	// authorize reports whether devices may connect to services of ours.
	authorize bool
}

// agent answers BlueZ's questions about pairing. What it is not there for, it
// rejects. It keeps no PIN.
type agent struct {
	answerer
	c    *Client
	path dbus.ObjectPath

	ctx    context.Context // of the whole agent
	cancel context.CancelFunc
	calls  sync.WaitGroup

	mu      sync.Mutex
	current context.CancelFunc // of the question that is open, or nil
	ended   bool
}

// registerAgent offers an agent to BlueZ. It must be ended.
func (c *Client) registerAgent(ctx context.Context, answers answerer) (*agent, error) {
	c.mu.Lock()
	busy := c.agent
	c.agent = true
	c.mu.Unlock()
	if busy {
		// BlueZ takes one of each client.
		return nil, &Error{Op: opAgent, Err: ErrInProgress}
	}
	a := &agent{c: c, answerer: answers}
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	a.path = c.export("agent", agentMethods{a}, agentInterface)
	if _, err := c.call(ctx, agentManagerPath, agentManagerInterface+".RegisterAgent", a.path, capability); err != nil {
		a.end(ctx)
		return nil, wrap(opAgent, "", err)
	}
	return a, nil
}

// end withdraws the agent, also when ctx has ended, and waits until none of its
// questions is open.
func (a *agent) end(ctx context.Context) {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.cancel()
	a.calls.Wait()

	ctx, cancel := a.c.cleanup(ctx)
	defer cancel()
	// Fails when it was not registered, or the daemon left and forgot it.
	_, _ = a.c.call(ctx, agentManagerPath, agentManagerInterface+".UnregisterAgent", a.path)
	a.c.withdraw(a.path, agentInterface)

	a.c.mu.Lock()
	a.c.agent = false
	a.c.mu.Unlock()
}

// begin opens a question of BlueZ's. It is not ok for others than BlueZ, and
// for an agent that has ended.
func (a *agent) begin(sender dbus.Sender) (ctx context.Context, done func(), ok bool) {
	a.mu.Lock()
	if a.ended {
		a.mu.Unlock()
		return nil, nil, false
	}
	a.calls.Add(1)
	ctx, cancel := context.WithCancel(a.ctx)
	a.mu.Unlock()
	if !a.c.isDaemon(ctx, sender) {
		cancel()
		a.calls.Done()
		return nil, nil, false
	}
	a.mu.Lock()
	a.current = cancel
	a.mu.Unlock()
	return ctx, func() { cancel(); a.calls.Done() }, true
}

// agentMethods is what BlueZ sees of an agent (org.bluez.Agent1).
type agentMethods struct{ a *agent }

// RequestPinCode answers with the PIN of a device.
func (m agentMethods) RequestPinCode(sender dbus.Sender, device dbus.ObjectPath) (string, *dbus.Error) {
	ctx, done, ok := m.a.begin(sender)
	if !ok {
		return "", errRejected
	}
	defer done()
	pin, err := m.a.pin(ctx, device)
	switch {
	case ctx.Err() != nil:
		return "", errCanceled
	case err != nil:
		return "", errRejected
	}
	return pin, nil
}

// AuthorizeService lets a device connect to a service, or not.
func (m agentMethods) AuthorizeService(sender dbus.Sender, _ dbus.ObjectPath, _ string) *dbus.Error {
	_, done, ok := m.a.begin(sender)
	if !ok {
		return errRejected
	}
	defer done()
	if !m.a.authorize {
		return errRejected
	}
	return nil
}

// Cancel ends the question that is open.
func (m agentMethods) Cancel(sender dbus.Sender) *dbus.Error {
	if !m.a.c.isDaemon(m.a.ctx, sender) {
		return errRejected
	}
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if m.a.current != nil {
		m.a.current()
	}
	return nil
}

// Release says that BlueZ has dropped the agent.
func (m agentMethods) Release(sender dbus.Sender) *dbus.Error { return m.Cancel(sender) }

// RequestConfirmation lets a device pair by a number that both sides have and
// nobody can compare here.
func (m agentMethods) RequestConfirmation(sender dbus.Sender, device dbus.ObjectPath, _ uint32) *dbus.Error {
	return m.confirm(sender, device)
}

// RequestAuthorization lets a device pair without anything to compare.
func (m agentMethods) RequestAuthorization(sender dbus.Sender, device dbus.ObjectPath) *dbus.Error {
	return m.confirm(sender, device)
}

func (m agentMethods) confirm(sender dbus.Sender, device dbus.ObjectPath) *dbus.Error {
	_, done, ok := m.a.begin(sender)
	if !ok {
		return errRejected
	}
	defer done()
	if !m.a.confirms(device) {
		return errRejected
	}
	return nil
}

// The rest wants a keyboard or a display, which this agent says it has not.

// DisplayPinCode is rejected.
func (agentMethods) DisplayPinCode(dbus.ObjectPath, string) *dbus.Error { return errRejected }

// RequestPasskey is rejected.
func (agentMethods) RequestPasskey(dbus.ObjectPath) (uint32, *dbus.Error) { return 0, errRejected }

// DisplayPasskey is rejected.
func (agentMethods) DisplayPasskey(dbus.ObjectPath, uint32, uint16) *dbus.Error { return errRejected }

// An Agent answers the PIN for devices that want to pair with this machine.
type Agent struct {
	a    *agent
	once sync.Once
}

// RegisterDefaultAgent registers an agent that BlueZ asks about every device
// that no other agent is responsible for (org.bluez.AgentManager1,
// RequestDefaultAgent). It is the accepting side of a pairing: the simulated
// meter's.
//
// pin returns the PIN for a device, 1 to 16 bytes of UTF-8, "" to refuse it. It
// is called from another goroutine. Devices are let connect to services; newer
// kinds of pairing, which have no PIN, are rejected. A client has one agent at
// a time, the one of Pair included: else the error is ErrInProgress. The agent
// ends with the daemon.
func (c *Client) RegisterDefaultAgent(ctx context.Context, pin func(bdaddr.Address) string) (*Agent, error) {
	a, err := c.registerAgent(ctx, answerer{
		pin: func(_ context.Context, device dbus.ObjectPath) (string, error) {
			addr, err := deviceAddress(device)
			if err != nil {
				return "", err
			}
			p := pin(addr)
			if !validPIN(p) {
				return "", errPIN
			}
			return p, nil
		},
		confirms:  func(dbus.ObjectPath) bool { return false },
		authorize: true,
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.call(ctx, agentManagerPath, agentManagerInterface+".RequestDefaultAgent", a.path); err != nil {
		a.end(ctx)
		return nil, wrap(opAgent, "", err)
	}
	return &Agent{a: a}, nil
}

// Close withdraws the agent. It waits for a call of the function that gives the
// PIN to return. The error is always nil.
func (a *Agent) Close() error {
	a.once.Do(func() { a.a.end(context.Background()) })
	return nil
}
