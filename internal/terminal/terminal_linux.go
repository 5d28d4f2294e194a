// Package terminal makes pseudo-terminals that stand for serial devices.
package terminal

import (
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

// Terminal is a pseudo-terminal whose openings are watched. Nothing here
// keeps the clients' side open, so the kernel knows when the last client
// has gone: reading the master side gives EIO then.
type Terminal struct {
	Path   string // what clients open
	Shared func() // is told that Path was opened during a connection; may be nil
	master *os.File
	again  bool     // that happened: whoever opened it may have to be served next
	opened *os.File // inotify(7): tells when a client opens path.
}

// Open makes a pseudo-terminal in raw mode, which only its owner may open.
func Open() (*Terminal, error) {
	master, tty, err := pty.Open()
	if err != nil {
		return nil, err
	}
	p := &Terminal{Path: tty.Name()}
	// The mode outlives this descriptor: the kernel keeps it until the
	// master side is closed.
	_, err = term.MakeRaw(int(tty.Fd()))
	err = errors.Join(err, tty.Chmod(0o600), tty.Close())
	if err == nil {
		p.opened, err = watchOpen(p.Path)
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

// Accept waits for a client to open Path, and returns its connection, which has
// to be over before the next Accept. It ends with an error after Close.
func (p *Terminal) Accept() (*Line, error) {
	if err := p.flush(); err != nil {
		return nil, fmt.Errorf("serve pseudo-terminal: %w", err)
	}
	// Several openings may be told at once. That is as good: whoever has
	// the path open shares the connection.
	if !p.again {
		if err := p.waitOpen(); err != nil {
			return nil, fmt.Errorf("wait for client of pseudo-terminal: %w", err)
		}
	}
	p.again = false
	if err := p.master.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("serve pseudo-terminal: %w", err)
	}
	l := &Line{terminal: p, master: p.master, watched: make(chan struct{})}
	go l.watch()
	return l, nil
}

// waitOpen waits until Path is opened.
func (p *Terminal) waitOpen() error {
	events := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	_, err := p.opened.Read(events)
	return err
}

// Close ends the terminal. It wakes Accept.
func (p *Terminal) Close() error { return errors.Join(p.opened.Close(), p.master.Close()) }

// flush discards what the client that left has not read. What it has not been
// heard saying may be the next client's.
func (p *Terminal) flush() error {
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

// Line is one connection over the master side of a pseudo-terminal.
type Line struct {
	terminal *Terminal
	master   *os.File
	watched  chan struct{} // closed when watch has ended
	once     sync.Once     // closes: a second Close would wake the next Accept
}

// watch tells of others who open the terminal, until Close.
func (l *Line) watch() {
	defer close(l.watched)
	for l.terminal.waitOpen() == nil {
		l.terminal.again = true
		if l.terminal.Shared != nil {
			l.terminal.Shared()
		}
	}
}

func (l *Line) Read(p []byte) (int, error) {
	n, err := l.master.Read(p)
	return n, lineError(err)
}

func (l *Line) Write(p []byte) (int, error) {
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

// Close ends the connection but not the terminal. Only the first call does
// something.
func (l *Line) Close() (err error) {
	l.once.Do(func() { err = l.close() })
	return err
}

func (l *Line) close() error {
	opened := l.terminal.opened
	err := errors.Join(l.master.SetDeadline(time.Now().Add(-time.Second)), opened.SetReadDeadline(time.Now().Add(-time.Second)))
	if err == nil { // else the terminal is closed, which ends watch, too
		<-l.watched
		err = opened.SetReadDeadline(time.Time{})
	}
	return err
}
