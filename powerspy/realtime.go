package powerspy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// MaxPeriods returns the longest averaging window in mains periods: 100 for V1,
// 65535 for V2 (§3.4.6). Users of V2 meters have seen no frames at all with
// windows of more than two seconds.
func (g Generation) MaxPeriods() int {
	if g == V1 {
		return 100
	}
	return 65535
}

// A Realtime is a running real-time stream: the meter sends one frame every
// so many mains periods. It comes from [Client.StartRealtime].
type Realtime struct {
	client  *Client
	ctx     context.Context
	watch   *watch
	periods int
	sent    time.Time
	begun   time.Time
	framed  bool // a frame came

	broken   uint64 // of the scanner, as far as counted in rejected
	rejected atomic.Uint64

	interrupting sync.Once
	stopping     atomic.Bool
	stopped      bool // for the owner of the link: the meter has confirmed it
}

// StartRealtime makes the meter send frames that average the given number of
// mains periods (request J, §3.4.6). Outside of 1 to [Generation.MaxPeriods]
// the error is [ErrOutOfRange].
//
// ctx governs the whole stream: when it ends, Next returns its error. The
// meter goes on sending, though, until [Realtime.Stop]. Until then all other
// requests of the client fail with [ErrStreaming].
//
// If StartRealtime fails other than with [ErrRefused], the meter may be
// streaming none the less: call [Client.Stop].
func (c *Client) StartRealtime(ctx context.Context, periods int) (*Realtime, error) {
	const op = "start the real-time stream"
	r := &Realtime{client: c, ctx: ctx, periods: periods}
	err := c.request(ctx, op, func() error {
		g, err := c.generation(ctx)
		if err != nil {
			return err
		}
		if limit := g.MaxPeriods(); periods < 1 || periods > limit {
			return fmt.Errorf("windows of %d mains periods, not 1 to %d: %w", periods, limit, ErrOutOfRange)
		}
		digits := 4
		if g == V1 {
			digits = 2
		}
		if err := c.synchronise(ctx); err != nil {
			return err
		}
		if err := c.exchange(ctx, fmt.Sprintf("J%0*X", digits, periods), judgeDone); err != nil {
			return err
		}
		r.sent, r.begun = c.sent, c.arrival
		r.broken = c.scan.broken
		r.watch = watchContext(ctx, c.interruptRead)
		c.stream.Store(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.isClosed() {
		// Close may have come before it could see the stream.
		r.watch.join()
	}
	return r, nil
}

// Periods returns the length of the averaging window in mains periods.
func (r *Realtime) Periods() int { return r.periods }

// Began returns the moments between which the first window began: just before
// the request was sent, and just after its answer was received.
func (r *Realtime) Began() (sent, acknowledged time.Time) { return r.sent, r.begun }

// Rejected returns the number of frames so far that came damaged and were
// skipped. It is what could be told apart: bytes lost from the middle of the
// stream can make one broken frame out of two. It may be called at any time.
func (r *Realtime) Rejected() uint64 { return r.rejected.Load() }

// A RealtimeFrame is a frame that arrived.
type RealtimeFrame struct {
	Frame
	Arrival time.Time // with a monotonic reading

	// First says that no frame came before it since the request J. It is no
	// measurement: meters sum freely in blocks of 50 mains periods, and J does
	// not clear the sums, so that the means of the first frame are too large by
	// a whole factor of 1 to 50 while its peaks are right (so in recordings of
	// 1042 streams of real meters; not in the specification). Its arrival still
	// says when a window ended. A meter may leave it out; what comes first is
	// marked all the same.
	First bool
}

// errNoFrame is made once, since a reader with short deadlines meets it often.
var errNoFrame = &Error{Op: opNext, Err: os.ErrDeadlineExceeded}

const opNext = "read the real-time stream"

// Next returns the next frame. Frames that arrive together have the same time.
// One whose rms stands above its peak, but for the first, is damaged and
// skipped.
//
// If no whole frame comes before the deadline the error matches
// [os.ErrDeadlineExceeded], and Next may be called again: of a frame that is
// half there nothing is lost. The zero deadline is none. A frame that is
// already there is returned even if the deadline has passed.
func (r *Realtime) Next(deadline time.Time) (RealtimeFrame, error) {
	c := r.client
	if err := c.lock(r.ctx); err != nil {
		return RealtimeFrame{}, &Error{Op: opNext, Err: err}
	}
	f, err := r.next(deadline)
	c.unlock()
	switch {
	case err == nil:
		return f, nil
	case c.isClosed():
		err = ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return RealtimeFrame{}, errNoFrame
	}
	return RealtimeFrame{}, &Error{Op: opNext, Err: err}
}

func (r *Realtime) next(deadline time.Time) (RealtimeFrame, error) {
	c := r.client
	if r.stopping.Load() {
		return RealtimeFrame{}, ErrStopped
	}
	for armed := false; ; {
		for {
			p, ok := c.scan.next()
			if n := c.scan.broken - r.broken; n > 0 {
				r.broken += n
				r.rejected.Add(n)
			}
			if !ok {
				break
			}
			f, ok := parseFrame(p)
			if first := !r.framed; ok && (first || f.possible()) {
				r.framed = true
				return RealtimeFrame{Frame: f, Arrival: c.arrival, First: first}, nil
			}
			r.rejected.Add(framesIn(p))
		}
		if !armed {
			if err := c.link.SetReadDeadline(deadline); err != nil {
				return RealtimeFrame{}, c.fail(err)
			}
			// Whoever interrupts may have done so just before the deadline
			// was set; only a look after it is sure to see that.
			if err := r.interrupted(); err != nil {
				return RealtimeFrame{}, err
			}
			armed = true
		}
		if err := c.fill(); errors.Is(err, os.ErrDeadlineExceeded) {
			if err := r.interrupted(); err != nil {
				return RealtimeFrame{}, err
			}
			return RealtimeFrame{}, os.ErrDeadlineExceeded
		} else if err != nil {
			return RealtimeFrame{}, err
		}
	}
}

// framesIn returns of how many frames a damaged one was made. The meter ends
// lines between frames only: a line end inside shows that a > and the next <
// were lost.
func framesIn(p []byte) uint64 {
	if bytes.ContainsAny(bytes.TrimRight(p, "\r\n"), "\r\n") {
		return 2
	}
	return 1
}

// interrupted returns why Next must not block.
func (r *Realtime) interrupted() error {
	if r.stopping.Load() {
		return ErrStopped
	}
	return r.ctx.Err()
}

// interrupt makes Next return for good. When interrupt returns, it has been
// done, whoever did it: it cannot disturb the request that follows.
func (r *Realtime) interrupt() {
	r.interrupting.Do(func() {
		r.stopping.Store(true)
		r.client.interruptRead()
	})
}

// Stop ends real-time mode (request Q, §3.4.7) and skips the frames still in
// flight. A blocked Next returns [ErrStopped]. Stop has a context of its own,
// and so works after that of the stream has ended. After an error it may be
// called again; once the stream has been stopped it does nothing.
func (r *Realtime) Stop(ctx context.Context) error { return r.client.stop(ctx, r) }

// Stop ends real-time mode, be it that of this client's [Realtime] or of an
// earlier client that died and left the meter streaming. The meter's refusal
// counts as success: it had nothing to stop. After an error the meter may go on
// sending.
func (c *Client) Stop(ctx context.Context) error { return c.stop(ctx, nil) }

// stop is Stop for one stream or, if only is nil, for any.
func (c *Client) stop(ctx context.Context, only *Realtime) error {
	const op = "stop the real-time stream"
	if r := c.stream.Load(); r != nil && (only == nil || only == r) {
		r.interrupt()
	}
	if err := c.lock(ctx); err != nil {
		return &Error{Op: op, Err: err}
	}
	defer c.unlock()

	r := c.stream.Load()
	if only != nil && (only.stopped || r != nil && r != only) {
		return nil
	}
	if r == nil {
		r = only
	} else {
		r.interrupt()
		r.watch.join()
		c.stream.Store(nil)
	}

	err := c.guard(ctx, op, func() error {
		// Even an unsynchronised client sends Q first: the meter should
		// stop whatever else goes wrong. An earlier <K> may then be taken
		// for the answer, but not the identity that is asked for next.
		synced := c.synced
		if err := c.leaveRealtime(ctx); err != nil || synced {
			return err
		}
		return c.synchronise(ctx)
	})
	if r != nil {
		r.stopped = err == nil
	}
	return err
}
