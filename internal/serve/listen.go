package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

// A Kind says who can reach a listener.
type Kind uint8

// Kinds of listeners.
const (
	Unix     Kind = iota // a Unix socket: who may open its file
	Loopback             // TCP: every user of this machine
	Network              // TCP: other machines, too
)

// A Listener is where connections come from.
type Listener struct {
	net.Listener
	Kind Kind
}

// NewListener returns a listener of the kind that its address is of. The error is
// that it is neither a Unix socket of streams nor a TCP port.
func NewListener(l net.Listener) (*Listener, error) {
	switch a := l.Addr().(type) {
	case *net.UnixAddr:
		if a.Net == "unix" {
			return &Listener{l, Unix}, nil
		}
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return &Listener{l, Loopback}, nil
		}
		return &Listener{l, Network}, nil
	}
	return nil, fmt.Errorf("%s %s is neither a Unix socket of streams nor a TCP port", l.Addr().Network(), l.Addr())
}

// Open reports whether every user of this machine can connect to it: on the loopback,
// and on a Unix socket that is no file (unix(7), abstract).
func (l *Listener) Open() bool {
	return l.Kind == Loopback || l.Kind == Unix && strings.HasPrefix(l.Addr().String(), "@")
}

// String returns its address as --listen has it.
func (l *Listener) String() string {
	if l.Kind == Unix {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}

// httpServer returns what speaks HTTP. Times are those of requests and of what is
// not a stream, which has its own.
func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s.guarded(s.loggedIn(s.handler)),
		ErrorLog:          log.New(io.Discard, "", 0), // what strangers send is no news
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, peerOf(c))
		},
	}
}

// maxHeader bounds the headers of a request, in bytes.
const maxHeader = 16 << 10

type peerKey struct{}

// A peer is who is at the other end of a connection.
type peer struct {
	kind Kind
	uid  int // Unix: the user, -1 where the system does not say
	key  any // what its connections have in common: the user, or the address
}

// keyOf returns the key of a peer.
func keyOf(p *peer, c net.Conn) any {
	if p.kind == Unix {
		return p.uid
	}
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return c.RemoteAddr().String()
}

// A conn is a connection that is counted.
type conn struct {
	net.Conn
	peer    peer
	release func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.release()
	return c.Conn.Close()
}

// A door is a listener that lets in only so many.
type door struct {
	*Listener
	guests *crowd
}

// Accept implements net.Listener. Who is one too many is hung up on.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p := peer{kind: d.Kind, uid: -1}
		if u, ok := c.(*net.UnixConn); ok {
			p.uid = peerUID(u)
		}
		p.key = keyOf(&p, c)
		if release, _ := d.guests.enter(p.key); release != nil {
			return &conn{c, p, release}, nil
		}
		_ = c.Close() // there is nothing to tell
	}
}

// peerOf returns who is at the other end of a connection that a door let in.
func peerOf(c net.Conn) peer {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if c, ok := c.(*conn); ok {
		return c.peer
	}
	return peer{kind: Network, uid: -1}
}

// peerFrom returns who sent a request. One that came by no connection is from the
// network.
func peerFrom(r *http.Request) peer {
	if p, ok := r.Context().Value(peerKey{}).(peer); ok {
		return p
	}
	return peer{kind: Network, uid: -1}
}
