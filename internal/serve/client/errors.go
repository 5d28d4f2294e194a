package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"powerspy2/internal/harmless"
	"powerspy2/meter"
)

// Causes of failures. The errors of this package are *[meter.Error], or those of a
// context.
var (
	// ErrUnreachable: nothing answers there.
	ErrUnreachable = errors.New("no server answers")

	// ErrLogin: the server wants a user and a password, or others.
	ErrLogin = errors.New("the server refuses the login")

	// ErrForbidden: this user, or who comes this way, may not do that.
	ErrForbidden = errors.New("the server does not allow it")

	// ErrPlain: a password would cross a network in the clear. It was not sent.
	ErrPlain = errors.New("a password is only sent over https, or to this machine")

	// ErrForeign: a socket is neither this user's nor root's.
	ErrForeign = errors.New("it belongs to another user, who may tell anything")

	// ErrRedirect: the server sends its clients elsewhere, where none goes.
	ErrRedirect = errors.New("it redirects to another address")

	// ErrCertificate: a server's certificate is not to be trusted.
	ErrCertificate = errors.New("its certificate can't be trusted")

	// ErrHandshake: the server ends the handshake of TLS, as one does that wants a
	// certificate of its clients and gets none, or not one that it trusts.
	ErrHandshake = errors.New("the server refuses the TLS connection")

	// ErrNoTLS and ErrWantsTLS: it is http there, not https, and the other way round.
	ErrNoTLS    = errors.New("the server speaks http there, not https")
	ErrWantsTLS = errors.New("the server speaks https there, not http")

	// ErrHungUp: the server ended the connection instead of answering.
	ErrHungUp = errors.New("the server hung up without an answer")

	// ErrNoServer: what answers is no powerspy serve.
	ErrNoServer = errors.New("what answers is not powerspy serve")

	// ErrSilent: somebody listens there, and does not answer.
	ErrSilent = errors.New("it does not answer in time")

	// ErrNoMeters: the server has no meter.
	ErrNoMeters = errors.New("the server has no meter")
)

// A SeveralError says that a server has several meters, and none was named.
type SeveralError struct{ Names []string }

func (e *SeveralError) Error() string {
	return "the server has several meters: " + strings.Join(e.Names, ", ")
}

// An UnknownError says that a server has no meter of a name.
type UnknownError struct {
	Name  string
	Names []string // that it has
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("the server has no meter %q; it has %s", e.Name, strings.Join(e.Names, ", "))
}

// A StatusError is an answer that says why there is no other.
type StatusError struct {
	Status int    // of HTTP
	Text   string // what the server says, harmless; may be empty
}

func (e *StatusError) Error() string {
	if e.Text != "" {
		return e.Text
	}
	return fmt.Sprintf("it answers with status %d (%s)", e.Status, http.StatusText(e.Status))
}

// Is finds the cause of the status.
func (e *StatusError) Is(target error) bool {
	switch e.Status {
	case http.StatusUnauthorized:
		return target == ErrLogin
	case http.StatusForbidden:
		return target == ErrForbidden
	}
	return false
}

// IsFinal tells an error that trying again does not mend.
func IsFinal(err error) bool {
	for _, final := range []error{meter.ErrUsage, ErrLogin, ErrForbidden, ErrForeign, ErrCertificate, ErrHandshake, fs.ErrPermission} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// alertInternalError is of a peer that is in trouble, as one that starts: nothing is
// wrong with what it was shown (RFC 8446, section 6.2).
const alertInternalError = tls.AlertError(80)

// explain says what failed, why, and of which kind that is. The errors of a context
// pass.
func explain(op string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*meter.Error](err); ok {
		return err
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // which does not repeat the address
	}
	e := &meter.Error{Kind: meter.ErrNoAnswer, Op: op, Err: err}
	_, several := errors.AsType[*SeveralError](err)
	_, unknown := errors.AsType[*UnknownError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	dial, dialled := errors.AsType[*net.OpError](err)
	alerted := dialled && dial.Op == "remote error" && dial.Err.Error() != alertInternalError.Error() // crypto/tls, of an alert
	dialled = dialled && dial.Op == "dial"
	errno, isErrno := errors.AsType[syscall.Errno](err)
	if dialled && isErrno {
		err = errno
	}
	switch {
	case several, errors.Is(err, ErrPlain), errors.Is(err, ErrRedirect), errors.Is(err, ErrWantsTLS):
		e.Kind = meter.ErrUsage
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Kind, e.Err = meter.ErrUsage, ErrNoTLS
	case unknown:
		e.Kind = meter.ErrNotFound
	case untrusted:
		e.Kind, e.Err = meter.ErrNotReady, fmt.Errorf("%w: %w", ErrCertificate, err)
	case alerted:
		e.Kind, e.Err = meter.ErrNotReady, fmt.Errorf("%w: %w", ErrHandshake, dial.Err)
	case errors.Is(err, ErrLogin), errors.Is(err, ErrForbidden), errors.Is(err, ErrForeign):
		e.Kind = meter.ErrNotReady
	case dialled && errors.Is(err, fs.ErrPermission):
		e.Kind, e.Err = meter.ErrNotReady, fmt.Errorf("%w: %w", ErrForbidden, err)
	case dialled:
		e.Kind, e.Err = meter.ErrNotFound, fmt.Errorf("%w: %w", ErrUnreachable, err)
	case timedOut(err):
		e.Err = ErrSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Err = ErrHungUp
	}
	return e
}

// timedOut reports whether an answer was waited for in vain.
func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// why returns the reason for people alone.
func why(err error) string {
	if e, ok := errors.AsType[*meter.Error](err); ok {
		err = e.Err
	}
	return harmless.Text(err.Error())
}
