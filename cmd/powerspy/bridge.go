package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"powerspy2/internal/bridge"
	"powerspy2/internal/cli"
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
runs until Ctrl-C. It serves one program at a time: a second one is told that
the meter is in use and is disconnected; so is one that begins with anything
other than a request to the meter. --verbose shows the bytes that are carried.

The device is printed once the meter is connected. Without --tty it is
$XDG_RUNTIME_DIR/powerspy/tty; without that variable /run/user/UID/powerspy/tty
or, for users who have no such directory, powerspy-UID/tty among the temporary
files.

Examples:

    powerspy bridge --tty /tmp/meter    # then: old-tool --device /tmp/meter
    powerspy bridge --tcp 4567            # a port of 127.0.0.1`,
		Flags: append([]*cli.Flag{
			{Name: "tty", Takes: cli.File{}, Default: "tty in your runtime directory", Usage: "create the device as `PATH`, a symbolic link"},
			{Name: "tcp", Takes: cli.Text{}, Usage: "listen on `PORT` of 127.0.0.1 instead, or on ADDRESS:PORT of another loopback address"},
			pinFile(), pin(),
		}, a.globalFlags()...),
		Action: a.bridge,
	}
}

// A front is where clients come from.
type front struct {
	device string // what to tell the older tool
	accept func() (conn, error)
	close  func() error // wakes accept
}

// A conn is the connection of a client. Closing it wakes Read and Write.
type conn interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

func (a *app) bridge(c *cli.Context) (err error) {
	if c.IsSet("tty") && c.IsSet("tcp") {
		return c.Usagef("give one of --tty and --tcp")
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
	route, err := meter.Locate(c.Context, s.meter)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, route.Close()) }()
	dial := func(ctx context.Context) (powerspy.Link, error) {
		defer s.progress.End()
		return route.Dial(ctx)
	}
	b := &bridge.Bridge{Dial: dial, Final: meter.IsFinal, Report: func(text string) { s.progress.Line("%s", text) }}
	// The device is made once the meter is there: what an older program asks
	// before that would be lost.
	first, err := firstLink(c.Context, dial)
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
func firstLink(ctx context.Context, dial func(context.Context) (powerspy.Link, error)) (powerspy.Link, error) {
	for try := 1; ; try++ {
		l, err := dial(ctx)
		if err == nil || try == 3 || ctx.Err() != nil || !meter.MayPass(err) {
			return l, err
		}
	}
}

const (
	// leaves is how long a client that has hung up may take to be noticed, and
	// one that is sent away to read why.
	leaves = time.Second
	// crowd is how many clients may be waiting for the one that has the meter.
	crowd = 16
)

// serveBridge serves clients until ctx ends or either side fails for good.
func serveBridge(ctx context.Context, b *bridge.Bridge, f *front) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(b.Link(ctx)) })
	wg.Go(func() {
		<-ctx.Done()
		if err := f.close(); err != nil {
			b.Report(err.Error())
		}
	})
	free := make(chan struct{}, 1) // holds a token while there is no client
	free <- struct{}{}
	places := make(chan struct{}, crowd)
	for {
		c, err := f.accept()
		if err != nil {
			cancel(err)
			break
		}
		places <- struct{}{}
		first := tryTake(free) // here, so that it is in turn
		wg.Go(func() {
			defer func() { <-places }()
			if !first && !take(ctx, free) {
				refuse(ctx, b, c)
				return
			}
			_ = b.Client(ctx, c) // its error is that of ctx
			free <- struct{}{}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// tryTake takes a token if there is one.
func tryTake(tokens <-chan struct{}) bool {
	select {
	case <-tokens:
		return true
	default:
		return false
	}
}

// take waits for a token as long as a client may take to leave.
func take(ctx context.Context, tokens <-chan struct{}) bool {
	late := time.NewTimer(leaves)
	defer late.Stop()
	select {
	case <-tokens:
		return true
	case <-ctx.Done():
	case <-late.C:
	}
	return false
}

// refuse tells a client why it is sent away, and hangs up once it has left or had
// the time to read it: what was not read is lost then.
func refuse(ctx context.Context, b *bridge.Bridge, c conn) {
	if ctx.Err() == nil {
		b.Report("a second program was sent away: the meter is in use by the first")
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close() // there is nobody to tell
	if err := c.SetDeadline(time.Now().Add(leaves)); err != nil {
		return
	}
	if _, err := io.WriteString(c, meter.LineInUse+"\r\n"); err != nil {
		return
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite() // a failure shows below
	}
	_, _ = io.Copy(io.Discard, c) // ends when it has left, or at the deadline
}

// bridgeAddress reads --tcp; it is empty for a terminal.
func bridgeAddress(c *cli.Context) (string, error) {
	if !c.IsSet("tcp") {
		return "", nil
	}
	text, host, err := tcpAddress(c, c.String("tcp"))
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", c.Usagef("invalid address %q for --tcp: other machines could reach it, and use the meter; use a PORT, and `ssh -L` from elsewhere", c.String("tcp"))
	}
	return text, nil
}

// tcpAddress reads a PORT, of this machine alone, or an ADDRESS:PORT.
func tcpAddress(c *cli.Context, text string) (address, host string, err error) {
	address = text
	if !strings.Contains(text, ":") {
		address = "127.0.0.1:" + text
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(c.Context, "tcp", port)
	}
	if err != nil || port == "" {
		return "", "", c.Usagef("invalid address %q for --tcp; use a PORT from 1 to 65535, or ADDRESS:PORT, for example 4567 or 127.0.0.1:4567", text)
	}
	return address, host, nil
}

func listenTCP(ctx context.Context, address string) (*front, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &front{
		device: "tcp://" + l.Addr().String(),
		accept: func() (conn, error) { return l.Accept() },
		close:  l.Close,
	}, nil
}

// makeTTY makes pseudo-terminals and a symbolic link to them. A lock tells the
// link of another bridge from one that was left behind, whose terminal may be
// somebody else's by now.
func (s *session) makeTTY(c *cli.Context) (_ *front, err error) {
	link := c.String("tty")
	if link == "" {
		dir, err := owner.Directory(s.env.getenv)
		if err != nil {
			return nil, advise(fmt.Errorf("there is no place for the device: %w", err), "give --tty PATH")
		}
		link = filepath.Join(dir, "tty")
	}
	if link, err = filepath.Abs(link); err != nil {
		return nil, err
	}
	release, err := s.take(link, "bridge "+link)
	if err != nil {
		return nil, advise(fmt.Errorf("%s: %w", link, err), "stop that, or give --tty another path")
	}
	locked := release != nil
	if !locked {
		release = func() error { return nil }
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	if err := checkLink(link, locked); errors.Is(err, fs.ErrExist) {
		return nil, c.Usagef("%w; give --tty another path", err)
	} else if err != nil {
		return nil, err
	}
	l, err := pseudo.Listen(link)
	if err != nil {
		return nil, err
	}
	return &front{
		device: link,
		accept: func() (conn, error) { return l.Accept() },
		close:  func() error { return errors.Join(l.Close(), release()) },
	}, nil
}
