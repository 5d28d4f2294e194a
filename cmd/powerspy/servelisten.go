package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"

	"powerspy2/internal/cli"
	"powerspy2/internal/owner"
	"powerspy2/internal/serve"
	"powerspy2/internal/shell"
)

// listen opens what is listened on: systemd's sockets and those of --listen, or the
// usual one.
func (s *serving) listen(c *cli.Context, cfg *serve.Config) (listeners []*serve.Listener, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(listeners))
			s.release()
			listeners = nil
		}
	}()
	for _, v := range cli.Values(c, allowedHostFlag) {
		cfg.AllowedHosts = append(cfg.AllowedHosts, v.(string))
	}
	given, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("systemd's sockets: %w", err)
	}
	for _, g := range given {
		if g == nil {
			return listeners, errors.New("systemd's sockets: one of them is not of streams")
		}
		l, err := serve.NewListener(g)
		if err != nil {
			return listeners, fmt.Errorf("systemd's sockets: %w", err)
		}
		listeners = append(listeners, l)
	}
	addresses := cli.Values(c, listenFlag)
	if len(addresses) == 0 && len(listeners) == 0 {
		path, err := serveSocket(s.env.getenv)
		if err != nil {
			return nil, err
		}
		addresses = []any{"unix:" + path}
	}
	sc, err := socketConfig(c)
	if err != nil {
		return listeners, err
	}
	for _, a := range addresses {
		l, err := s.listenOn(c, a.(string), sc, cfg)
		if err != nil {
			return listeners, err
		}
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		if l.Kind == serve.Unix {
			s.socket = cmp.Or(s.socket, l.Addr().String())
		}
		if err := cfg.Web.Guards(l.Kind); err != nil {
			return listeners, fmt.Errorf("listen on %s: %w", l, err)
		}
		text := "listening on " + l.String()
		if l.Kind == serve.Loopback && cfg.Web == nil {
			text = "listening on http://" + l.String() + "/"
		}
		if l.Open() && (cfg.Web == nil || l.Kind == serve.Unix) {
			text += ", which all users of this machine can read"
		}
		s.progress.Line("%s", text)
	}
	return listeners, nil
}

// listenOn opens one address of --listen.
func (s *serving) listenOn(c *cli.Context, address string, sc serve.SocketConfig, cfg *serve.Config) (*serve.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, c.Usagef("--%s %s is neither unix:PATH nor HOST:PORT", listenFlag, address)
		}
		if _, err := net.LookupPort("tcp", port); err != nil {
			return nil, c.Usagef("--%s %s: invalid port %q; use for example 9797", listenFlag, address, port)
		}
		if host != "" {
			cfg.AllowedHosts = append(cfg.AllowedHosts, host)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, cause(err))
		}
		return serve.NewListener(l)
	}
	if path == "" {
		return nil, c.Usagef("--%s unix: needs a path", listenFlag)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	// So that of two servers which start at once one has it.
	release, err := s.take("the socket", "unix:"+path)
	if err != nil {
		return nil, advise(fmt.Errorf("listen on %s: %w", address, err), "stop it, or give another path with --listen")
	}
	if release != nil {
		s.releases = append(s.releases, release)
	}
	l, err := serve.ListenUnix(path, sc)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, advise(fmt.Errorf("listen on %s: %w", address, err), "make its directory first: `mkdir -p "+shell.Quote(filepath.Dir(path))+"`")
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// serveSocket returns the path of the socket of a server that was told none: of a
// service in its directory, else in this user's.
func serveSocket(getenv func(string) string) (string, error) {
	// It may be a list (systemd.exec(5), RuntimeDirectory=).
	if dir, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "powerspy.sock"), nil
	}
	dir, err := owner.Directory(getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "serve.sock"), nil
}

// socketConfig reads the flags that say who may open a Unix socket.
func socketConfig(c *cli.Context) (serve.SocketConfig, error) {
	sc := serve.SocketConfig{Mode: cli.Value[os.FileMode](c, socketModeFlag), Group: -1}
	name := c.String(socketGroupFlag)
	if name == "" {
		return sc, nil
	}
	if sc.Mode == 0 {
		sc.Mode = 0o660
	}
	number := name
	if g, err := user.LookupGroup(name); err == nil {
		number = g.Gid
	}
	var err error
	if sc.Group, err = strconv.Atoi(number); err != nil || sc.Group < 0 {
		return sc, c.Usagef("--%s %s: there is no such group", socketGroupFlag, name)
	}
	return sc, nil
}

// fileMode is the permissions of a file, octal.
type fileMode struct{}

func (fileMode) Noun() string    { return "mode" }
func (fileMode) Use() string     { return "for example 600, 660, 666" }
func (fileMode) Words() []string { return []string{"600", "660", "666"} }

func (fileMode) Parse(text string) (any, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return nil, cli.ErrInvalid
	}
	return os.FileMode(n), nil
}

// closeAll closes listeners.
func closeAll(listeners []*serve.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
