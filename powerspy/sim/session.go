package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// backlog is how many frames and answers the meter keeps for a client that
// does not read them. Frames older than the last so many, and whatever more
// there is, are lost.
const backlog = 256

// A message is something on its way to the client.
type message struct {
	due  time.Time
	text []byte
}

// A session is one connection being served.
type session struct {
	m      *Meter
	rw     io.ReadWriteCloser
	opened time.Time
	cancel context.CancelCauseFunc
	wake   chan struct{} // Holds a token when the sender has to look again.

	// Guarded by m.mu.
	queue   []message // In the order of sending: none overtakes, however late the one before.
	stream  *realtime // Whose frames are being queued; nil for none.
	next    int       // The first window that is not queued yet.
	hung    bool
	dropped bool   // Nothing is heard or said any more.
	writes  uint64 // Counts writes, for their random sizes.
}

// serve talks to a client until it goes, ctx ends or a fault drops the link.
// It closes rw. The caller holds the meter's slot.
func (m *Meter) serve(ctx context.Context, cancel context.CancelCauseFunc, rw io.ReadWriteCloser) error {
	s := &session{m: m, rw: rw, opened: time.Now(), cancel: cancel, wake: make(chan struct{}, 1)}
	m.mu.Lock()
	m.advance(s.opened)
	m.session = s
	if m.waiting > 0 && m.cfg.Busy == BusyReplace {
		cancel(errReplaced) // The next one came before this was there to see.
	}
	if m.stream != nil {
		// The meter streams on from its last client. What it sent between
		// the connections is lost.
		s.stream, s.next = m.stream, m.windows(m.stream, s.opened)
	}
	m.mu.Unlock()

	var wg sync.WaitGroup
	wg.Go(func() {
		<-ctx.Done()
		// Wakes the reader and the sender. That it may be closed already
		// is not a failure.
		_ = rw.Close()
	})
	wg.Go(func() {
		if err := s.send(ctx); err != nil && !gone(err) {
			cancel(fmt.Errorf("send to client: %w", err))
		}
	})
	err := s.receive(ctx)
	cancel(err)
	wg.Wait()

	m.mu.Lock()
	now := m.now()
	m.advance(now)
	m.conclude(now, func(r record) bool { return r.mortal })
	m.session = nil
	m.mu.Unlock()
	if err = context.Cause(ctx); gone(err) {
		return nil
	}
	return err
}

// gone reports whether err says no more than that the client has left.
func gone(err error) bool {
	for _, target := range []error{
		io.EOF, io.ErrClosedPipe, net.ErrClosed, os.ErrClosed,
		syscall.EPIPE, syscall.ECONNRESET,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// receive obeys what the client asks until the link ends.
func (s *session) receive(ctx context.Context) error {
	var p parser
	var late uint64
	buf := make([]byte, 512)
	for {
		n, err := s.rw.Read(buf)
		if n > 0 {
			cfg := &s.m.cfg
			late++
			opened := uint64(s.opened.Sub(s.m.epoch))
			delay := cfg.Delay + s.m.rnd.exponential(cfg.Jitter, forUplink, late, opened) +
				cfg.Radio.answer(s.m.rnd, forRequest, late, opened)
			if !sleep(ctx, delay) {
				return context.Cause(ctx)
			}
			s.obey(&p, buf[:n])
		}
		if err != nil {
			return fmt.Errorf("receive from client: %w", err)
		}
	}
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// obey executes the requests completed by b.
func (s *session) obey(p *parser, b []byte) {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	if s.deaf(now) {
		return
	}
	for _, c := range b {
		request, ok := p.feed(c)
		if !ok {
			continue
		}
		s.collect(now) // What ended before is sent before.
		answer := m.execute(now, request)
		if m.stream != s.stream {
			s.stream, s.next = m.stream, 0
		}
		if answer != "" && !m.loses() {
			at := now.Add(m.cfg.Radio.answer(m.rnd, forAnswer, m.answers, 0))
			if m.cfg.Field != nil {
				at = now.Add(m.cfg.Field.trip(m.rnd, m.answers))
			}
			s.enqueue(at, []byte(answer), m.answers, ^uint64(0))
		}
	}
	s.wakeUp()
}

func (s *session) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// deaf reports whether the meter hangs, or the link is gone.
func (s *session) deaf(now time.Time) bool {
	_, hangs := s.m.suffers(hangFault, now)
	_, dead := s.m.suffers(deadFault, now)
	return s.dropped || s.hung || s.m.hung || hangs || dead
}

// mute reports whether what arrives now is lost on the way.
func (s *session) mute(now time.Time) bool {
	if s.deaf(now) || s.m.silent {
		return true
	}
	_, silent := s.m.suffers(silenceFault, now)
	return silent
}

// enqueue puts a message that left the meter at a time on its way. n and k
// choose its random delay.
func (s *session) enqueue(at time.Time, text []byte, n, k uint64) {
	if len(s.queue) >= backlog {
		return
	}
	m := s.m
	due := at.Add(m.cfg.Delay + m.rnd.exponential(m.cfg.Jitter, forDelay, n, k))
	if m.cfg.Stall > 0 && m.rnd.unit(forStall, n, k) < m.cfg.Stall {
		span := float64(m.cfg.StallMax - m.cfg.StallMin)
		due = due.Add(m.cfg.StallMin + time.Duration(span*m.rnd.unit(forStallLength, n, k)))
	}
	s.queue = append(s.queue, message{due, text})
}

// collect queues the frames of the windows that have ended by now.
func (s *session) collect(now time.Time) {
	m, r := s.m, s.stream
	if r == nil {
		return
	}
	ended := m.windows(r, now)
	s.next = max(s.next, ended-backlog)
	for ; s.next < ended; s.next++ {
		t := m.window(r, s.next)
		if t.LeftOut {
			continue
		}
		frame := appendFrame(nil, t, m.scale)
		n, k := uint64(r.number), uint64(s.next)
		if m.rnd.unit(forNoise, n, k<<8|0xfe) < m.share(noiseFault, m.faults.Noise, t.End) || r.damaged(s.next) {
			frame = m.rnd.corrupt(frame, n, k)
		}
		s.enqueue(m.time(r.arrive(s.next)), []byte(m.line(string(frame))), n, k)
	}
}

// share returns the share of frames that a fault hits: the usual one, or more
// during a spell.
func (m *Meter) share(fault string, usual float64, at time.Time) float64 {
	if _, suffers := m.suffers(fault, at); suffers {
		return max(usual, batteryShare)
	}
	return usual
}

// take appends to b what is due by now, and says when to look again; zero
// for not before something happens.
func (s *session) take(b []byte, now time.Time) ([]byte, time.Time) {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(now)
	s.collect(now)
	sent := 0
	_, late := m.suffers(lateFault, now)
	for _, msg := range s.queue {
		if late || msg.due.After(now) {
			break
		}
		if !s.mute(now) {
			b = append(b, msg.text...)
		}
		sent++
	}
	s.queue = append(s.queue[:0], s.queue[sent:]...)

	var again time.Time
	sooner := func(t time.Time) {
		if again.IsZero() || t.Before(again) {
			again = t
		}
	}
	if len(s.queue) > 0 && !late {
		sooner(s.queue[0].due)
	}
	if s.stream != nil {
		sooner(m.time(s.stream.end(s.next)))
	}
	if turn := m.nextTurn(now); !turn.IsZero() {
		sooner(turn)
	}
	return b, again
}

// send writes what is due when it is due.
func (s *session) send(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var buf []byte
	for ctx.Err() == nil {
		var again time.Time
		buf, again = s.take(buf[:0], time.Now())
		if len(buf) > 0 {
			if err := s.write(buf); err != nil {
				return err
			}
			continue
		}
		var due <-chan time.Time
		if !again.IsZero() {
			timer.Reset(time.Until(again))
			due = timer.C
		}
		select {
		case <-due:
		case <-s.wake:
		case <-ctx.Done():
		}
	}
	return nil
}

// write sends b, in pieces if the meter's bytes are to come chopped.
func (s *session) write(b []byte) error {
	for len(b) > 0 {
		n := len(b)
		if s.chopped() {
			s.writes++
			n = min(n, 1+int(s.m.rnd.bits(forChop, s.writes, 0)%7))
		}
		if _, err := s.rw.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (s *session) chopped() bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	_, chops := s.m.suffers(chopFault, s.m.now())
	return s.m.faults.Chop || chops
}
