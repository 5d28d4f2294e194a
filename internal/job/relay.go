//go:build unix

package job

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"powerspy2/internal/terminal"
)

// MaxLine is how much of a line is looked at, in bytes.
const MaxLine = 64 << 10

// leftOver is for how long what children of a command that has ended still write
// is waited for, after the last of it.
const leftOver = 100 * time.Millisecond

// hurried is for how long a reader that has stopped is waited for once the job has been
// told to end.
const hurried = time.Second

// mostLeft is what a pipe holds at most: fs.pipe-max-size (pipe(7)).
const mostLeft = 1 << 20

// A relay passes a command's standard output on, and looks at its lines.
type relay struct {
	ours, theirs *os.File
	out          *os.File
	lines        func(time.Time, []byte)
	read         *moments

	line  []byte // the beginning of one
	ended chan struct{}
	held  bool
	over  chan struct{} // closed when the command has ended
	left  atomic.Bool   // nobody waits for the end of run any more

	resized  chan os.Signal
	resizing sync.WaitGroup // the goroutine that resized ends
}

// newRelay returns a relay whose end theirs is for the command.
func newRelay(c *Command, read *moments) (*relay, error) {
	r := &relay{out: c.Stdout, lines: c.Lines, read: read, ended: make(chan struct{}), over: make(chan struct{})}
	var err error
	if !c.Terminal {
		r.ours, r.theirs, err = os.Pipe()
		return r, err
	}
	// The terminal behind it does what a terminal does to output, once: it is raw.
	if r.ours, r.theirs, err = terminal.Pair(); err != nil {
		return nil, fmt.Errorf("make a pseudo-terminal for the command: %w", err)
	}
	r.resize()
	return r, nil
}

// resize gives the pseudo-terminal the size of the terminal. A terminal without a
// size has none to give.
func (r *relay) resize() {
	size, err := pty.GetsizeFull(r.out)
	if err != nil {
		return
	}
	conn, err := r.ours.SyscallConn()
	if err != nil {
		return
	}
	// Not by (*os.File).Fd, as pty.Setsize has it: that makes ours blocking, and
	// reading it could not be ended any more.
	_ = conn.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols, Xpixel: size.X, Ypixel: size.Y})
	})
}

// abandon closes both ends of a relay that was not begun.
func (r *relay) abandon() {
	_ = r.ours.Close()
	_ = r.theirs.Close()
}

// begin begins to pass on, once the command has its end.
func (r *relay) begin() {
	_ = r.theirs.Close() // the command's copy stays
	r.resized = make(chan os.Signal, 1)
	signal.Notify(r.resized, syscall.SIGWINCH)
	r.resizing.Go(func() {
		for range r.resized {
			r.resize()
		}
	})
	go r.run()
}

// finish waits until all is passed on, and returns whether children of the command
// still hold the output. What they have written is passed on, too. When hurry is
// closed a reader that has stopped is not waited for long, which is unread.
func (r *relay) finish(hurry <-chan struct{}) (held, unread bool) {
	close(r.over)
	_ = r.ours.SetReadDeadline(time.Now().Add(leftOver))
	select {
	case <-r.ended:
	case <-hurry:
		select {
		case <-r.ended:
		case <-time.After(hurried):
			unread = true
		}
	}
	signal.Stop(r.resized)
	close(r.resized)
	r.resizing.Wait()
	if unread {
		r.left.Store(true)
		return false, true
	}
	return r.held, false
}

// run passes on until the end. A reader that has gone is told to the command as
// it would be without a relay.
func (r *relay) run() {
	defer close(r.ended)
	defer r.ours.Close()
	buf := make([]byte, 64<<10)
	for late := 0; ; {
		n, err := r.ours.Read(buf)
		at := r.read.now()
		if n > 0 {
			if _, werr := r.out.Write(buf[:n]); werr != nil || r.left.Load() {
				return
			}
			r.split(at, buf[:n])
		}
		select {
		case <-r.over:
			// What has ended can have left no more than a pipe holds.
			late += n
			r.held = late > mostLeft || errors.Is(err, os.ErrDeadlineExceeded) && n == 0
			_ = r.ours.SetReadDeadline(time.Now().Add(leftOver)) // writing may have taken long
			if r.held {
				err = io.EOF
			} else if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
		default:
		}
		if err != nil { // io.EOF, or EIO of a terminal that nobody holds
			break
		}
	}
	if len(r.line) > 0 {
		r.lines(r.read.now(), r.line)
	}
}

// split hands on the lines that end in p.
func (r *relay) split(at time.Time, p []byte) {
	for {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		r.line = append(r.line, line[:min(len(line), MaxLine-len(r.line))]...)
		if !ended {
			return
		}
		r.lines(at, bytes.TrimSuffix(r.line, []byte{'\r'}))
		r.line, p = r.line[:0], rest
	}
}
