// Package terminal makes pseudo-terminals that stand for serial devices.
package terminal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Terminal is a pseudo-terminal for one client after the other, under one path.
// Nothing here keeps the clients' side open, so the kernel knows when the last
// client has gone: reading the master side gives EIO then.
type Terminal struct {
	Path   string // what clients open
	master *os.File
	opened *os.File // inotify(7): says when a client opens Path
}

// Open makes a pseudo-terminal in raw mode, which only its owner may open.
func Open() (*Terminal, error) {
	master, path, err := openMaster()
	if err != nil {
		return nil, err
	}
	opened, err := watch(path, unix.IN_OPEN)
	if err != nil {
		return nil, errors.Join(err, master.Close())
	}
	return &Terminal{Path: path, master: master, opened: opened}, nil
}

// openMaster is Pair without the client's side, which only its owner may open by
// the path.
func openMaster() (master *os.File, path string, err error) {
	master, tty, err := Pair()
	if err != nil {
		return nil, "", err
	}
	// The mode outlives this descriptor: the kernel keeps it until the
	// master side is closed.
	if err := errors.Join(tty.Chmod(0o600), tty.Close()); err != nil {
		return nil, "", errors.Join(err, master.Close())
	}
	return master, tty.Name(), nil
}

// Pair makes a pseudo-terminal in raw mode and returns its master side, which has
// deadlines, and that of clients. (*os.File).Fd would take the deadlines away. On
// systems other than Linux the error is an errors.ErrUnsupported.
func Pair() (master, tty *os.File, err error) {
	blocking, tty, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	if _, err := term.MakeRaw(int(tty.Fd())); err != nil {
		return nil, nil, errors.Join(err, tty.Close(), blocking.Close())
	}
	if master, err = pollable(blocking); err != nil {
		return nil, nil, errors.Join(err, tty.Close())
	}
	return master, tty, nil
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

// Accept waits for a client to open Path, and returns its connection, which has
// to be over before the next Accept. It ends with an error after Close. Who
// opened Path during a connection shared it; the one that follows then may be
// over at once.
func (p *Terminal) Accept() (*Line, error) {
	if err := p.flush(); err != nil {
		return nil, fmt.Errorf("serve pseudo-terminal: %w", err)
	}
	if _, err := p.opened.Read(make([]byte, eventsSize)); err != nil {
		return nil, fmt.Errorf("wait for client of pseudo-terminal: %w", err)
	}
	if err := p.master.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("serve pseudo-terminal: %w", err)
	}
	return &Line{master: p.master, end: p.interrupt}, nil
}

// interrupt ends the connection.
func (p *Terminal) interrupt() error { return p.master.SetDeadline(time.Now().Add(-time.Second)) }

// Close ends the terminal. It wakes Accept.
func (p *Terminal) Close() error { return errors.Join(p.opened.Close(), p.master.Close()) }

// flush discards what the client that left has not read. What it has not been
// heard saying may be the next client's.
func (p *Terminal) flush() error {
	return control(p.master, "ioctl TCFLSH", func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH) })
}

// control makes a system call on f that does not wait.
func control(f *os.File, name string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) { failed = call(int(fd)) })
	return errors.Join(err, os.NewSyscallError(name, failed))
}
