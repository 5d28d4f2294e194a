package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/bridge"
	pseudo "powerspy2/internal/terminal"
	"powerspy2/meter"
)

func (a *app) bridgeCommand() *cli.Command {
	return &cli.Command{
		Name:  "bridge",
		Usage: "give older programs a serial device that leads to the meter",
		Description: `Makes a serial device that only you may open, carries its bytes to the meter,
and connects again when the link breaks. No root, no rfcomm bind, no chmod. It
runs until Ctrl-C. One program at a time should have the device open.

Examples:

    powerspy bridge --tty /tmp/meter      # then: old-tool --device /tmp/meter
    powerspy bridge --tcp 4567            # a port of 127.0.0.1`,
		Flags: append([]cli.Flag{
			&cli.PathFlag{Name: "tty", DefaultText: "$XDG_RUNTIME_DIR/powerspy/tty", Usage: "make the device `PATH`, a symbolic link"},
			&cli.StringFlag{Name: "tcp", Usage: "listen on `PORT` of this machine instead, or on HOST:PORT"},
			pin(),
		}, globalFlags(false)...),
		Action: a.bridge,
	}
}

// A front is where clients come from.
type front struct {
	device string // what to tell the older tool
	accept func() (io.ReadWriteCloser, error)
	close  func() error
}

func (a *app) bridge(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.IsSet("tty") && c.IsSet("tcp") {
		return usagef(c, "give one of --tty and --tcp")
	}
	address, err := bridgeAddress(c)
	if err != nil {
		return err
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	if err := s.readPIN(c); err != nil {
		return err
	}
	route, err := meter.Locate(c.Context, s.meter)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, route.Close()) }()
	var f *front
	if address != "" {
		f, err = listenTCP(c.Context, address)
	} else {
		f, err = makeTTY(c, a.env.getenv)
	}
	if err != nil {
		return err
	}
	b := &bridge.Bridge{Dial: route.Dial, Final: meter.IsFinal, Report: func(text string) { s.progress.Line("%s", text) }}
	s.progress.Line("the meter is at %s: give that to the other program, as --device %[1]s", f.device)
	err = serveBridge(c.Context, b, f)
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

// serveBridge serves clients until ctx ends or either side fails for good.
func serveBridge(ctx context.Context, b *bridge.Bridge, f *front) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(b.Link(ctx)) })
	wg.Go(func() {
		<-ctx.Done()
		_ = f.close() // wakes accept
	})
	for ctx.Err() == nil {
		conn, err := f.accept()
		if err != nil {
			cancel(err)
			break
		}
		if err := b.Client(ctx, conn); err != nil {
			break
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// bridgeAddress reads --tcp; it is empty for a terminal.
func bridgeAddress(c *cli.Context) (string, error) {
	text := c.String("tcp")
	switch {
	case !c.IsSet("tcp"):
		return "", nil
	case !strings.Contains(text, ":"):
		text = "127.0.0.1:" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return "", usagef(c, "%q is no PORT or HOST:PORT such as 4567 or 127.0.0.1:4567", c.String("tcp"))
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "", usagef(c, "%q would let everybody who reaches this machine use the meter; name one address", c.String("tcp"))
	}
	return text, nil
}

func listenTCP(ctx context.Context, address string) (*front, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &front{
		device: "tcp://" + l.Addr().String(),
		accept: func() (io.ReadWriteCloser, error) { return l.Accept() },
		close:  l.Close,
	}, nil
}

func makeTTY(c *cli.Context, getenv func(string) string) (*front, error) {
	link := c.Path("tty")
	if link == "" {
		dir := getenv("XDG_RUNTIME_DIR")
		if !filepath.IsAbs(dir) {
			return nil, usagef(c, "there is no XDG_RUNTIME_DIR for the device; give --tty PATH")
		}
		dir = filepath.Join(dir, "powerspy")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		link = filepath.Join(dir, "tty")
	}
	if info, err := os.Lstat(link); err == nil {
		if info.Mode()&os.ModeSymlink == 0 {
			return nil, usagef(c, "%s is there already and no symbolic link; give --tty another path", link)
		}
		if _, err := os.Stat(link); err == nil {
			return nil, fmt.Errorf("%s leads to a terminal, maybe of another bridge; stop that, or type `rm %s`", link, link)
		}
	}
	p, err := pseudo.Open()
	if err != nil {
		return nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	if err := replaceLink(p.Path, link); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return &front{
		device: link,
		accept: func() (io.ReadWriteCloser, error) { return p.Accept() },
		close: func() error {
			var err error
			if now, rerr := os.Readlink(link); rerr == nil && now == p.Path {
				err = os.Remove(link)
			}
			return errors.Join(err, p.Close())
		},
	}, nil
}
