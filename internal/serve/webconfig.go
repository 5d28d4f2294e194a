package serve

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

// A WebConfig says who is let in over TCP, and the key of TLS: the web
// configuration of Prometheus' exporters.
type WebConfig struct {
	path    string
	tls     *tls.Config // nil: none
	users   map[string][]byte
	decoy   []byte            // compared with where there is no such user
	headers map[string]string // of all answers
	limit   *rate.Limiter     // of all requests; nil: none
}

// Errors of a web configuration with which a network is not served.
var (
	// ErrNoWebConfig is that there is none.
	ErrNoWebConfig = errors.New("every machine on the network could read it without a password")
	// ErrNoLogin is one that lets in everybody.
	ErrNoLogin = errors.New("the web configuration asks for neither a password nor a client certificate")
	// ErrNoTLS is one that has passwords sent as they are.
	ErrNoTLS = errors.New("the web configuration has users, but no TLS: passwords could be listened to")
)

// maxWebConfig bounds the file of a web configuration, in bytes.
const maxWebConfig = 1 << 20

// LoadWebConfig reads a web configuration, and the files that it names. Errors are
// those of the file system and of the format.
func LoadWebConfig(path string) (*WebConfig, error) {
	text, err := readWebConfig(path)
	if err != nil {
		return nil, err
	}
	if err := web.Validate(path); err != nil {
		return nil, inLine(path, err)
	}
	c := web.Config{TLSConfig: web.TLSConfig{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}}
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return nil, inLine(path, err)
	}
	w := &WebConfig{path: path, headers: c.HTTPConfig.Header}
	if r := c.RateLimiterConfig; r.Interval > 0 {
		w.limit = rate.NewLimiter(rate.Every(r.Interval), r.Burst)
	}
	c.TLSConfig.SetDirectory(filepath.Dir(path))
	if c.TLSConfig.IsEnabled() {
		if w.tls, err = web.ConfigToTLSConfig(&c.TLSConfig); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		// The certificate as it is now: a new one comes with the next LoadWebConfig,
		// whole or not at all.
		cert, err := w.tls.GetCertificate(nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		w.tls.GetCertificate, w.tls.Certificates = nil, []tls.Certificate{*cert}
		w.tls.NextProtos = []string{"http/1.1"}
	}
	w.users = make(map[string][]byte, len(c.Users))
	cost := bcrypt.MinCost
	for name, hash := range c.Users {
		w.users[name] = []byte(hash)
		if n, err := bcrypt.Cost([]byte(hash)); err == nil {
			cost = max(cost, n)
		}
	}
	if len(w.users) > 0 {
		if w.decoy, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), cost); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// readWebConfig reads the file, which is read again and again: no pipe will do.
func readWebConfig(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxWebConfig+1))
	if err == nil && len(text) > maxWebConfig {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxWebConfig)
	}
	return text, err
}

// inLine writes an error of the format, which may have several lines, in one.
func inLine(path string, err error) error {
	if text := err.Error(); strings.Contains(text, "\n") {
		err = errors.New(strings.Join(strings.Fields(text), " "))
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Guards says why a listener that other machines reach is not served with a
// configuration, which may be nil. The error is [ErrNoWebConfig], [ErrNoLogin] or
// [ErrNoTLS].
func (w *WebConfig) Guards(k Kind) error {
	switch {
	case k != Network:
		return nil
	case w == nil:
		return ErrNoWebConfig
	case w.certificates():
		return nil
	case len(w.users) == 0:
		return ErrNoLogin
	case w.tls == nil:
		return ErrNoTLS
	}
	return nil
}

// certificates reports whether a client needs a certificate that somebody vouches
// for.
func (w *WebConfig) certificates() bool {
	return w.tls != nil && w.tls.ClientAuth == tls.RequireAndVerifyClientCert && w.tls.ClientCAs != nil
}

// secure reports whether it has TLS. It may be nil.
func (w *WebConfig) secure() bool { return w != nil && w.tls != nil }
