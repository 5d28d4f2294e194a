package main

import (
	"cmp"
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
	}
}

// maxPasswordFile bounds what is read of a file that should hold a password, and
// maxCAFile of one with certificates, in bytes.
const (
	maxPasswordFile = 4 << 10
	maxCAFile       = 4 << 20
)

// parseLogin returns what reads the flags when a server is to be logged in at.
func (s *session) parseLogin(c *cli.Context) func(meter.Server) (client.Login, error) {
	return func(server meter.Server) (client.Login, error) {
		l := client.Login{Server: server, User: server.User}
		if server.Socket != "" {
			for _, f := range []string{passwordFileFlag, caFileFlag} {
				if c.IsSet(f) {
					return l, c.Usagef("--%s is for a server at http:// or https://", f)
				}
			}
			return l, nil
		}
		var err error
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
	text, err := readUpTo(name, maxCAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate in it (PEM)")
	}
	return pool, nil
}

func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	return io.ReadAll(io.LimitReader(f, most))
}

// firstLine reads a secret, which is the first line of a file.
func (s *session) firstLine(name, what string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", cause(err)
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxPasswordFile))
	if err != nil {
		return "", cause(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("the first line is empty; it has to be the %s", what)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		s.progress.Line("other users may read the %s in %s; `chmod 600 %[2]s` prevents that", what, shell.Quote(name))
	}
	return line, nil
}
