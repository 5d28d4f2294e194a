// Package bridge carries the bytes of a program that knows only a serial device
// or a TCP port to a meter's link, and connects again behind it.
package bridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"powerspy2/powerspy"
)

const (
	// writeTime bounds a write to the meter, which is a few bytes.
	writeTime = 2 * time.Second
	// minPause and maxPause lie between two tries to connect.
	minPause = time.Second
	maxPause = time.Minute
	// leftTime bounds telling the meter to stop at the end.
	leftTime = time.Second / 2
	// answerTime is what a meter has for an answer (AL/LG/0838/003 §3.2).
	answerTime = time.Second
)

// A Bridge leads from one client at a time to a meter. The link stays up while
// there is no client: a client's first request would be lost otherwise. What a
// client sends while there is no link is dropped, since a request must not
// reach the meter long after it was made. A client that was in real-time mode
// when the link broke is so again on the next one, without a <K> that it would
// not expect. A client that leaves its stream running has it stopped, and what
// the meter still says to it is not told to the next.
type Bridge struct {
	// Dial opens a link to the meter.
	Dial func(context.Context) (powerspy.Link, error)
	// Final tells an error of Dial that ends the bridge. Nil: none does.
	Final func(error) bool
	// Report is told what a person should know, a sentence without a dot. It is
	// called by several goroutines. May be nil.
	Report func(text string)

	// writing orders writes to link, and is taken before mu. What the meter
	// says is delivered all the same: a write to a dead link takes its time.
	writing sync.Mutex

	mu      sync.Mutex    // guards the fields below
	link    powerspy.Link // nil: there is none
	mode    mode
	client  *queue    // nil: there is no client
	slow    bool      // the client was told of as slow
	left    time.Time // when the client before left
	astray  bool      // the meter may stream, and nobody wants that: it has not answered Q
	answers follower
	asked   int           // identities (request ?) that the meter owes
	settled chan struct{} // is closed when it owes none any more; nil: nobody waits
}

func (b *Bridge) report(format string, args ...any) {
	if b.Report != nil {
		b.Report(fmt.Sprintf(format, args...))
	}
}

// Use gives Link, which is called next, a link that is open already. A client's
// requests go over it at once.
func (b *Bridge) Use(l powerspy.Link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = l
}

// Link keeps a link to the meter until ctx ends, and returns the context's
// error, or a final one of Dial. What the meter says goes to the client.
func (b *Bridge) Link(ctx context.Context) error {
	pause := minPause
	b.mu.Lock()
	l := b.link
	b.mu.Unlock()
	for ; ; l = nil {
		var err error
		if l == nil {
			l, err = b.Dial(ctx)
		}
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = l.Close() // nothing was sent on it
			}
			return ctx.Err()
		case err == nil:
			b.report("connected to the meter")
			began := time.Now()
			err = b.carry(ctx, l)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if time.Since(began) > pause {
				pause = minPause
			}
			b.report("the link broke (%v), reconnecting", err)
		case b.Final != nil && b.Final(err):
			return err
		default:
			b.report("%v; trying again in %v", err, pause)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause + time.Duration(rand.Int64N(int64(pause/5)))):
		}
		pause = min(2*pause, maxPause)
	}
}

// carry carries the meter's bytes to the client until the link ends, and closes
// the link. Before ctx ends it, the meter is told to stop.
func (b *Bridge) carry(ctx context.Context, l powerspy.Link) error {
	quit := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(quit)
		b.quit()
		_ = l.Close() // wakes Read; there is nobody to tell
	})
	defer func() {
		if stop() {
			_ = l.Close() // how it ended is known
		} else {
			<-quit
		}
		b.ended()
	}()
	own, err := b.begin(l)
	if err != nil {
		return err
	}
	began := time.Now()
	buf := make([]byte, 4096)
	for {
		n, err := l.Read(buf)
		own.done = own.done || time.Since(began) > 2*answerTime // an answer that got lost
		if out := own.filter(buf[:n]); len(out) > 0 {
			b.deliver(out)
		}
		if err != nil {
			return err
		}
	}
}

// begin begins to use a link: the client's stream goes on, and one that nobody
// wants any more is ended. It returns what keeps the answer to itself.
func (b *Bridge) begin(l powerspy.Link) (*swallower, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	request, own := b.adopt(l)
	return own, write(l, request, writeTime)
}

// adopt makes l the link, and returns the request to begin with, if any.
func (b *Bridge) adopt(l powerspy.Link) (request []byte, own *swallower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.link == l
	b.link = l
	switch {
	case known: // by Use: a client may have started a stream over it
	case b.mode.start != nil:
		b.astray = false
		return b.mode.start, &swallower{}
	case b.astray:
		return []byte("<Q>"), &swallower{stale: true}
	}
	return nil, &swallower{done: true}
}

// ended takes note of the loss of the link.
func (b *Bridge) ended() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = nil
	b.astray = b.astray || b.mode.start != nil
	b.mode.broken()
	b.answers = follower{}
	b.owesNothing()
}

// owesNothing ends the wait for the meter's answers to a client that left. b.mu
// is held.
func (b *Bridge) owesNothing() {
	b.asked = 0
	if b.settled != nil {
		close(b.settled)
		b.settled = nil
	}
}

// write writes to a link within a time.
func write(l powerspy.Link, p []byte, limit time.Duration) error {
	if len(p) == 0 {
		return nil
	}
	if err := l.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := l.Write(p)
	return err
}

// quit ends a stream that nobody reads any more.
func (b *Bridge) quit() {
	b.mu.Lock()
	if l := b.link; l != nil {
		// A write under way is not waited for any longer than our own.
		_ = l.SetWriteDeadline(time.Now().Add(leftTime)) // a failure shows below
	}
	b.mu.Unlock()
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	l, start := b.link, b.mode.start
	b.mode.start, b.mode.streams = nil, false
	b.astray = b.astray || start != nil
	b.mu.Unlock()
	if l == nil || start == nil {
		return
	}
	if err := write(l, []byte("<Q>"), leftTime); err != nil {
		_ = l.Close() // its Read ends, and a new link is made
	}
}

// deliver passes on what the meter said. Nobody is told while there is no client.
func (b *Bridge) deliver(p []byte) {
	b.mu.Lock()
	b.answers.follow(p, b.answered)
	q, told := b.client, b.slow
	dropped := q != nil && q.put(p)
	b.slow = b.slow || dropped
	b.mu.Unlock()
	if dropped && !told {
		b.report("the program reads too slowly: the oldest frames are dropped")
	}
}

// answered takes note of an answer of the meter. b.mu is held.
func (b *Bridge) answered(frame []byte) {
	b.mode.answered(frame)
	if string(frame) == accepted || string(frame) == refused {
		b.astray = false // it hears what it is told
	}
	if !bytes.HasPrefix(frame, []byte("<POWERSPY")) || b.asked == 0 {
		return
	}
	if b.asked--; b.asked == 0 {
		b.owesNothing()
	}
}

// Client serves one client until it leaves (nil) or ctx ends (its error). One
// whose first bytes are not a request is hung up, and the meter sees nothing of
// it. It closes rw, which has to wake a Read or Write under way. It must not be called
// concurrently.
func (b *Bridge) Client(ctx context.Context, rw io.ReadWriteCloser) error {
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	b.settle(ctx)
	q := newQueue(queueSize)
	b.mu.Lock()
	b.client, b.slow, b.mode = q, false, mode{}
	b.mu.Unlock()

	var wg sync.WaitGroup
	wg.Go(func() {
		<-ctx.Done()
		_ = rw.Close() // wakes the other two; the client has left
	})
	wg.Go(func() {
		defer cancel()
		buf := make([]byte, 4096)
		for {
			n, err := q.take(ctx, buf)
			if err != nil {
				return
			}
			if _, err := rw.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 4096)
	var first opening
	for {
		n, err := rw.Read(buf)
		pass, ok := first.take(buf[:n])
		if !ok {
			b.report("disconnected a program that began with %q, which is not a request to a meter", first.seen)
			break
		}
		b.request(pass)
		if err != nil {
			break
		}
	}
	cancel()
	wg.Wait()
	b.quit()
	b.mu.Lock()
	b.client, b.left = nil, time.Now()
	b.mu.Unlock()
	return parent.Err()
}

// settle lets the meter say what it still owes a client that has just left. Its
// answer to a request of our own comes after that.
func (b *Bridge) settle(ctx context.Context) {
	settled, err := b.ask()
	if err != nil || settled == nil {
		return
	}
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case <-settled:
	case <-late.C:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owesNothing()
}

// ask asks the meter for its identity, and returns what is closed once it has
// answered that and whatever was asked before; nil when it owes nothing.
func (b *Bridge) ask() (settled <-chan struct{}, err error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	l := b.link
	owes := l != nil && b.mode.spoken && time.Since(b.left) < answerTime
	if owes {
		b.asked++
		b.settled = make(chan struct{})
		settled = b.settled
	}
	b.mu.Unlock()
	if !owes {
		return nil, nil
	}
	return settled, b.send(l, []byte("<?>"))
}

// request passes on what a client sent, or drops it when there is no link.
func (b *Bridge) request(p []byte) {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	l, streamed := b.link, b.mode.start != nil
	b.asked += b.mode.sent(p)
	b.astray = b.astray || streamed && b.mode.start == nil
	if l == nil {
		b.mode.broken() // a stream that was ended meanwhile is not started again
		b.asked = 0
	}
	b.mu.Unlock()
	if l != nil {
		_ = b.send(l, p) // a failure ends the link
	}
}

// send writes to a link, and closes it if that fails: its Read ends, and a new
// link is made. b.writing is held.
func (b *Bridge) send(l powerspy.Link, p []byte) error {
	err := write(l, p, writeTime)
	if err != nil {
		_ = l.Close() // there is a reason already
	}
	return err
}
