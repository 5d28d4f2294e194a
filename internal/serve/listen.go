package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
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
// that it is neither a Unix socket nor a TCP port.
func NewListener(l net.Listener) (*Listener, error) {
	switch a := l.Addr().(type) {
	case *net.UnixAddr:
		return &Listener{l, Unix}, nil
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return &Listener{l, Loopback}, nil
		}
		return &Listener{l, Network}, nil
	}
	return nil, fmt.Errorf("%s %s is neither a Unix socket nor a TCP port", l.Addr().Network(), l.Addr())
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
		Handler:           s.handler,
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
}

func peerOf(c net.Conn) peer {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if u, ok := c.(*net.UnixConn); ok {
		return peer{Unix, peerUID(u)}
	}
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok && a.IP.IsLoopback() {
		return peer{Loopback, -1}
	}
	return peer{Network, -1}
}

// peerFrom returns who sent a request. One that came by no connection of a
// listener's is from the network.
func peerFrom(r *http.Request) peer {
	if p, ok := r.Context().Value(peerKey{}).(peer); ok {
		return p
	}
	return peer{Network, -1}
}
