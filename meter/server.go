package meter

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// A Server says where `powerspy serve` answers, and which of its meters is meant.
type Server struct {
	Socket string // absolute path of a unix socket; empty: URL counts
	URL    string // http://host[:port] or https://host[:port]
	User   string // who logs in; may be empty
	Meter  string // name of a meter there; empty: the only one
}

var (
	// ErrServed says that something was asked of a meter at a server that only who
	// has the meter itself can do.
	ErrServed = errors.New("it is at a server, and this needs the meter itself")

	// ErrPasswordInURL is a password where all users of a machine can read it.
	ErrPasswordInURL = errors.New("other users can read a password on the command line")
)

// Prefixes of the text forms of a Server.
const (
	unixPrefix  = "unix:"
	httpPrefix  = "http://"
	httpsPrefix = "https://"
)

func errServed(t Target) error {
	return &Error{Kind: ErrUsage, Op: "open " + t.String(), Err: ErrServed}
}

func isServer(device string) bool {
	for _, p := range []string{unixPrefix, httpPrefix, httpsPrefix} {
		if strings.HasPrefix(device, p) {
			return true
		}
	}
	return false
}

// parseServer reads unix:/path[:meter] and http(s)://[user@]host[:port][/meter]. In
// a path %3A is a colon and %25 a percent sign.
func parseServer(device string) (Server, error) {
	if rest, ok := strings.CutPrefix(device, unixPrefix); ok {
		path, name, _ := strings.Cut(rest, ":")
		path = unescapeSocket.Replace(path)
		if !strings.HasPrefix(path, "/") {
			return Server{}, errors.New("the path of a socket begins with a slash")
		}
		return Server{Socket: path, Meter: name}, nil
	}
	scheme, rest, _ := strings.Cut(device, "://")
	host, name, _ := strings.Cut(rest, "/")
	u, err := url.Parse(scheme + "://" + host)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // which does not repeat what may hold a password
		}
		return Server{}, err
	}
	if _, has := u.User.Password(); has {
		return Server{}, ErrPasswordInURL
	}
	if u.Hostname() == "" {
		return Server{}, errors.New("the host is missing")
	}
	if p := u.Port(); p != "" {
		if _, err := net.LookupPort("tcp", p); err != nil {
			return Server{}, fmt.Errorf("%q is not a TCP port", p)
		}
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.ContainsAny(name, "?#") {
		return Server{}, errors.New("nothing comes after the meter's name")
	}
	if name = strings.TrimSuffix(name, "/"); strings.Contains(name, "/") {
		return Server{}, errors.New("one name of a meter comes after the host, in which a slash is %2F")
	}
	if name, err = url.PathUnescape(name); err != nil {
		return Server{}, err
	}
	return Server{URL: u.Scheme + "://" + u.Host, User: u.User.Username(), Meter: name}, nil
}

var (
	escapeSocket   = strings.NewReplacer("%", "%25", ":", "%3A")
	unescapeSocket = strings.NewReplacer("%25", "%", "%3A", ":", "%3a", ":")
)

// String returns the text form that ParseTarget reads.
func (s Server) String() string {
	if s.Socket != "" {
		text := unixPrefix + escapeSocket.Replace(s.Socket)
		if s.Meter != "" {
			text += ":" + s.Meter
		}
		return text
	}
	text := s.URL
	if scheme, host, ok := strings.Cut(s.URL, "://"); ok && s.User != "" {
		text = scheme + "://" + url.User(s.User).String() + "@" + host
	}
	if s.Meter != "" {
		text += "/" + url.PathEscape(s.Meter)
	}
	return text
}
