package powerspy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// blockSize is the size of a block of a file (§3.4.15).
const blockSize = 2048

// blockRetries is how often a block that did not come whole is asked for again.
const blockRetries = 3

// ReadFile reads a file from the SD card and writes it to w (request X,
// §3.4.15). The file is one of [Client.ListFiles]: its name and its size are
// needed, as the meter says neither where a file ends nor that there is none.
// After each block, progress, if not nil, is told how many bytes have been
// written. V1 meters have no SD card: the error is [ErrNotSupported]. A name
// that is not six characters and .DAT, and a size beyond [MaxFileSize], are
// [ErrOutOfRange].
//
// A block that does not come within Config.Timeout, or not whole, is asked for
// again up to three times; what comes late is told apart. One that comes at
// under some hundred bytes a second is given up, too. Nil means that the
// file has exactly the size it should, from its < to its >. After an error
// what has been written is of no use. A file that is gone, or shorter or
// longer than its size, is an error: [ErrRefused], [ErrNoAnswer] or
// [ErrNotUnderstood], as the meter puts it. An error of w is returned wrapped.
//
// All other requests wait until the file has been read. Ending ctx ends the
// transfer between two bytes and leaves the client usable.
func (c *Client) ReadFile(ctx context.Context, f File, w io.Writer, progress func(written int64)) error {
	op := fmt.Sprintf("read file %q", f.Name)
	name, err := stem(f.Name)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if f.Size < 0 || f.Size > MaxFileSize {
		return &Error{Op: op, Err: fmt.Errorf("%d bytes, not 0 to %d: %w", f.Size, MaxFileSize, ErrOutOfRange)}
	}
	t := transfer{client: c, name: name, stream: f.Size + 2}
	return c.request(ctx, op, func() error {
		if c.who == nil {
			// What aligns the link says what meter it is.
			if err := t.align(ctx); err != nil {
				return err
			}
			t.aligned = c.who != nil
		}
		if err := c.needs(ctx, V2); err != nil {
			return err
		}
		return t.run(ctx, w, progress)
	})
}

// A transfer reads the blocks of one file. What the meter sends for block k is
// the k-th piece of 2048 bytes of the stream <content>, without anything that
// says which it is. So every byte must be accounted for: the link is aligned
// before the first block and after whatever goes wrong, and a fence behind the
// first block, the last, and any that was asked for again proves that nothing
// but the block was there. A transfer in which nothing goes wrong needs no
// other exchanges. If something does, the blocks since the last fence are proven
// when nothing has come for the next, or its beginning.
type transfer struct {
	client *Client
	name   string
	stream int64 // length of <content>

	aligned bool
	gap     []byte // what the meter sends after an identity, once aligned

	// trailer is what the meter sends after a block that is not the last; it
	// is known after the first.
	trailer []byte
	known   bool

	unproven bool   // there was no fence behind the last block
	came     []byte // what came instead of a block

	buf [blockSize + 2]byte
}

func (t *transfer) run(ctx context.Context, w io.Writer, progress func(int64)) error {
	var written int64
	for k := range t.blocks() {
		p, err := t.block(ctx, k)
		if err != nil {
			return err
		}
		if k == 0 {
			p = p[1:] // the <
		}
		if k == t.blocks()-1 {
			p = p[:len(p)-1] // the >
		}
		n, err := w.Write(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("write after %d bytes: %w", written, err)
		}
		written += int64(n)
		if progress != nil {
			progress(written)
		}
	}
	return nil
}

func (t *transfer) align(ctx context.Context) error { return t.client.alignTo(ctx, &t.gap) }

func (t *transfer) blocks() int { return int((t.stream + blockSize - 1) / blockSize) }

// length returns the length of block k.
func (t *transfer) length(k int) int { return int(min(blockSize, t.stream-int64(k)*blockSize)) }

// block returns block k, valid until the next call.
func (t *transfer) block(ctx context.Context, k int) ([]byte, error) {
	var err error
	var suspect []byte
	for range 1 + blockRetries {
		fenced := !t.aligned || k == 0 || k == t.blocks()-1
		if !t.aligned {
			if err := t.align(ctx); err != nil {
				return nil, t.failed(k, err)
			}
		}
		t.aligned = false
		if err = t.try(ctx, k, fenced); err == nil {
			p := t.buf[:t.length(k)]
			if !bytes.HasPrefix(p, suspect) {
				return nil, t.failed(k, newAnswerError(suspect, "bytes that nothing asked for, before this block or an earlier one"))
			}
			t.aligned, t.unproven = true, !fenced
			return p, nil
		}
		if t.unproven {
			t.unproven = false
			suspect = bytes.Clone(t.came)
		}
		if !isTransient(err) {
			break
		}
	}
	return nil, t.failed(k, err)
}

func (t *transfer) failed(k int, err error) error {
	return fmt.Errorf("block %d of %d: %w", k+1, t.blocks(), err)
}

// try asks for block k once, and has a fence behind it if it should.
func (t *transfer) try(ctx context.Context, k int, fenced bool) error {
	c, last := t.client, k == t.blocks()-1
	want := t.length(k)
	if !last {
		want += len(t.trailer)
	}
	t.came = nil
	if err := c.send(ctx, fmt.Sprintf("X%s %04X", t.name, k)); err != nil {
		return err
	}
	n, err := c.readFull(ctx, t.buf[:want])
	t.came = t.buf[:n]
	switch p := t.buf[:n]; {
	case err != nil && errors.Is(err, ErrNoAnswer) && isRefusal(p):
		return ErrRefused
	case err != nil && errors.Is(err, ErrNoAnswer) && n > 0:
		return newAnswerError(p, fmt.Sprintf("%d bytes, not %d", n, want))
	case err != nil:
		return err
	case !last && !bytes.Equal(p[blockSize:], t.trailer):
		return newAnswerError(p[blockSize:], "not what followed the first block")
	}
	if fenced {
		if err := t.fence(ctx, t.buf[:n], last); err != nil {
			return err
		}
	}
	if k == 0 && t.buf[0] != '<' {
		return newAnswerError(t.buf[:n], "no < before the content")
	}
	if last && t.buf[n-1] != '>' {
		return newAnswerError(t.buf[:n], "no > after the content")
	}
	return nil
}

// fence makes sure that the block p was all that came.
func (t *transfer) fence(ctx context.Context, p []byte, last bool) error {
	rest, err := t.client.fence(ctx)
	if err != nil {
		return err
	}
	t.came = append(slices.Clip(p), rest...)
	switch {
	case isLineEnd(rest) && last:
	case isLineEnd(rest) && !t.known:
		t.trailer, t.known = rest, true
	case len(rest) == 0:
	case isRefusal(t.came):
		return ErrRefused
	default:
		return newAnswerError(rest, fmt.Sprintf("bytes beyond a block of %d", len(p)))
	}
	return t.client.skip(ctx, t.gap)
}
