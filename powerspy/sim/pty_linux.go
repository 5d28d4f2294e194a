package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// ServePTY puts the meter behind a pseudo-terminal in raw mode, as if it were
// bound to a serial device, and returns the path that clients open. A
// connection begins when a client opens the path and ends when nobody has it
// open any more; then the next may come. Where the meter drops the link, or
// refuses it because another client is connected, the client hears nothing
// until it opens the path anew: a pseudo-terminal cannot be hung up from here
// without losing its path.
//
// It serves until ctx ends or the terminal fails; wait waits for that, and
// returns the context's error or the failure. It may be called more than once.
func (m *Meter) ServePTY(ctx context.Context) (path string, wait func() error, err error) {
	p, err := openTerminal()
	if err != nil {
		return "", nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	var served error
	done := make(chan struct{})
	go func() {
		defer close(done)
		served = p.serve(ctx, m)
	}()
	return p.path, func() error { <-done; return served }, nil
}

// terminal is a pseudo-terminal whose openings are watched. The simulator does
// not keep the clients' side open, so the kernel knows when the last client
// has gone: reading the master side gives EIO then.
type terminal struct {
	path   string
	master *os.File
	opened *os.File // inotify(7): tells when a client opens path.
}

func openTerminal() (*terminal, error) {
	master, tty, err := pty.Open()
	if err != nil {
		return nil, err
	}
	p := &terminal{path: tty.Name()}
	// The mode outlives this descriptor: the kernel keeps it until the
	// master side is closed.
	_, err = term.MakeRaw(int(tty.Fd()))
	err = errors.Join(err, tty.Close())
	if err == nil {
		p.opened, err = watchOpen(p.path)
	}
	if err != nil {
		return nil, errors.Join(err, master.Close())
	}
	if p.master, err = pollable(master); err != nil {
		return nil, errors.Join(err, p.opened.Close())
	}
	return p, nil
}

// pollable closes f and returns a file for the same thing that has deadlines:
// package pty gives its files up to blocking reads.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	err = errors.Join(os.NewSyscallError("fcntl", err), f.Close())
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// watchOpen returns a file that has something to read once path was opened.
func watchOpen(path string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	if _, err = unix.InotifyAddWatch(fd, path, unix.IN_OPEN); err != nil {
		return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// serve serves one client after the other and closes p.
func (p *terminal) serve(ctx context.Context, m *Meter) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		<-ctx.Done()
		// Wakes the wait for a client. Nothing was written that could be
		// lost.
		_ = p.opened.Close()
	})
	defer func() { _ = p.master.Close() }() // As above.

	// Several openings may be told at once. That is as good: whoever has
	// the path open shares the connection.
	events := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		if _, err := p.opened.Read(events); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("wait for client of pseudo-terminal: %w", err)
		}
		if err := p.master.SetDeadline(time.Time{}); err != nil {
			return fmt.Errorf("serve pseudo-terminal: %w", err)
		}
		// How one connection ends concerns its client only.
		_ = m.ServeConn(ctx, &line{master: p.master})
		if err := p.flush(); err != nil {
			return fmt.Errorf("serve pseudo-terminal: %w", err)
		}
	}
}

// flush discards what the client that left has not read. What it has not been
// heard saying may be the next client's.
func (p *terminal) flush() error {
	conn, err := p.master.SyscallConn()
	if err != nil {
		return err
	}
	var ioctl error
	err = conn.Control(func(fd uintptr) {
		ioctl = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCOFLUSH)
	})
	return errors.Join(err, os.NewSyscallError("ioctl TCFLSH", ioctl))
}

// line is one connection over the master side of a pseudo-terminal.
type line struct{ master *os.File }

func (l *line) Read(p []byte) (int, error) {
	n, err := l.master.Read(p)
	return n, lineError(err)
}

func (l *line) Write(p []byte) (int, error) {
	n, err := l.master.Write(p)
	return n, lineError(err)
}

// lineError translates EIO, which means that no client has the path open, and
// the deadline that stands for Close.
func lineError(err error) error {
	switch {
	case errors.Is(err, unix.EIO):
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return net.ErrClosed
	default:
		return err
	}
}

// Close ends the connection but not the terminal.
func (l *line) Close() error { return l.master.SetDeadline(time.Now().Add(-time.Second)) }
