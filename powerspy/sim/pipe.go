package sim

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeSize is how many bytes a direction of a pipe holds.
const pipeSize = 16 << 10

// pipe returns the ends of an in-process link. Unlike net.Pipe it buffers, as
// a radio link does, so that a slow reader does not hold the writer up at
// once, and what was written before Close still arrives.
func pipe() (client, server *end) {
	up, down := newFlow(), newFlow()
	return &end{in: down, out: up, local: "client"}, &end{in: up, out: down, local: "meter"}
}

// An end is one end of a pipe.
type end struct {
	in, out *flow
	local   addr
}

var _ net.Conn = &end{}

// addr names an end of a pipe.
type addr string

func (addr) Network() string  { return "sim" }
func (a addr) String() string { return string(a) }

func (e *end) LocalAddr() net.Addr { return e.local }

func (e *end) RemoteAddr() net.Addr {
	if e.local == "client" {
		return addr("meter")
	}
	return addr("client")
}

func (e *end) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

// Close ends both directions. It wakes a Read or Write under way.
func (e *end) Close() error {
	e.in.closeReader()
	e.out.closeWriter()
	return nil
}

func (e *end) SetDeadline(t time.Time) error {
	e.in.setDeadline(&e.in.readBy, t)
	e.out.setDeadline(&e.out.writeBy, t)
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.in.setDeadline(&e.in.readBy, t)
	return nil
}

func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.setDeadline(&e.out.writeBy, t)
	return nil
}

// A flow is one direction of a pipe.
type flow struct {
	mu              sync.Mutex // Serialises the fields below.
	changed         *sync.Cond // Any of them changed, or a deadline came.
	buf             []byte
	readerClosed    bool
	writerClosed    bool
	readBy, writeBy deadline
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func newFlow() *flow {
	f := new(flow)
	f.changed = sync.NewCond(&f.mu)
	return f
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (f *flow) setDeadline(d *deadline, t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if !t.IsZero() && !f.readerClosed && !f.writerClosed {
		d.timer = time.AfterFunc(time.Until(t), f.wake)
	}
	f.changed.Broadcast()
}

func (f *flow) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed.Broadcast()
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.readerClosed:
			return 0, net.ErrClosed
		case f.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(f.buf) > 0:
			n := copy(p, f.buf)
			f.buf = append(f.buf[:0], f.buf[n:]...)
			f.changed.Broadcast()
			return n, nil
		case f.writerClosed:
			return 0, io.EOF
		}
		f.changed.Wait()
	}
}

func (f *flow) write(p []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.writerClosed:
			return n, net.ErrClosed
		case f.readerClosed:
			return n, io.ErrClosedPipe
		case f.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		}
		if room := min(pipeSize-len(f.buf), len(p)); room > 0 {
			f.buf = append(f.buf, p[:room]...)
			p, n = p[room:], n+room
			f.changed.Broadcast()
			continue
		}
		f.changed.Wait()
	}
}

func (f *flow) closeReader() { f.close(&f.readerClosed) }
func (f *flow) closeWriter() { f.close(&f.writerClosed) }

func (f *flow) close(closed *bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*closed = true
	if f.readerClosed {
		f.buf = nil
	}
	for _, d := range []*deadline{&f.readBy, &f.writeBy} {
		if d.timer != nil {
			d.timer.Stop()
			d.timer = nil
		}
	}
	f.changed.Broadcast()
}
