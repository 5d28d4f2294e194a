package terminal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Listener gives every client a pseudo-terminal of its own. A symbolic link
// leads to one that nobody has opened yet; once somebody does, it leads to the
// next, and the one that was opened refuses everybody else (EBUSY; the superuser
// alone is let in). So two clients never share one, each can be hung up by
// itself, and none finds the settings or the bytes of an earlier one.
type Listener struct {
	link   string
	events *os.File // inotify(7): openings and closings of terminals

	mu     sync.Mutex // guards the fields below
	next   *waiting   // what the link leads to
	closed bool
}

// waiting is a pseudo-terminal that waits for its client.
type waiting struct {
	path    string
	master  *os.File
	watch   int  // descriptor among the events
	opened  bool // once at least
	clients int  // that have it open, as far as the events were read
}

// changes are the events that count how many have a terminal open.
const changes = unix.IN_OPEN | unix.IN_CLOSE

// Listen makes link a symbolic link to a pseudo-terminal in raw mode, which only
// its owner may open. A symbolic link that is there already is replaced, anything
// else is an error.
func Listen(link string) (_ *Listener, err error) {
	// Of equal events in a row the kernel keeps one. Those of the directory
	// come between those of a terminal, so that each of these is told.
	events, err := watch("/dev/pts", changes)
	if err != nil {
		return nil, err
	}
	l := &Listener{link: link, events: events}
	if err := l.replace(); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return l, nil
}

// Accept waits for a client to open the link, and returns its connection. When
// two open it in the same instant, before the link leads elsewhere, both are
// hung up: each would get a part of the answers. It ends with net.ErrClosed
// after Close. It must not be called concurrently.
func (l *Listener) Accept() (*Line, error) {
	for {
		w := l.waiting()
		err := l.wait(w)
		if err == nil {
			err = l.replace()
		}
		if err != nil {
			return nil, l.failed(err)
		}
		err = l.settle(w)
		if err == nil && w.clients <= 1 {
			return &Line{master: w.master, end: w.master.Close}, nil
		}
		if err := errors.Join(err, w.master.Close()); err != nil {
			return nil, l.failed(err)
		}
	}
}

// failed tells the end of the listener from other errors.
func (l *Listener) failed(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	return fmt.Errorf("serve pseudo-terminal: %w", err)
}

func (l *Listener) waiting() *waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// replace makes the link lead to a new terminal.
func (l *Listener) replace() error {
	master, path, err := openMaster()
	if err != nil {
		return err
	}
	w := &waiting{path: path, master: master}
	err = control(l.events, "inotify_add_watch", func(fd int) error {
		w.watch, err = unix.InotifyAddWatch(fd, path, changes)
		return err
	})
	if err != nil {
		return errors.Join(err, master.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.Join(net.ErrClosed, master.Close())
	}
	if err := Link(path, l.link); err != nil {
		return errors.Join(err, master.Close())
	}
	l.next = w
	return nil
}

// Close removes the link, unless it leads elsewhere by now, and wakes Accept.
// The connections stay.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var err error
	if now, rerr := os.Readlink(l.link); rerr == nil && now == l.next.path {
		err = os.Remove(l.link)
	}
	return errors.Join(err, l.events.Close(), l.next.master.Close())
}

// wait waits until somebody has opened the terminal.
func (l *Listener) wait(w *waiting) error {
	events := make([]byte, eventsSize)
	for !w.opened {
		n, err := l.events.Read(events)
		if err != nil {
			return err
		}
		note(events[:n], w)
	}
	return nil
}

// settle ends the wait for clients of a terminal that the link leads to no more.
// If there is one alone, others are refused from here on.
func (l *Listener) settle(w *waiting) error {
	next := l.waiting()
	err := control(l.events, "read", func(fd int) error {
		events := make([]byte, eventsSize)
		for {
			n, err := unix.Read(fd, events)
			if errors.Is(err, unix.EAGAIN) {
				_, err = unix.InotifyRmWatch(fd, uint32(w.watch))
				return err
			}
			if err != nil {
				return err
			}
			note(events[:n], w, next)
		}
	})
	if err == nil && w.clients <= 1 {
		err = w.exclude()
	}
	return err
}

// exclude refuses further openings of the terminal, which takes a descriptor of
// the clients' side for a moment. A client that excludes the others by itself is
// quicker at times.
func (w *waiting) exclude() error {
	fd, err := unix.Open(w.path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: w.path, Err: err}
	}
	err = os.NewSyscallError("ioctl TIOCEXCL", unix.IoctlSetInt(fd, unix.TIOCEXCL, 0))
	return errors.Join(err, unix.Close(fd))
}

// eventsSize is room for some events of inotify(7), at least one.
const eventsSize = 64 * (unix.SizeofInotifyEvent + unix.NAME_MAX + 1)

// watch returns a file that has something to read when one of the events happens
// to path.
func watch(path string, mask uint32) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	if _, err = unix.InotifyAddWatch(fd, path, mask); err != nil {
		return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// note counts the events of the terminals.
func note(events []byte, terminals ...*waiting) {
	for len(events) >= unix.SizeofInotifyEvent {
		descriptor, mask := binary.NativeEndian.Uint32(events), binary.NativeEndian.Uint32(events[4:])
		for _, w := range terminals {
			switch {
			case w.watch != int(descriptor):
			case mask&unix.IN_OPEN != 0:
				w.opened = true
				w.clients++
			case mask&unix.IN_CLOSE != 0:
				w.clients--
			}
		}
		name := binary.NativeEndian.Uint32(events[12:]) // its length
		events = events[unix.SizeofInotifyEvent+name:]
	}
}
