package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// A Login says where a server is and how to be let in.
type Login struct {
	Server   meter.Server
	User     string         // in the place of Server.User
	Password string         // empty: there is none
	Roots    *x509.CertPool // who may sign the server's certificate; nil: whom the system trusts

	// Certificate is what this client shows to a server that asks for one; nil: none.
	Certificate *tls.Certificate
}

// A Client asks a server. Its methods may be called concurrently.
type Client struct {
	login Login
	base  string // URL
	dial  func(ctx context.Context, address string) (net.Conn, error)
	ask   *http.Client // one connection, for requests that are answered at once
	most  int64        // see maxRemembered
}

// New returns a client. Nothing is connected to. Close it.
func New(l Login) *Client {
	c := &Client{login: l, base: l.Server.URL, most: maxRemembered}
	if l.Server.Socket != "" {
		c.base = "http://localhost"
	}
	c.dial = c.dialServer
	c.ask = c.client()
	return c
}

func isTLS(url string) bool { return strings.HasPrefix(url, "https:") }

// client returns a client of HTTP that stays where it is.
func (c *Client) client() *http.Client {
	return &http.Client{
		Transport:     c.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes the connections that wait for requests.
func (c *Client) Close() { c.ask.CloseIdleConnections() }

// maxAnswer and maxWords bound what is read of an answer, and of what it says of an
// error, in bytes.
const (
	maxAnswer = 4 << 20
	maxWords  = 4 << 10
)

// do sends a request. The answer is one of success, and has to be closed.
func (c *Client) do(ctx context.Context, h *http.Client, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.login.Password != "" {
		r.SetBasicAuth(c.login.User, c.login.Password)
	}
	answer, err := h.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 3 {
		return nil, ErrRedirect
	}
	return nil, refusal(answer)
}

// wantsTLS is what net/http answers in the clear on a port of TLS.
const wantsTLS = "HTTP request to an HTTPS server"

// refusal returns what the server says of a failure.
func refusal(answer *http.Response) error {
	e := &StatusError{Status: answer.StatusCode}
	var said api.Error
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxWords))
	switch {
	case err == nil && json.Unmarshal(text, &said) == nil:
		e.Text = harmless.Text(said.Error)
	case e.Status == http.StatusBadRequest && bytes.Contains(text, []byte(wantsTLS)):
		return ErrWantsTLS
	}
	return e
}

// get asks for a value.
func (c *Client) get(ctx context.Context, path string, value any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := c.do(ctx, c.ask, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	return nil
}

// Meters returns the server's meters.
func (c *Client) Meters(ctx context.Context) ([]api.Meter, error) {
	var list []api.Meter
	err := c.get(ctx, api.Meters, &list)
	if e, ok := errors.AsType[*StatusError](err); ok && e.Status == http.StatusNotFound {
		err = ErrNoServer
	}
	return list, explain(c.op("connect to"), err)
}

// Meter returns the meter that is named, or the only one.
func (c *Client) Meter(ctx context.Context) (api.Meter, error) {
	return c.named(ctx, c.login.Server.Meter)
}

// named is Meter for another name.
func (c *Client) named(ctx context.Context, name string) (api.Meter, error) {
	list, err := c.Meters(ctx)
	if err != nil {
		return api.Meter{}, err
	}
	m, err := choose(list, name)
	return m, explain(c.op("connect to"), err)
}

func choose(list []api.Meter, name string) (api.Meter, error) {
	names := make([]string, len(list))
	for i, m := range list {
		if m.Name == name {
			return m, nil
		}
		names[i] = harmless.Text(m.Name)
	}
	switch {
	case len(list) == 0:
		return api.Meter{}, ErrNoMeters
	case name != "":
		return api.Meter{}, &UnknownError{name, names}
	case len(list) > 1:
		return api.Meter{}, &SeveralError{names}
	}
	return list[0], nil
}

// SetMark sets a mark at the meter that is named, or the only one. The server's clock
// is that of its meter's readings: a mark without a Time is of when the server gets
// it, another one of so long before as its Time is past here.
func (c *Client) SetMark(ctx context.Context, m measure.Mark) error {
	at, err := c.Meter(ctx)
	if err != nil {
		return err
	}
	mark := api.NewMark{Name: m.Name, End: m.End}
	if !m.Time.IsZero() {
		var there api.Time
		if err := c.get(ctx, api.Clock, &there); err != nil {
			return err
		}
		mark.Time = &record.Seconds{Time: there.Transmit.Add(-time.Since(m.Time))}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := c.do(ctx, c.ask, http.MethodPost, api.Marks(at.Name), mark)
	if err != nil {
		return explain(c.op("set a mark at"), err)
	}
	return answer.Body.Close()
}

func (c *Client) op(what string) string { return what + " " + c.login.Server.String() }
