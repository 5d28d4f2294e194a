package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/serve/client"
	"powerspy2/internal/shell"
	"powerspy2/meter"
)

// How a server is logged in at whose meter is to be read: see package client.

const (
	passwordFileFlag = "password-file"
	caFileFlag       = "ca-file"
	certFileFlag     = "cert-file"
	keyFileFlag      = "key-file"
	serverCategory   = "A meter at a server"

	// passwordVariable is the password where no file is named: only who owns a process
	// can read its environment.
	passwordVariable = "POWERSPY_PASSWORD"
)

// serverFlags are those of commands that can read a meter through a server.
func serverFlags() []*cli.Flag {
	return []*cli.Flag{
		{Name: passwordFileFlag, Category: serverCategory, Takes: cli.File{}, Default: "$" + passwordVariable + ", else netrc", Usage: "read the password from `FILE`"},
		{Name: caFileFlag, Category: serverCategory, Takes: cli.File{}, Default: "those of this machine", Usage: "trust the authorities in `FILE` to sign its certificate"},
		{Name: certFileFlag, Category: serverCategory, Takes: cli.File{}, Usage: "show the certificate in `FILE` to a server that asks for one"},
		{Name: keyFileFlag, Category: serverCategory, Takes: cli.File{}, Default: "the one of --" + certFileFlag, Usage: "the key of that certificate, in `FILE`"},
	}
}

// maxPasswordFile bounds what is read of a file that should hold a password, and
// maxCertificates of one with certificates, in bytes.
const (
	maxPasswordFile = 4 << 10
	maxCertificates = 4 << 20
)

// parseLogin returns what reads the flags when a server is to be logged in at.
func (s *session) parseLogin(c *cli.Context) func(meter.Server) (client.Login, error) {
	return func(server meter.Server) (client.Login, error) {
		l := client.Login{Server: server, User: server.User}
		if server.Socket != "" {
			for _, f := range []string{passwordFileFlag, caFileFlag, certFileFlag, keyFileFlag} {
				if c.IsSet(f) {
					return l, c.Usagef("--%s is for a server at http:// or https://", f)
				}
			}
			return l, nil
		}
		var err error
		if l.Certificate, err = s.certificate(c, server); err != nil {
			return l, err
		}
		if c.IsSet(caFileFlag) {
			if l.Roots, err = authorities(c.String(caFileFlag)); err != nil {
				return l, c.Usagef("--%s %s: %w", caFileFlag, c.String(caFileFlag), cause(err))
			}
		}
		if c.IsSet(passwordFileFlag) {
			name := c.String(passwordFileFlag)
			if l.Password, err = s.firstLine(name, "password"); err != nil {
				return l, c.Usagef("--%s %s: %w", passwordFileFlag, name, err)
			}
		}
		l.Password = cmp.Or(l.Password, s.env.getenv(passwordVariable))
		if l.User != "" && l.Password != "" {
			return l, nil
		}
		// A user that is known from there is no use without a password, but the other
		// way round.
		user, password, err := s.netrc(server)
		if err != nil {
			return l, err
		}
		l.User = cmp.Or(l.User, user)
		if l.Password == "" {
			l.Password = password
		}
		if l.User == "" && l.Password != "" && c.IsSet(passwordFileFlag) {
			return l, c.Usagef("it is not said whose password it is: give --device with the user's name, such as https://USER@HOST:PORT")
		}
		if l.User == "" {
			l.Password = ""
		}
		return l, nil
	}
}

// certificate reads the flags that name the certificate of this client; nil: there is
// none.
func (s *session) certificate(c *cli.Context, server meter.Server) (*tls.Certificate, error) {
	switch {
	case !c.IsSet(certFileFlag) && !c.IsSet(keyFileFlag):
		return nil, nil
	case !c.IsSet(certFileFlag):
		return nil, c.Usagef("--%s is of no use without --%s", keyFileFlag, certFileFlag)
	case !strings.HasPrefix(server.URL, "https:"):
		return nil, c.Usagef("--%s is for a server at https://", certFileFlag)
	}
	var texts [2][]byte
	for i, flag := range [...]string{certFileFlag, keyFileFlag} {
		name := cmp.Or(c.String(flag), c.String(certFileFlag))
		var err error
		if texts[i], err = readUpTo(name, maxCertificates); err != nil {
			return nil, c.Usagef("--%s %s: %w", flag, name, cause(err))
		}
		if i == 1 {
			s.warnOpen(name, "key")
		}
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, c.Usagef("--%s %s: %w", certFileFlag, c.String(certFileFlag), err)
	}
	return &pair, nil
}

// netrc looks a login up in the user's netrc file.
func (s *session) netrc(server meter.Server) (user, password string, err error) {
	path := s.env.getenv("NETRC")
	if path == "" {
		home := s.env.getenv("HOME")
		if home == "" {
			return "", "", nil
		}
		path = filepath.Join(home, ".netrc")
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		return "", "", err
	}
	return client.Netrc(path, u.Hostname(), server.User)
}

// authorities reads certificates.
func authorities(name string) (*x509.CertPool, error) {
	text, err := readUpTo(name, maxCertificates)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate in it (PEM)")
	}
	return pool, nil
}

// readUpTo reads a file. The error is also that it has more than most bytes.
func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, fmt.Errorf("it has more than %d bytes", most)
	}
	return text, err
}

// firstLine reads a secret, which is the first line of a file.
func (s *session) firstLine(name, what string) (string, error) {
	text, err := readUpTo(name, maxPasswordFile)
	if err != nil {
		return "", cause(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("the first line is empty; it has to be the %s", what)
	}
	s.warnOpen(name, what)
	return line, nil
}

// warnOpen tells that other users may read a secret.
func (s *session) warnOpen(name, what string) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		s.progress.Line("other users may read the %s in %s; `chmod 600 %[2]s` prevents that", what, shell.Quote(name))
	}
}
