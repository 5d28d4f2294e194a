package powerspy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A faultyLink fails as told. An empty read list is a link that is silent
// until its deadline.
type faultyLink struct {
	reads    []readResult
	write    error
	short    bool
	deadline error
	expired  time.Time
}

type readResult struct {
	text string
	err  error
}

func (l *faultyLink) Read(p []byte) (int, error) {
	if len(l.reads) == 0 {
		<-time.After(time.Until(l.expired))
		return 0, os.ErrDeadlineExceeded
	}
	r := l.reads[0]
	if len(l.reads) > 1 {
		l.reads = l.reads[1:]
	}
	return copy(p, r.text), r.err
}

func (l *faultyLink) Write(p []byte) (int, error) {
	if l.write != nil {
		return 0, l.write
	}
	if l.short {
		return len(p) - 1, nil
	}
	return len(p), nil
}

func (l *faultyLink) SetReadDeadline(t time.Time) error {
	l.expired = t
	return l.deadline
}
func (l *faultyLink) SetWriteDeadline(time.Time) error { return l.deadline }
func (l *faultyLink) Close() error                     { return nil }

// What the package comment promises: every error is an *Error that matches
// exactly one of the sentinels, and the cause with it.
func TestErrorPromise(t *testing.T) {
	sentinels := []error{
		ErrLink, ErrRefused, ErrNotUnderstood, ErrNoAnswer, ErrClosed, ErrStreaming, ErrStopped,
		ErrOutOfRange, ErrUncalibrated, ErrNotSupported, context.Canceled, context.DeadlineExceeded,
	}
	frequency := func(ctx context.Context, c *Client) error {
		_, err := c.Frequency(ctx)
		return err
	}
	identity := readResult{text: "<" + v2Identity + ">"}
	old := readResult{text: "<" + goldenIdentity + ">"} // of V1
	tests := []struct {
		name    string
		link    *faultyLink
		do      func(context.Context, *Client) error // Frequency if nil
		want    error
		cause   error // besides
		timeout bool
	}{
		{name: "end of file", link: &faultyLink{reads: []readResult{{err: io.EOF}}}, want: ErrLink, cause: io.EOF},
		{name: "reset", link: &faultyLink{reads: []readResult{identity, identity, {err: syscall.ECONNRESET}}}, want: ErrLink, cause: syscall.ECONNRESET},
		// The kernel's ETIMEDOUT is no deadline of ours.
		{name: "link timed out", link: &faultyLink{reads: []readResult{{err: &net.OpError{Op: "read", Err: syscall.ETIMEDOUT}}}}, want: ErrLink, cause: syscall.ETIMEDOUT},
		{name: "dry reads", link: &faultyLink{reads: []readResult{{}}}, want: ErrLink, cause: io.ErrNoProgress},
		{name: "write", link: &faultyLink{write: syscall.EPIPE}, want: ErrLink, cause: syscall.EPIPE},
		{name: "short write", link: &faultyLink{short: true}, want: ErrLink, cause: io.ErrShortWrite},
		{name: "write deadline", link: &faultyLink{write: os.ErrDeadlineExceeded}, want: ErrNoAnswer, cause: os.ErrDeadlineExceeded, timeout: true},
		{name: "no deadlines", link: &faultyLink{deadline: os.ErrNoDeadline}, want: ErrLink, cause: os.ErrNoDeadline},
		{name: "no answer", link: &faultyLink{}, want: ErrNoAnswer, cause: os.ErrDeadlineExceeded, timeout: true},
		{name: "refused", link: &faultyLink{reads: []readResult{identity, identity, {text: "<Z>"}}}, want: ErrRefused},
		{name: "not understood", link: &faultyLink{reads: []readResult{identity, identity, {text: "<K>"}}}, want: ErrNotUnderstood},
		{name: "bytes with the end", link: &faultyLink{reads: []readResult{identity, identity, {text: "<Z>", err: io.EOF}}}, want: ErrRefused},
		{name: "context canceled", link: &faultyLink{}, want: context.Canceled, do: func(ctx context.Context, c *Client) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return frequency(ctx, c)
		}},
		{name: "context deadline", link: &faultyLink{}, want: context.DeadlineExceeded, timeout: true, do: func(ctx context.Context, c *Client) error {
			ctx, cancel := context.WithDeadline(ctx, past)
			defer cancel()
			return frequency(ctx, c)
		}},
		{name: "closed", link: &faultyLink{}, want: ErrClosed, cause: os.ErrClosed, do: func(ctx context.Context, c *Client) error {
			return errors.Join(c.Close(), frequency(ctx, c))
		}},
		{name: "out of range", link: &faultyLink{reads: []readResult{old, old}}, want: ErrOutOfRange, do: func(ctx context.Context, c *Client) error {
			_, err := c.StartRealtime(ctx, 101)
			return err
		}},
		{name: "not supported", link: &faultyLink{reads: []readResult{old, old}}, want: ErrNotSupported, cause: errors.ErrUnsupported, do: func(ctx context.Context, c *Client) error {
			_, err := c.Clock(ctx, time.UTC)
			return err
		}},
		{name: "capture not understood", link: &faultyLink{reads: []readResult{identity, {text: "<A!>"}}}, want: ErrNotUnderstood, do: func(ctx context.Context, c *Client) error {
			_, err := c.ReadCapture(ctx, 1)
			return err
		}},
		{name: "file: no answer", link: &faultyLink{}, want: ErrNoAnswer, cause: os.ErrDeadlineExceeded, timeout: true, do: func(ctx context.Context, c *Client) error {
			_, err := read(ctx, c, 10)
			return err
		}},
		{name: "file: link cut", link: &faultyLink{reads: []readResult{identity, identity, {text: "<abc"}, {err: syscall.ECONNRESET}}}, want: ErrLink, cause: syscall.ECONNRESET, do: func(ctx context.Context, c *Client) error {
			_, err := read(ctx, c, 10)
			return err
		}},
		{name: "streaming", link: &faultyLink{reads: []readResult{identity, identity, {text: "<K>"}}}, want: ErrStreaming, do: func(ctx context.Context, c *Client) error {
			_, err := c.StartRealtime(ctx, 50)
			return errors.Join(err, frequency(ctx, c))
		}},
		{name: "stream cut", link: &faultyLink{reads: []readResult{identity, identity, {text: "<K>"}, {err: io.EOF}}}, want: ErrLink, cause: io.EOF, do: func(ctx context.Context, c *Client) error {
			r, err := c.StartRealtime(ctx, 50)
			if err != nil {
				return err
			}
			_, err = r.Next(time.Time{})
			return err
		}},
		{name: "uncalibrated", link: &faultyLink{}, want: ErrUncalibrated, do: func(context.Context, *Client) error {
			_, _, err := Calibrations{}.InForce()
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				do := tt.do
				if do == nil {
					do = frequency
				}
				err := do(t.Context(), NewClient(tt.link, nil))
				var e *Error
				if !errors.As(err, &e) || e.Op == "" {
					t.Fatalf("unexpected error: %v, want an *Error", err)
				}
				for _, s := range sentinels {
					if got := errors.Is(err, s); got != (s == tt.want) {
						t.Errorf("%v: matches %q: %v", err, s, got)
					}
				}
				if tt.cause != nil && !errors.Is(err, tt.cause) {
					t.Errorf("%v: does not match the cause %q", err, tt.cause)
				}
				if e.Timeout() != tt.timeout {
					t.Errorf("%v: Timeout is %v", err, e.Timeout())
				}
			})
		})
	}
}

// The first failure of the link is final.
func TestLinkFailureStays(t *testing.T) {
	l := &faultyLink{reads: []readResult{{err: syscall.ECONNRESET}, {text: "<" + v2Identity + ">"}}}
	c := NewClient(l, nil)
	for range 3 {
		if _, err := c.Identity(t.Context()); !errors.Is(err, ErrLink) || !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("unexpected error: %v", err)
		}
	}
}

func TestErrorText(t *testing.T) {
	long := bytes.Repeat([]byte("A"), 1000)
	tests := []struct {
		err  error
		want string
	}{
		{&Error{Op: "read EEPROM 0x0e", Err: ErrNoAnswer}, "read EEPROM 0x0e: the meter did not answer in time"},
		{newAnswerError([]byte("K\x00"), ""), `the meter's answer was not understood: <"K\x00">`},
		{newAnswerError([]byte("F1F40"), "too fast"), `the meter's answer was not understood: <"F1F40">: too fast`},
		{newAnswerError(long, ""), `the meter's answer was not understood: <"` + strings.Repeat("A", 64) + `">`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("unexpected text: %s, want %s", got, tt.want)
		}
	}
}
