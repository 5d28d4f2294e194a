package client

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"powerspy2/meter"
	"powerspy2/record"
)

const (
	// firstPause is the pause after the second attempt to connect again, and
	// longestPause the longest one.
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

// patience returns for how long windows are to be waited for from now on; 0: for ever.
func (s *Source) patience() time.Duration {
	if s.first == 0 {
		return 0
	}
	return max(s.first-time.Since(s.since), 1)
}

// backOff returns the next pause, which is not the same for all clients.
func (s *Source) backOff() time.Duration {
	s.next = min(max(2*s.next, firstPause), longestPause)
	return s.next/2 + rand.N(s.next/2)
}

func (s *Source) wait(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}

// ended deals with a connection that has ended.
func (s *Source) ended(err error) {
	late := s.stream.close()
	s.stream = nil
	switch {
	case s.ctx.Err() != nil:
		s.failed = fmt.Errorf("measure with %s: %w", s.target, s.ctx.Err())
	case late:
		s.giveUp(cmp.Or(s.reason, errNoWindows))
	default:
		s.broken = broke(err)
		s.reason = s.broken
		s.say(meter.Recovering, "%s: connecting again", why(s.broken))
		if !s.fresh {
			s.pause = s.backOff() // it ends each time
		}
	}
}

// errNoWindows is a server that tells nothing of its meter.
var errNoWindows = errors.New("no readings came")

// broke says that a connection ended, of itself or in order.
func broke(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the server has ended the connection")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the connection to the server was silent for %v", quiet)
	case errors.Is(err, record.ErrFormat):
		return fmt.Errorf("what the server tells can't be read: %v", err) //nolint:errorlint // it is no file that was given
	}
	return errors.New("the connection to the server broke")
}

// mend does one thing to end an outage.
func (s *Source) mend() {
	if s.ctx.Err() != nil {
		s.end(fmt.Errorf("measure with %s: %w", s.target, s.ctx.Err()), s.broken)
		return
	}
	if s.first > 0 && time.Since(s.since) >= s.first {
		s.giveUp(s.reason)
		return
	}
	if s.pause > 0 {
		if p := s.patience(); p > 0 {
			s.pause = min(s.pause, p)
		}
		s.wait(s.pause)
		s.pause = 0
		return
	}
	err := s.connect()
	switch {
	case err == nil:
		s.say(meter.Streaming, "connected again")
	case s.ctx.Err() != nil:
	case IsFinal(err):
		s.end(err, s.broken)
	default:
		s.reason = err
		s.pause = s.backOff()
		s.say(meter.Recovering, "%s; trying again in %v", why(err), s.pause.Round(time.Second/10))
	}
}

func (s *Source) giveUp(reason error) { s.end(s.gaveUp(reason), cmp.Or(s.broken, reason)) }

// gaveUp says that no windows came in time.
func (s *Source) gaveUp(reason error) error {
	kind := meter.ErrNoAnswer
	if e, ok := errors.AsType[*meter.Error](reason); ok && e.Kind != nil {
		kind, reason = e.Kind, e.Err
	}
	return &meter.Error{Kind: kind, Op: "measure with " + s.target.String(), Err: fmt.Errorf("gave up after %v: %w", s.first.Round(time.Second), reason)}
}

// end ends the source. What was missed until now is a gap, for a reason.
func (s *Source) end(err, reason error) {
	if now := time.Now(); !s.place.local.IsZero() && reason != nil && now.After(s.place.local) {
		s.queue = append(s.queue, meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: s.place.local, To: now, Reason: why(reason)}})
	}
	s.failed = err
}
