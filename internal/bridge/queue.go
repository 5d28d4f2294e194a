package bridge

import (
	"bytes"
	"context"
	"sync"
)

// queueSize is how many bytes wait for a slow client: half an hour of frames at
// three a second, and more than the longest answer of a meter (100 periods of a
// binary capture, some 100 KiB).
const queueSize = 256 << 10

// A queue holds what a client has yet to read. When it is full the oldest whole
// frames go first, never a part of one, so that a client always sees frames.
type queue struct {
	mu     sync.Mutex // guards the fields below
	buf    []byte
	inside bool          // what was taken last ended within a frame
	filled chan struct{} // holds a token when there may be something to take
	limit  int
}

func newQueue(limit int) *queue { return &queue{filled: make(chan struct{}, 1), limit: limit} }

// put adds p and reports whether something older, or p itself, had to go.
func (q *queue) put(p []byte) (dropped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.buf = append(q.buf, p...)
	for len(q.buf) > q.limit {
		dropped = true
		if !q.dropFrame() {
			q.buf, q.inside = q.buf[:0], false // no frames at all
		}
	}
	select {
	case q.filled <- struct{}{}:
	default:
	}
	return dropped
}

// dropFrame drops the oldest frame of which the client has seen nothing.
func (q *queue) dropFrame() bool {
	from := 0
	if q.inside {
		from = bytes.IndexByte(q.buf, '>') + 1
		if from == 0 {
			return false
		}
	}
	n := bytes.IndexByte(q.buf[from:], '>') + 1
	if n == 0 {
		return false
	}
	copy(q.buf[n:], q.buf[:from]) // the shorter move
	q.buf = q.buf[n:]
	return true
}

// take waits for bytes and moves as many as fit into p.
func (q *queue) take(ctx context.Context, p []byte) (n int, err error) {
	for {
		q.mu.Lock()
		if n = copy(p, q.buf); n > 0 {
			q.buf = q.buf[n:]
			if open, end := bytes.LastIndexByte(p[:n], '<'), bytes.LastIndexByte(p[:n], '>'); open != end {
				q.inside = open > end
			}
			q.mu.Unlock()
			return n, nil
		}
		q.mu.Unlock()
		select {
		case <-q.filled:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
