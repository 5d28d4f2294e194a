// Package steady reads streams that deliver small pieces for days at the least
// number of system calls a piece.
package steady

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lookAfter is how long a read waits without having tried before it looks for
// itself. It is far longer than the pauses of a stream that costs something: the
// scheduler wakes for a timer that was put off, once each lookAfter.
const lookAfter = time.Second

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// A Reader reads a file on the runtime's poller, which it owns. Any goroutine
// may use it, also one that is locked to its thread, and several at once.
//
// An ordinary read begins with a read(2) that finds nothing, since the poller
// forgets what happened before it. Here a goroutine of the Reader's own stays
// inside one RawConn.Read from piece to piece, in which nothing is forgotten:
// after a read(2) that got less than it could take, the queue is empty, and it
// waits without trying first. That is safe because
//   - what comes after that read(2) is a new edge (epoll(7), question 9), which
//     the poller keeps until it is waited for, however long nobody reads. This
//     holds for sockets (net/bluetooth/af_bluetooth.c, bt_sock_stream_recvmsg)
//     and for terminals in raw mode (drivers/tty/n_tty.c, n_tty_read);
//   - what came before it, along with the data and under the same edge, can only
//     be the end of the stream or an error. A wait of lookAfter, or until the
//     deadline if that is sooner, is followed by a read(2) that finds it;
//   - one goroutine alone is ever inside the RawConn.Read. Those who read hand
//     it their buffers and wait, so that nothing is read ahead of them, and the
//     flow control of the stream goes by them.
type Reader struct {
	file *os.File
	raw  syscall.RawConn
	call func(fd int, p []byte) (int, error) // read(2)

	reading sync.Mutex // serialises Read, and guards final
	final   error

	requests chan []byte // to the goroutine; each has one answer
	answers  chan answer
	quit     chan struct{} // is closed by Close
	done     chan struct{} // is closed by the goroutine

	// mu guards what follows, and the deadline of the poller.
	mu       sync.Mutex
	running  bool // the goroutine was started
	closed   bool
	waiting  bool      // a Read is under way
	deadline time.Time // of Read
	look     time.Time // when the one under way looks for itself; zero: it need not
	broken   error     // see Break

	// Of the goroutine: the request that it works on.
	p    []byte
	owes bool
}

type answer struct {
	n   int
	err error
}

// NewReader returns a Reader of f, which must be non-blocking and have deadlines,
// and whose SyscallConn is raw.
func NewReader(f *os.File, raw syscall.RawConn) *Reader {
	return &Reader{
		file: f, raw: raw, call: read,
		requests: make(chan []byte), answers: make(chan answer, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
}

// Read reads what is there, or waits for the first byte. The error is io.EOF, an
// errno, os.ErrDeadlineExceeded or os.ErrClosed; no bytes come with one. One of
// the first two kinds is final: every later Read returns it again, since some
// kernels report it once and then leave a reader waiting for ever.
func (r *Reader) Read(p []byte) (int, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	switch {
	case r.isClosed():
		return 0, os.ErrClosed
	case r.final != nil:
		return 0, r.final
	case len(p) == 0:
		return 0, nil
	}
	if err := r.begin(); err != nil {
		return 0, err
	}
	defer r.end()
	select {
	case r.requests <- p:
	case <-r.quit:
		return 0, os.ErrClosed
	}
	a := <-r.answers
	if a.err != nil && !errors.Is(a.err, os.ErrDeadlineExceeded) && !errors.Is(a.err, os.ErrClosed) {
		r.final = a.err
	}
	return a.n, a.err
}

// begin arms the poller for a read, or says why there can be none.
func (r *Reader) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return os.ErrClosed
	}
	now := time.Now()
	if r.broken == nil && r.passed(now) {
		return os.ErrDeadlineExceeded
	}
	if !r.running {
		r.running = true
		go r.run()
	}
	r.waiting, r.look = true, now.Add(lookAfter)
	return r.arm()
}

func (r *Reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = false
}

func (r *Reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// passed reports whether the deadline is over. r.mu is held.
func (r *Reader) passed(now time.Time) bool { return !r.deadline.IsZero() && !now.Before(r.deadline) }

// arm sets the deadline of the poller: when the read under way has to end, or to
// look for itself. r.mu is held.
func (r *Reader) arm() error {
	t := r.deadline
	switch {
	case r.broken != nil:
		t = longAgo
	case t.IsZero(), !r.look.IsZero() && r.look.Before(t):
		t = r.look
	}
	return r.file.SetReadDeadline(t)
}

// SetDeadline makes Read, also one under way, end at t with
// os.ErrDeadlineExceeded. Zero: never. After Close the error is os.ErrClosed.
func (r *Reader) SetDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return os.ErrClosed
	}
	r.deadline = t
	if !r.waiting {
		return nil // the next read arms the poller
	}
	return r.arm()
}

// Break makes Read, also one under way, return err once it has returned all that
// was received, whatever its deadline: a write has found that the stream is
// broken, and may have taken the errno that a read waits for.
func (r *Reader) Break(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.broken != nil {
		return
	}
	r.broken = err
	if r.waiting {
		_ = r.arm() // fails only when the file is closed, which wakes as well
	}
}

// Close closes the file and waits for the goroutine. A Read under way returns
// os.ErrClosed, and so does a second Close.
func (r *Reader) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return os.ErrClosed
	}
	r.closed = true
	close(r.quit)
	running := r.running
	r.mu.Unlock()
	// No deadline is needed to wake the goroutine: it waits for the poller, which
	// the close ends, or for a request, which quit ends.
	err := r.file.Close()
	if running {
		<-r.done
	}
	return err
}

// run is the goroutine.
func (r *Reader) run() {
	defer close(r.done)
	for r.await() {
		for r.owes {
			// Ends with an error, or with all requests answered.
			if err := r.raw.Read(r.pieces); err != nil {
				r.woken(err)
			}
		}
	}
}

// await waits for a request. It is false when there will be none.
func (r *Reader) await() bool {
	select {
	case r.p = <-r.requests:
		r.owes = true
		return true
	case <-r.quit:
		return false
	}
}

func (r *Reader) answer(n int, err error) {
	r.p, r.owes = nil, false
	r.answers <- answer{n, err}
}

// pieces is called by the poller: at first, and whenever there may be news.
func (r *Reader) pieces(fd uintptr) (done bool) {
	for {
		n, err := r.try(fd)
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
		drained := n < len(r.p)
		r.answer(n, err)
		if err != nil || !r.await() {
			return true
		}
		if drained {
			return false
		}
	}
}

// try is read(2) for the request.
func (r *Reader) try(fd uintptr) (int, error) {
	for {
		n, err := r.call(int(fd), r.p)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil && n == 0:
			return 0, io.EOF
		default:
			return n, err
		}
	}
}

// woken takes note that the poller has ended a wait before there was news of it.
func (r *Reader) woken(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		r.answer(0, os.ErrClosed)
	case !errors.Is(err, os.ErrDeadlineExceeded):
		r.answer(0, err)
	case r.broken != nil:
		r.lastTry(r.broken)
	case r.passed(time.Now()):
		r.lastTry(err)
	default:
		// The next RawConn.Read looks, and waits for the deadline alone.
		r.look = time.Time{}
		_ = r.arm() // fails only when the file is closed, which it will find
	}
}

// lastTry answers with what is there, with err when that is nothing.
func (r *Reader) lastTry(err error) {
	n, found := 0, error(unix.EAGAIN)
	// Control fails only when the file is closed, which the next read will find.
	_ = r.raw.Control(func(fd uintptr) { n, found = r.try(fd) })
	if !errors.Is(found, unix.EAGAIN) {
		err = found
	}
	r.answer(n, err)
}

// read is read(2) on a non-blocking descriptor. It leaves out what package
// syscall does around a call that may block, which is to wake the scheduler's
// monitor thread: three to four system calls for each read that costs one.
func read(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
