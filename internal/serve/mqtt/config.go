package mqtt

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"os"
	"time"
)

// A Config says how to publish.
type Config struct {
	// URL is the broker's: see [ParseURL].
	URL *url.URL

	// Password goes with the user of URL. It is told nobody but the broker.
	Password string

	// CAs are who the certificate of a broker may be from. Nil: those of the system.
	CAs *x509.CertPool

	// Interval is between two readings of a meter. 0: a second.
	Interval time.Duration

	// Version is that of the program.
	Version string

	// Tell tells a person, in a sentence, that the broker is away, once, and when it
	// is back. It may be called concurrently.
	Tell func(text string)
}

// Ports of MQTT, and with TLS.
const (
	port    = "1883"
	portTLS = "8883"
)

// ErrPassword says that an URL has a password in it, which other users of the
// machine could see on the command line.
var ErrPassword = errors.New("a password does not belong into it")

// ParseURL reads the URL of a broker: mqtt://[USER@]HOST[:PORT], or mqtts:// with
// TLS. The error does not tell the URL, in which there may be a password.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it is no URL")
	}
	usual := port
	switch u.Scheme {
	case "mqtt":
	case "mqtts":
		usual = portTLS
	default:
		return nil, errors.New("it does not begin with mqtt:// or mqtts://")
	}
	if _, has := u.User.Password(); has {
		return nil, ErrPassword
	}
	if u.Hostname() == "" {
		return nil, errors.New("it has no host")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("it has more than a user, a host and a port")
	}
	u.Path = ""
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), usual)
	}
	return u, nil
}

// broker returns the URL without its user.
func (c *Config) broker() *url.URL { return &url.URL{Scheme: c.URL.Scheme, Host: c.URL.Host} }

func (c *Config) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.CAs, ServerName: c.URL.Hostname()}
}

// clientID returns the name of the connection of a meter. It is the same the next
// time, so that a broker which has not noticed the end of the last connection ends
// it now and not later, when its will would say that the meter is away. Every
// broker takes 23 letters and digits.
func clientID(name string) string {
	host, _ := os.Hostname() // one without a name is one, too
	sum := sha256.Sum256([]byte(host + "\x00" + name))
	return "powerspy" + hex.EncodeToString(sum[:])[:15]
}
