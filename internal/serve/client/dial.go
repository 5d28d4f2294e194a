package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// dialTime bounds connecting, and handshakeTime what TLS needs after that.
	dialTime      = 5 * time.Second
	handshakeTime = 5 * time.Second

	// answerTime bounds how long an answer may be in coming.
	answerTime = 10 * time.Second

	// quiet is how long a connection may be silent, over which a server sends
	// something every few seconds, before it is taken for dead.
	quiet = 10 * time.Second
)

// transport makes connections to the server. No proxy of the environment gets to
// see what is measured, or the password.
func (c *Client) transport() *http.Transport {
	t := &tls.Config{RootCAs: c.login.Roots, MinVersion: tls.VersionTLS12}
	if c.login.Certificate != nil {
		t.Certificates = []tls.Certificate{*c.login.Certificate}
	}
	return &http.Transport{
		DialContext:         c.dialContext,
		TLSClientConfig:     t,
		TLSHandshakeTimeout: handshakeTime, ResponseHeaderTimeout: answerTime,
		MaxConnsPerHost: 1, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
}

func (c *Client) dialContext(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := c.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := c.admit(conn); err != nil {
		_ = conn.Close() // nothing was sent
		return nil, err
	}
	return &lively{conn}, nil
}

// dialServer connects to a unix socket that can be trusted, or to a TCP port.
func (c *Client) dialServer(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	path := c.login.Server.Socket
	if path == "" {
		return d.DialContext(ctx, "tcp", address)
	}
	if err := trustSocket(path, os.Getuid()); err != nil {
		return nil, err
	}
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := trustPeer(conn, os.Getuid()); err != nil {
		_ = conn.Close() // nothing was sent
		return nil, err
	}
	return conn, nil
}

// admit sees to it that no password crosses a network in the clear.
func (c *Client) admit(conn net.Conn) error {
	s := &c.login.Server
	if c.login.Password == "" || s.Socket != "" || isTLS(s.URL) {
		return nil
	}
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return nil
	}
	return ErrPlain
}

// trust says whether what belongs to a user can be trusted by another.
func trust(owner, me int) error {
	if owner == me || owner == 0 {
		return nil
	}
	return fmt.Errorf("%w (user %d)", ErrForeign, owner)
}

// A lively connection ends when it is silent for too long.
type lively struct{ net.Conn }

func (c *lively) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(quiet)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
