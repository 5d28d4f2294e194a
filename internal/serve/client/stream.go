package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/record"
)

// A stream is a connection over which a server tells what a meter measures: a
// recording without an end.
type stream struct {
	header record.Header
	reader *record.Reader
	body   io.Closer
	client *http.Client
	cancel context.CancelFunc
	timer  *time.Timer // ends it when nothing comes for too long; nil: for ever
	late   atomic.Bool // it has
}

// events begins a stream, with the windows that end after from as far as the server
// remembers them, or with the next one where from is zero. It ends with ctx, and when
// no window comes within patience, which within sets anew, and with ErrTooMuch after
// most bytes; 0: any number of them.
func (c *Client) events(ctx context.Context, name string, from time.Time, patience time.Duration, most int64) (*stream, error) {
	p := api.Events(name)
	if !from.IsZero() {
		p += "?" + url.Values{"from": {seconds(from)}}.Encode()
	}
	s := &stream{client: c.client()}
	ctx, s.cancel = context.WithCancel(ctx)
	s.within(patience)
	answer, err := c.do(ctx, s.client, http.MethodGet, p, nil)
	if err == nil {
		s.body = answer.Body
		in := io.Reader(answer.Body)
		if most > 0 {
			in = &bounded{in, most}
		}
		err = s.begin(in)
	}
	if err == nil {
		return s, nil
	}
	if s.close() {
		err = errNoWindows
	} else if errors.Is(err, record.ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	return nil, explain(c.op("connect to"), err)
}

// A bounded reader fails with ErrTooMuch where there is more.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooMuch
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// seconds writes UNIX seconds.
func seconds(t time.Time) string {
	text, _ := record.Seconds{Time: t}.MarshalJSON() // it never fails
	return string(text)
}

// begin reads the header, before which a server that waits for it sends empty lines.
func (s *stream) begin(body io.Reader) error {
	in := bufio.NewReader(body)
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != '\n' && b != '\r' {
			break
		}
	}
	if err := in.UnreadByte(); err != nil {
		return err
	}
	// A recording may be compressed, and a little of it then become without end.
	if b, err := in.Peek(1); err != nil || b[0] != '{' {
		return errors.Join(record.ErrFormat, err)
	}
	var err error
	if s.reader, err = record.NewReader(in); err != nil {
		return err
	}
	l, err := s.reader.Next()
	if err != nil {
		return err
	}
	s.header = l.Header
	return nil
}

// next returns the next line.
func (s *stream) next() (*record.Line, error) {
	l, err := s.reader.Next()
	if errors.Is(err, io.EOF) && s.reader.Torn() {
		err = io.ErrUnexpectedEOF
	}
	return l, err
}

// within sets how long the next window may be in coming; 0: for ever.
func (s *stream) within(d time.Duration) {
	switch {
	case s.timer != nil && d > 0:
		s.timer.Reset(d)
	case s.timer != nil:
		s.timer.Stop()
	case d > 0:
		s.timer = time.AfterFunc(d, func() {
			s.late.Store(true)
			s.cancel()
		})
	}
}

// close ends the stream, and returns whether it was late.
func (s *stream) close() (late bool) {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel()
	if s.body != nil {
		_ = s.body.Close() // it was only read
	}
	if s.reader != nil {
		s.reader.Close()
	}
	s.client.CloseIdleConnections()
	return s.late.Load()
}
