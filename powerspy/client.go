package powerspy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTimeout is the time that a meter has to answer one request. §3.2 says
// one second; real-time frames still in flight can hold an answer up.
const DefaultTimeout = 2 * time.Second

// A Link is the connection to a meter. Every [net.Conn] is one, and so is an
// [os.File] that supports deadlines. Close must wake a blocked Read, and the
// methods must be safe for concurrent use, as they are there.
type Link interface {
	io.ReadWriteCloser
	// SetReadDeadline makes a Read, also one that is waiting, end at t with an
	// error that matches os.ErrDeadlineExceeded. Zero: never.
	SetReadDeadline(t time.Time) error

	// SetWriteDeadline does so for Write.
	SetWriteDeadline(t time.Time) error
}

// A Direction says which way bytes went.
type Direction uint8

// Directions.
const (
	Sent     Direction = iota + 1 // to the meter
	Received                      // from the meter
)

// String returns "sent" or "received".
func (d Direction) String() string {
	switch d {
	case Sent:
		return "sent"
	case Received:
		return "received"
	}
	return "Direction(" + strconv.Itoa(int(d)) + ")"
}

// A Config adjusts a [Client].
type Config struct {
	// Timeout is the time that the meter has to answer one request;
	// DefaultTimeout if zero.
	Timeout time.Duration

	// Retries is how often [Client.ReadEEPROM], for each reading of a byte,
	// and [Client.Frequency], [Client.Clock] and [Client.ListFiles] ask again
	// when no answer came in time, or none that was understood. What changes
	// something on the meter is never repeated. 0: not at all.
	Retries int

	// Trace, if not nil, sees the bytes just as they were sent and received,
	// each with one call from the goroutine that sent or received them. It
	// must not keep p.
	Trace func(dir Direction, p []byte)
}

// A Client speaks with one meter over one link. Its methods may be called
// concurrently: requests queue up.
type Client struct {
	link    Link
	timeout time.Duration
	retries int
	trace   func(Direction, []byte)

	// owner serialises the use of the link: whoever could send to it owns
	// the fields up to the next blank line, from a request until its answer
	// or during one read of the stream. It is a channel since waiting for it
	// must end with the caller's context. Close does not need it.
	owner    chan struct{}
	buf      [4096]byte
	scan     scanner
	sent     time.Time // just before the latest request was written
	deadline time.Time // for the answer to it
	arrival  time.Time // just after the latest read
	synced   bool      // no answer to an earlier request can be on its way
	heard    *Identity // the last one; nil before
	who      *Identity // the last of those that agree in who the meter is; nil before
	stale    bool      // the meter streams to a client that is gone
	failed   error     // the link is dead, and this is why
	dryReads int       // reads in a row that gave neither bytes nor error

	fastest atomic.Int64 // see RoundTrip; 0 for none yet

	// stream is changed by the owner and read by whoever interrupts it.
	stream atomic.Pointer[Realtime]

	closing  sync.Once
	closed   chan struct{}
	closeErr error
}

// NewClient returns a client for the meter at the other end of link, which now
// belongs to the client. Nothing is sent. A nil config means the defaults.
func NewClient(link Link, cfg *Config) *Client {
	if cfg == nil {
		cfg = &Config{}
	}
	c := &Client{
		link:    link,
		timeout: cfg.Timeout,
		retries: max(cfg.Retries, 0),
		trace:   cfg.Trace,
		owner:   make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	return c
}

// Close closes the link, at any time: what is blocked on it returns an error
// that matches [ErrClosed]. The meter is told nothing; see [Client.Stop].
// Closing again does nothing and returns the first result.
func (c *Client) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		if err := c.link.Close(); err != nil {
			c.closeErr = &Error{Op: "close", Err: fmt.Errorf("%w: %w", ErrLink, err)}
		}
		if r := c.stream.Load(); r != nil {
			r.watch.join()
		}
	})
	return c.closeErr
}

// RoundTrip returns the shortest time so far from sending a request to having
// received its answer; 0 before the first. Real-time frames take about half of
// it, if they are not held up.
func (c *Client) RoundTrip() time.Duration { return time.Duration(c.fastest.Load()) }

// timed takes in a round trip. Only the owner of the link calls it.
func (c *Client) timed(trip time.Duration) {
	if fastest := c.fastest.Load(); fastest == 0 || int64(trip) < fastest {
		c.fastest.Store(max(int64(trip), 1))
	}
}

// lock makes the caller the owner of the link.
func (c *Client) lock(ctx context.Context) error {
	if c.isClosed() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.owner <- struct{}{}:
		return nil
	case <-c.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) unlock() { <-c.owner }

func (c *Client) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// request runs f, which may make several exchanges, as the owner of the link.
func (c *Client) request(ctx context.Context, op string, f func() error) error {
	if err := c.lock(ctx); err != nil {
		return &Error{Op: op, Err: err}
	}
	defer c.unlock()
	if c.stream.Load() != nil {
		return &Error{Op: op, Err: ErrStreaming}
	}
	return c.guard(ctx, op, f)
}

// guard runs f with its blocking calls bound to ctx, and wraps its error.
func (c *Client) guard(ctx context.Context, op string, f func() error) error {
	w := watchContext(ctx, func() {
		c.interruptRead()
		// An error here or below says that the link is dead, which the
		// read or write that follows will find for itself.
		_ = c.link.SetWriteDeadline(past)
	})
	err := f()
	// The watcher has to be gone before its deadlines are taken back, or a
	// late cancellation would cut short a request that it does not concern.
	w.join()
	_ = c.link.SetReadDeadline(time.Time{})
	_ = c.link.SetWriteDeadline(time.Time{})
	if err == nil {
		return nil
	}
	if c.isClosed() {
		err = ErrClosed
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Op: op, Err: err}
}

// past is a deadline that has expired.
var past = time.Unix(1, 0)

// interruptRead makes a blocked Read return. For the error see guard.
func (c *Client) interruptRead() { _ = c.link.SetReadDeadline(past) }

// expired turns the expiry of a deadline into its cause.
func (c *Client) expired(ctx context.Context, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrNoAnswer
}

func (c *Client) write(request string) error {
	p := []byte(request)
	c.sent = time.Now()
	n, err := c.link.Write(p)
	if n > 0 && c.trace != nil {
		c.trace(Sent, p[:n])
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return c.fail(err)
}

// maxDryReads is the number of fruitless reads after which a link is not
// believed any more.
const maxDryReads = 100

// fill reads once into the scanner, which must be empty.
func (c *Client) fill() error {
	if c.failed != nil {
		return c.failed
	}
	n, err := c.link.Read(c.buf[:])
	if n > 0 {
		c.arrival = time.Now()
		c.dryReads = 0
		if c.trace != nil {
			c.trace(Received, c.buf[:n])
		}
		c.scan.feed(c.buf[:n])
		if err != nil {
			// The bytes come first, the failure with the next call. An
			// expired deadline will expire again.
			_ = c.fail(err)
		}
		return nil
	}
	if err == nil {
		if c.dryReads++; c.dryReads < maxDryReads {
			return nil
		}
		err = io.ErrNoProgress
	}
	return c.fail(err)
}

// fail records what is fatal to the link. An expired deadline is not, and is
// returned as it came. Only [os.ErrDeadlineExceeded] counts as one: Timeout()
// would take in ETIMEDOUT, which the kernel reports for a link that died.
func (c *Client) fail(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.failed = fmt.Errorf("%w: %w", ErrLink, err)
	return c.failed
}

// A watch calls a function when a context ends.
type watch struct {
	stop  func() bool
	fired chan struct{}
	once  sync.Once
}

func watchContext(ctx context.Context, f func()) *watch {
	w := &watch{fired: make(chan struct{})}
	w.stop = context.AfterFunc(ctx, func() {
		defer close(w.fired)
		f()
	})
	return w
}

// join ends the watch. When it returns the function will not be called any
// more, and is not running.
func (w *watch) join() {
	w.once.Do(func() {
		if !w.stop() {
			<-w.fired
		}
	})
}
