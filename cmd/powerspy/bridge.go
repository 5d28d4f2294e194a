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
	"time"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/bridge"
	"powerspy2/internal/owner"
	pseudo "powerspy2/internal/terminal"
	"powerspy2/meter"
	"powerspy2/powerspy"
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
			&cli.StringFlag{Name: "tcp", Usage: "listen on `PORT` of 127.0.0.1 instead, or on ADDRESS:PORT of another loopback address"},
			pin(),
		}, globalFlags(false)...),
		Action: a.bridge,
	}
}

// A front is where clients come from.
type front struct {
	device string // what to tell the older tool
	accept func() (io.ReadWriteCloser, error)
	refuse func(io.WriteCloser) // sends a second client away; nil: none is accepted
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
	b := &bridge.Bridge{Dial: route.Dial, Final: meter.IsFinal, Report: func(text string) { s.progress.Line("%s", text) }}
	// The device is made once the meter is there: what an older program asks
	// before that would be lost.
	first, err := firstLink(c.Context, route)
	if err != nil {
		return err
	}
	b.Use(first)
	var f *front
	if address != "" {
		f, err = listenTCP(c.Context, address)
	} else {
		f, err = s.makeTTY(c)
	}
	if err != nil {
		return errors.Join(err, first.Close())
	}
	s.progress.Line("the meter is at %s: give that to the other program, as --device %[1]s", f.device)
	err = serveBridge(c.Context, b, f)
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

// firstLink connects to the meter. It tries again only what may pass: for other
// troubles there is somebody to tell.
func firstLink(ctx context.Context, route *meter.Route) (powerspy.Link, error) {
	for try := 1; ; try++ {
		l, err := route.Dial(ctx)
		if err == nil || try == 3 || ctx.Err() != nil || !meter.MayPass(err) {
			return l, err
		}
	}
}

// leaves is how long a client that has hung up may take to be noticed.
const leaves = time.Second

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
	free := make(chan struct{}, 1) // holds a token while there is no client
	free <- struct{}{}
	for ctx.Err() == nil {
		conn, err := f.accept()
		if err != nil {
			cancel(err)
			break
		}
		select {
		case <-free:
		case <-ctx.Done():
			_ = conn.Close() // nothing was said on it
			continue
		case <-time.After(leaves):
			f.refuse(conn)
			continue
		}
		if f.refuse == nil {
			_ = b.Client(ctx, conn) // its error is that of ctx
			free <- struct{}{}
			continue
		}
		wg.Go(func() {
			_ = b.Client(ctx, conn)
			free <- struct{}{}
		})
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
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", usagef(c, "%q is no address of this machine alone: whoever reaches it could use the meter; give a PORT, and reach it from elsewhere with `ssh -L`", c.String("tcp"))
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
		refuse: func(conn io.WriteCloser) {
			if c, ok := conn.(net.Conn); ok {
				_ = c.SetWriteDeadline(time.Now().Add(leaves)) // then Write says so
			}
			_, _ = io.WriteString(conn, "the meter is in use by another program\r\n")
			_ = conn.Close() // there is nobody to tell
		},
		close: l.Close,
	}, nil
}

// makeTTY makes a pseudo-terminal and a symbolic link to it. A lock tells the
// link of another bridge from one that was left behind, whose terminal may be
// somebody else's by now.
func (s *session) makeTTY(c *cli.Context) (_ *front, err error) {
	link := c.Path("tty")
	if link == "" {
		dir, err := owner.Directory(s.env.getenv)
		if err != nil {
			return nil, fmt.Errorf("directory of the device: %w; or give --tty PATH", err)
		}
		link = filepath.Join(dir, "tty")
	}
	if link, err = filepath.Abs(link); err != nil {
		return nil, err
	}
	release, err := owner.Claim(s.env.getenv, "bridge "+link, owner.Self(s.env.args))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; stop that, or give --tty another path", link, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return nil, usagef(c, "%s is there already and no symbolic link; give --tty another path", link)
	}
	if there, err := os.Readlink(link); err == nil && !strings.HasPrefix(there, "/dev/pts/") {
		return nil, usagef(c, "%s leads to %s, which is no bridge's; give --tty another path", link, there)
	}
	p, err := pseudo.Open()
	if err != nil {
		return nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	p.Shared = func() {
		s.progress.Line("%s was opened again: programs that have it open at once share it, and each gets a part of the answers", link)
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
			return errors.Join(err, p.Close(), release())
		},
	}, nil
}
