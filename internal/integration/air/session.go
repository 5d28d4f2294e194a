package air

import (
	"context"
	"io"
	"sync"
	"time"

	"powerspy2/bdaddr"
)

// A session is one life of a controller in its socket: what a host has set up
// in it, its links and its timers. Controller.mu guards it.
type session struct {
	c      *Controller
	ctx    context.Context // of Run
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // timers and goroutines of channels
	ended  bool
	timers map[*timer]struct{}

	out     [][]byte // packets for the host, in order
	changed *sync.Cond
	held    [][]byte // ACL data that came while the controller hung

	settings   map[uint16][]byte
	links      map[uint16]*link
	nextHandle uint16
	pages      map[*Device]*page
	names      map[bdaddr.Address]*timer
	inquiry    *inquiry
}

func newSession(c *Controller, ctx context.Context, cancel context.CancelCauseFunc) *session {
	s := &session{
		c:          c,
		ctx:        ctx,
		cancel:     cancel,
		timers:     make(map[*timer]struct{}),
		changed:    sync.NewCond(&c.mu),
		settings:   make(map[uint16][]byte),
		links:      make(map[uint16]*link),
		pages:      make(map[*Device]*page),
		names:      make(map[bdaddr.Address]*timer),
		nextHandle: 1,
	}
	return s
}

// readLoop takes packets from the host until reading fails, whose error it returns.
func (s *session) readLoop(rw io.Reader) error {
	buf := make([]byte, 64<<10)
	var pending []byte
	for {
		n, err := rw.Read(buf)
		if err != nil {
			return err
		}
		pending = append(pending, buf[:n]...)
		for {
			l, err := packetLength(pending)
			if err != nil {
				return err
			}
			if l == 0 || len(pending) < l {
				break
			}
			if !s.receive(pending[:l]) {
				return context.Cause(s.ctx)
			}
			pending = pending[l:]
		}
	}
}

// receive handles one packet of the host; false when the session is over.
func (s *session) receive(p []byte) bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for len(s.out) >= outputLimit && !s.ended {
		s.changed.Wait()
	}
	if s.ended {
		return false
	}
	if s.c.cfg.Trace != nil {
		s.c.cfg.Trace(false, p)
	}
	switch {
	case !s.c.hung:
		s.handle(p)
	case p[0] == packetACL && len(s.held) < heldLimit:
		s.held = append(s.held, append([]byte(nil), p...))
	}
	return true
}

func (s *session) handle(p []byte) {
	switch p[0] {
	case packetCommand:
		s.command(uint16(p[1])|uint16(p[2])<<8, p[4:])
	case packetACL:
		s.acl(p[1:])
	}
}

// writeLoop sends what is queued until writing fails, whose error it returns,
// or the session ends.
func (s *session) writeLoop(rw io.Writer) error {
	for {
		s.c.mu.Lock()
		for !s.ended && (len(s.out) == 0 || s.c.hung) {
			s.changed.Wait()
		}
		if s.ended {
			s.c.mu.Unlock()
			return nil
		}
		out := s.out
		s.out = nil
		s.changed.Broadcast()
		s.c.mu.Unlock()
		for _, p := range out {
			if _, err := rw.Write(p); err != nil {
				return err
			}
		}
	}
}

// send queues a packet for the host.
func (s *session) send(p []byte) {
	if s.ended {
		return
	}
	if s.c.cfg.Trace != nil {
		s.c.cfg.Trace(true, p)
	}
	s.out = append(s.out, p)
	s.changed.Broadcast()
}

func (s *session) event(code byte, params []byte) { s.send(eventPacket(code, params)) }

// end takes everything down, so that whatever waits for s.work can return.
func (s *session) end() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.reset()
	s.ended = true
	for t := range s.timers {
		t.stop()
	}
	s.changed.Broadcast()
}

// reset brings the session to the state after HCI Reset: no links, nothing
// under way, all settings at their defaults.
func (s *session) reset() {
	s.stopInquiry()
	for _, p := range s.pages {
		p.timer.stop()
	}
	clear(s.pages)
	for _, t := range s.names {
		t.stop()
	}
	clear(s.names)
	for _, l := range s.links {
		l.remove(LocalHostEnded)
	}
	clear(s.settings)
	s.held = nil
}

// A timer runs a function once, with the controller locked, unless stopped
// before.
type timer struct {
	s    *session
	t    *time.Timer
	done bool
}

// after arranges for f to run after d. The caller holds the lock.
func (s *session) after(d time.Duration, f func()) *timer {
	t := &timer{s: s}
	if s.ended {
		t.done = true
		return t
	}
	s.work.Add(1)
	s.timers[t] = struct{}{}
	t.t = time.AfterFunc(d, func() {
		defer s.work.Done()
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		if t.done {
			return
		}
		t.done = true
		delete(s.timers, t)
		f()
	})
	return t
}

// stop makes sure that the function of t will not run. A nil timer is stopped.
func (t *timer) stop() {
	if t == nil || t.done {
		return
	}
	t.done = true
	delete(t.s.timers, t)
	if t.t.Stop() {
		t.s.work.Done()
	}
}
