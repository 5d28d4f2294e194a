// Package steady reads streams that deliver small pieces for days at the least
// number of system calls a piece.
package steady

import (
	"iter"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Outcome is what a read(2) found.
type Outcome uint8

// Outcomes of a read.
const (
	Nothing Outcome = iota // EAGAIN
	Drained                // less than it could take: the queue is empty
	Filled                 // as much as it could take: there may be more
	Last                   // the end, or an error
)

// A Wait is one wait for data that goes on from read to read.
//
// An ordinary read begins with a read(2) that finds nothing. Here one call of RawConn.Read lasts as long as no deadline
// ends it: after a read(2) that got less than it could take, the queue is empty, and it waits without trying first. No
// data is lost by that: what comes meanwhile is a new edge (epoll(7), question 9), which the poller keeps until it is
// waited for. This holds for sockets (net/bluetooth/af_bluetooth.c, bt_sock_stream_recvmsg) and for terminals in raw mode
// (drivers/tty/n_tty.c, n_tty_read).
//
// NB: an end or error that came before that read(2), and whose edge woke it along with the data's, has no edge of its own
// any more. The first read(2) of the next wait finds it: after a deadline has ended this one.
//
// The long call is a coroutine that yields at each piece. Calls of its methods must not overlap.
type Wait struct {
	// Park is syscall.RawConn.Read, or something around it.
	Park func(func(fd uintptr) (done bool)) error
	// Read does one read(2) and keeps its data and error where the caller finds them.
	Read func(fd uintptr) Outcome

	next func() (struct{}, bool)
	stop func()
	err  error // with which the wait ended
}

// End ends the wait, if there is one.
func (w *Wait) End() {
	if w.stop != nil {
		w.stop()
		w.next, w.stop = nil, nil
	}
}

// Next waits until Read has found something, or until a deadline or close ends the wait, whose error it returns.
func (w *Wait) Next() error {
	if w.next == nil {
		w.next, w.stop = iter.Pull(w.wait)
	}
	if _, ok := w.next(); ok {
		return nil
	}
	w.next, w.stop = nil, nil
	return w.err
}

// wait yields after each piece but the last.
func (w *Wait) wait(yield func(struct{}) bool) {
	w.err = w.Park(func(fd uintptr) bool {
		for {
			outcome := w.Read(fd)
			switch outcome {
			case Nothing:
				return false
			case Last:
				return true
			}
			if !yield(struct{}{}) {
				return true
			}
			if outcome == Drained {
				return false
			}
		}
	})
}

// Read is read(2) on a non-blocking descriptor. It leaves out what package syscall does around a call that may
// block, which is to wake the scheduler's monitor thread: three to four system calls for each read that costs one.
func Read(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
