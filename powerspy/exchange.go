package powerspy

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"
)

// A verdict is what a request makes of a frame.
type verdict uint8

const (
	skip   verdict = iota // not meant for this request
	accept                // the answer
	refuse                // <Z>
	reject                // no possible answer
)

// exchange sends one request, without its < and >, and hands frames to judge
// until that settles it. The frame is valid only during the call.
func (c *Client) exchange(ctx context.Context, request string, judge func(frame []byte) verdict) error {
	// What was here before the request cannot answer it.
	c.scan.discard()

	synced := c.synced
	if err := c.send(ctx, request); err != nil {
		return err
	}
	longest := maxFrame
	for {
		for {
			frame, ok := c.scan.next()
			if !ok {
				break
			}
			switch judge(frame) {
			case accept:
				c.synced = synced
				if synced {
					c.timed(c.arrival.Sub(c.sent))
				}
				return nil
			case refuse:
				c.synced = synced
				return ErrRefused
			case reject:
				return newAnswerError(frame, "")
			case skip:
				if _, ok := parseFrame(frame); ok {
					c.stale = true
				}
			}
		}
		// A long answer has its time again while it keeps coming.
		if n := c.scan.partialLength(); n > longest {
			longest = n
			if err := c.await(ctx, n); err != nil {
				return err
			}
		}
		if err := c.hear(ctx); err != nil {
			return c.expired(ctx, err)
		}
	}
}

// send sends one request, without its < and >, and gives the meter its time
// to answer from now on. The client is not synchronised until it has.
func (c *Client) send(ctx context.Context, request string) error {
	if c.failed != nil {
		return c.failed
	}
	deadline := time.Now().Add(c.timeout)
	if err := c.hearUntil(deadline); err != nil {
		return err
	}
	if err := c.link.SetWriteDeadline(deadline); err != nil {
		return c.fail(err)
	}
	// The watcher may have acted before the deadlines above did: only a
	// look at the context after them is sure to see it.
	if err := ctx.Err(); err != nil {
		return err
	}
	c.synced = false
	if err := c.write("<" + request + ">"); err != nil {
		return c.expired(ctx, err)
	}
	return nil
}

// exchangeLong is exchange for an answer of no fixed length, up to limit bytes
// inside. The meter's time starts again whenever more of it comes.
func (c *Client) exchangeLong(ctx context.Context, request string, limit int, judge func(frame []byte) verdict) error {
	c.scan.limit = limit
	defer c.scan.shrink()
	return c.exchange(ctx, request, judge)
}

// An answer of many bytes has Config.Timeout between its pieces and, so that it
// ends also when they are small, patience times that and a second for each
// slowest bytes in all. Meters send some ten thousand bytes a second.
const (
	patience = 5
	slowest  = 512
)

// await gives the meter its time to say more from now on, after it has said got
// bytes in answer to the latest request.
func (c *Client) await(ctx context.Context, got int) error {
	deadline := time.Now().Add(c.timeout)
	end := c.sent.Add(patience*c.timeout + time.Duration(got)*time.Second/slowest)
	if end.Before(deadline) {
		deadline = end
	}
	if err := c.hearUntil(deadline); err != nil {
		return err
	}
	return ctx.Err() // for the order see send
}

// hearUntil sets when an answer has to have come.
func (c *Client) hearUntil(deadline time.Time) error {
	c.deadline = deadline
	return c.fail(c.link.SetReadDeadline(deadline))
}

// A process that was held up, as on a machine that was paused or swaps, finds its
// deadline passed by more than heldUp, and has not listened until then. So the meter
// has a moment again, up to reprieves times: what it has sent is still to be read.
const (
	heldUp        = 10 * time.Millisecond
	reprieves     = 3
	leastMoment   = 250 * time.Millisecond
	longestMoment = time.Second
)

// hear is fill for an answer.
func (c *Client) hear(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := c.fill()
		now := time.Now()
		late := now.Sub(c.deadline)
		if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil || late < heldUp || tries == reprieves {
			return err
		}
		if err := c.hearUntil(now.Add(min(max(late, leastMoment), longestMoment))); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err // for the order see send
		}
	}
}

// prepare makes sure that the next answer is the answer to the next request,
// and that the meter does not go on streaming to a client that is gone: in
// real-time mode it does not obey every request, and not every answer can be
// told from its frames.
func (c *Client) prepare(ctx context.Context) error {
	if err := c.synchronise(ctx); err != nil || !c.stale {
		return err
	}
	return c.leaveRealtime(ctx)
}

// leaveRealtime ends real-time mode (request Q). A refusal means that it was off.
func (c *Client) leaveRealtime(ctx context.Context) error {
	if err := c.exchange(ctx, "Q", judgeDone); err != nil && !errors.Is(err, ErrRefused) {
		return err
	}
	c.stale = false
	return nil
}

// ask runs f, which asks for something and changes nothing on the meter, and
// again as Config.Retries says. f has to synchronise the client first: the
// answer to an earlier try may still be on its way.
func (c *Client) ask(f func() error) (err error) {
	for range 1 + c.retries {
		if err = f(); !isTransient(err) {
			break
		}
	}
	return err
}

// command makes a request that is answered by <K> or <Z>.
func (c *Client) command(ctx context.Context, op, request string) error {
	return c.request(ctx, op, func() error { return c.order(ctx, request) })
}

// commandV2 is command for what only meters of the second generation can do.
func (c *Client) commandV2(ctx context.Context, op, request string) error {
	return c.request(ctx, op, func() error {
		if err := c.needs(ctx, V2); err != nil {
			return err
		}
		return c.order(ctx, request)
	})
}

// order is command for the owner of the link.
func (c *Client) order(ctx context.Context, request string) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	return c.exchange(ctx, request, judgeDone)
}

// isDone reports whether frame says that the meter did it. The specification
// prints <K.> for some requests; meters send <K>.
func isDone(frame []byte) bool { return string(frame) == "K" || string(frame) == "K." }

// isRefused reports whether frame says that the meter will not.
func isRefused(frame []byte) bool { return string(frame) == "Z" || string(frame) == "Z." }

// isStray reports whether frame belongs to no request: a real-time frame, or
// an identity that was asked for by a request given up. No answer but a
// real-time frame holds spaces, so a damaged one is known by them.
func isStray(frame []byte) bool {
	return slices.Contains(frame, ' ') || isIdentity(frame)
}

// isOther reports whether frame has the form of the answer to some request of
// this package other than ?.
func isOther(frame []byte) bool {
	if isDone(frame) || isRefused(frame) {
		return true
	}
	_, isByte := parseByte(frame)
	_, isCount := parseFrequency(frame)
	_, isTime := parseClock(frame)
	return isByte || isCount || isTime || isList(frame) || isCapture(frame)
}

// judgeDone is the verdict of requests answered by <K> or <Z>.
func judgeDone(frame []byte) verdict {
	if isDone(frame) {
		return accept
	}
	return judgeOther(frame)
}

// judgeOther is the verdict on a frame that is not the answer.
func judgeOther(frame []byte) verdict {
	switch {
	case isRefused(frame):
		return refuse
	case isStray(frame):
		return skip
	}
	return reject
}
