package rfcomm

import (
	"context"
	"iter"
)

// pieces is one wait for data that goes on from read to read, for Config.Steady.
//
// An ordinary read begins with a read(2) that finds nothing. Here one call of RawConn.Read lasts as long as no deadline
// ends it: after a read(2) that got less than it could take, the queue is empty (net/bluetooth/af_bluetooth.c,
// bt_sock_stream_recvmsg), and it waits without trying first. No data is lost by that: what comes meanwhile is a new edge
// (epoll(7), question 9), which the poller keeps until it is waited for.
//
// NB: an end or error that came before that read(2), and whose edge woke it along with the data's, has no edge of its own
// any more. The first read(2) of the next wait finds it: after a deadline has ended this one.
//
// The long call is a coroutine that yields at each piece. Its zero value has not begun.
type pieces struct {
	next func() (struct{}, bool)
	stop func()
	err  error // with which the wait ended
}

// end ends the wait, if there is one.
func (p *pieces) end() {
	if p.stop != nil {
		p.stop()
		p.next, p.stop = nil, nil
	}
}

// await waits until readFn has filled the reader's transfer or met the stream's end, which is in the transfer then, or
// until a deadline or close ends the wait, whose error it returns. The caller holds reader.mu.
func (s *stream) await() error {
	p := &s.pieces
	if p.next == nil {
		p.next, p.stop = iter.Pull(s.wait)
	}
	if _, ok := p.next(); ok {
		return nil
	}
	p.next, p.stop = nil, nil
	return p.err
}

// wait yields after each piece but the last.
func (s *stream) wait(yield func(struct{}) bool) {
	t := &s.reader
	s.pieces.err = s.socket.wait(context.Background(), reading, func(fd uintptr) bool {
		for {
			if !s.readFn(fd) {
				return false
			}
			if t.err != nil || t.n == 0 {
				return true // the last one
			}
			drained := t.n < len(t.p)
			if !yield(struct{}{}) {
				return true
			}
			if drained {
				return false
			}
		}
	})
}
