package powerspy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Some answers are bytes that can be any: the scanner, which looks for < and >,
// is of no use with them, and the length alone says where they end. They are
// read between two fences: identities, which are asked for and cannot be
// mistaken.

// receive returns the bytes that come next, at least one, as they come. They
// are valid until the next call.
func (c *Client) receive(ctx context.Context) ([]byte, error) {
	for {
		if p := c.scan.take(); len(p) > 0 {
			return p, nil
		}
		if err := c.hear(ctx); err != nil {
			return nil, err
		}
	}
}

// readFull fills p with the bytes that come next and returns how many of them
// came. The meter's time starts again whenever some do, within the bounds of
// await.
func (c *Client) readFull(ctx context.Context, p []byte) (n int, err error) {
	for n < len(p) {
		got, err := c.receive(ctx)
		if err != nil {
			return n, c.expired(ctx, err)
		}
		k := copy(p[n:], got)
		c.scan.feed(got[k:])
		n += k
		if err := c.await(ctx, n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// maxFenced bounds what may come before the identity of a fence: more than the
// longest answer.
const maxFenced = 1 << 20

// fence asks for the identity of the meter and returns the bytes that came
// before it. When it returns without error, the meter has answered all
// requests; what comes next are the line ends after the identity.
func (c *Client) fence(ctx context.Context) (before []byte, err error) {
	if err := c.send(ctx, "?"); err != nil {
		return nil, err
	}
	const length = 1 + identityLength + 1
	for looked := 0; ; {
		p, err := c.receive(ctx)
		if err != nil {
			return nil, c.expired(ctx, err)
		}
		before = append(before, p...)
		// The last one: those before it were asked for by fences that
		// have been given up.
		for i := len(before) - length; i >= looked; i-- {
			if before[i] != '<' || before[i+length-1] != '>' {
				continue
			}
			if id, ok := parseIdentity(before[i+1 : i+length-1]); ok {
				c.identified(id)
				c.scan.feed(p[len(p)-(len(before)-i-length):])
				return before[:i], nil
			}
		}
		looked = max(0, len(before)-length+1)
		if len(before) > maxFenced {
			return nil, newAnswerError(before, fmt.Sprintf("no identity in %d bytes", len(before)))
		}
	}
}

// fenceTries is the number of fences that are tried before a meter is believed
// to be dead.
const fenceTries = 3

// align is prepare for an answer of bytes that can be any: those that come next
// are its own, and not even the line ends of an earlier one.
func (c *Client) align(ctx context.Context) error { return c.alignTo(ctx, new([]byte)) }

// alignTo is align that tells in gap what the meter sends after an identity.
func (c *Client) alignTo(ctx context.Context, gap *[]byte) error {
	var err error
	for range fenceTries {
		if err = c.tryAlign(ctx, gap); err == nil || !isTransient(err) {
			return err
		}
	}
	return err
}

func (c *Client) tryAlign(ctx context.Context, gap *[]byte) error {
	if c.stale {
		if err := c.leaveRealtime(ctx); err != nil {
			return err
		}
	}
	// Between two identities stands what follows each of them.
	if _, err := c.fence(ctx); err != nil {
		return err
	}
	between, err := c.fence(ctx)
	if err != nil {
		return err
	}
	if !isLineEnd(between) {
		// The first identity was part of a late answer, or asked for by a
		// request given up; or the meter streams without saying so.
		c.stale = c.stale || holdsFrame(between)
		return newAnswerError(between, "bytes that nothing asked for")
	}
	*gap = between
	return c.skip(ctx, between)
}

// skip reads bytes that have to come next.
func (c *Client) skip(ctx context.Context, want []byte) error {
	p := make([]byte, len(want))
	if n, err := c.readFull(ctx, p); err != nil {
		return err
	} else if !bytes.Equal(p, want) {
		return newAnswerError(p[:n], fmt.Sprintf("not %+q", want))
	}
	return nil
}

// isTransient reports whether trying again may help.
func isTransient(err error) bool {
	return errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrNotUnderstood)
}

// holdsFrame reports whether there is a real-time frame in p.
func holdsFrame(p []byte) bool {
	s := scanner{pending: p}
	for {
		frame, ok := s.next()
		if !ok {
			return false
		}
		if _, ok := parseFrame(frame); ok {
			return true
		}
	}
}

// isLineEnd reports whether p is what meters send between frames: nothing, or a
// line end of one or two bytes, LF CR for most.
func isLineEnd(p []byte) bool {
	return len(p) <= 2 && len(bytes.Trim(p, "\r\n")) == 0
}

// isRefusal reports whether p is <Z> with nothing but a line end after it.
func isRefusal(p []byte) bool {
	p = bytes.TrimRight(p, "\r\n")
	return len(p) > 2 && p[0] == '<' && p[len(p)-1] == '>' && isRefused(p[1:len(p)-1])
}
