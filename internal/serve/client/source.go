package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy/timebase"
	"powerspy2/record"
)

// A Config says which meter is wanted, and how.
type Config struct {
	Login

	// Alias is the user's own name for the meter; may be empty.
	Alias string

	// Stream: an Interval that is shorter than the server's windows is refused, other
	// windows than the one that Averaging asks for are told. Delay is the constant
	// delay of the server's link to the meter, where the server does not know it.
	Stream meter.StreamConfig

	// GiveUpAfter is that of [meter.Recovery], of the server and its meter alike.
	GiveUpAfter time.Duration

	// Report is told what goes on while a Source is opened. May be nil.
	Report func(meter.Status)

	// Mark is told the marks that the server tells, by this machine's clock, from the
	// goroutine that calls Next. May be nil.
	Mark func(measure.Mark)
}

// A Source is a meter at a server. It ends with the context that it was opened with,
// and goes on whatever happens to the connection.
type Source struct {
	ctx    context.Context
	cfg    Config
	client *Client
	clock  *clock
	place  placer
	wall   timebase.WallClock // of this machine

	exchanging chan struct{}      // has room for one
	slept      timebase.WallClock // seen with each exchange

	cancel   context.CancelFunc // ends follow
	followed chan struct{}      // closed at its end

	target   meter.Target
	header   record.Header
	instance string // of the server

	stream *stream // nil: the connection is broken
	fresh  bool    // a window came over it that was not known
	broken error   // why the last connection ended; nil: there was none, or windows came since
	reason error   // why no windows come, for giving up
	since  time.Time
	first  time.Duration // how long to wait for windows; 0: for ever
	pause  time.Duration // before it is connected to again
	next   time.Duration // the pause after that
	apart  bool          // it was told that the clocks are
	turned bool          // the server told that its clock was set, after which windows may go by it anew
	queue  []meter.Event
	marks  []measure.Mark // that are not told yet
	known  []measure.Mark // that came since the last window, by the server's clock
	failed error          // final
}

var _ measure.Remote = (*Source)(nil)

// Open connects to a server, and returns when windows come. ctx
// governs all of the Source. Errors are *[meter.Error], with a cause of this
// package where one fits, or the context's; with GiveUpAfter only those that did not
// pass in so long, or never do.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	return open(ctx, cfg, New(cfg.Login))
}

func open(ctx context.Context, cfg Config, c *Client) (*Source, error) {
	s := &Source{
		ctx: ctx, cfg: cfg, client: c, clock: newClock(), exchanging: make(chan struct{}, 1),
		since: time.Now(), first: cmp.Or(cfg.GiveUpAfter, meter.FirstReading),
		target: meter.Target{Kind: meter.Served, Server: cfg.Server, Alias: cfg.Alias},
	}
	s.place = placer{clock: s.clock, delay: cfg.Stream.Delay}
	s.report(meter.Connecting, "connecting to %s", s.target)
	for {
		err := s.begin()
		if err == nil {
			break
		}
		if s.stream != nil {
			s.stream.close()
			s.stream = nil
		}
		if ctx.Err() != nil || IsFinal(err) || time.Since(s.since) >= cfg.GiveUpAfter {
			c.Close()
			return nil, err
		}
		d := min(s.backOff(), s.patience())
		s.report(meter.Checking, "%s; trying again in %v", why(err), d.Round(time.Second/10))
		s.wait(d)
	}
	follow, cancel := context.WithCancel(ctx)
	s.cancel, s.followed = cancel, make(chan struct{})
	go func() {
		defer close(s.followed)
		s.follow(follow)
	}()
	return s, nil
}

// Next implements [measure.Source]. While the server is away an event comes with each
// attempt to connect to it.
func (s *Source) Next() (meter.Event, error) {
	for {
		for _, m := range s.marks {
			if s.cfg.Mark != nil {
				s.cfg.Mark(m)
			}
		}
		s.marks = s.marks[:0]
		if len(s.queue) > 0 {
			e := s.queue[0]
			s.queue = s.queue[:copy(s.queue, s.queue[1:])]
			return e, nil
		}
		if s.failed != nil {
			return meter.Event{}, s.failed
		}
		if s.stream == nil {
			s.mend()
			continue
		}
		l, err := s.stream.next()
		if err != nil {
			s.ended(err)
			continue
		}
		s.take(l)
	}
}

// take takes a line in.
func (s *Source) take(l *record.Line) {
	switch l.Kind {
	case record.HeaderLine:
		s.told(&l.Header)
	case record.MarkLine:
		m := l.Mark
		if slices.ContainsFunc(s.known, func(k measure.Mark) bool { return k.Time.Equal(m.Time) && k.Name == m.Name && k.End == m.End }) {
			return // it came before the connection broke, too
		}
		s.known = append(s.known, m)
		m.Time = s.place.time(m.Time)
		s.marks = append(s.marks, m)
	case record.EventLine:
		switch e := &l.Event; e.Kind {
		case meter.WindowEvent:
			s.window(&e.Window)
		case meter.GapEvent:
			if s.turned {
				s.turned = false
				_, _ = s.exchange(s.ctx) // else it is placed by the clock as it was
			}
			s.clock.renew(false)
			if !s.place.local.IsZero() && s.place.gap(&e.Gap) {
				e.Gap.Reason = harmless.Text(e.Gap.Reason)
				s.queue = append(s.queue, *e)
			}
		case meter.StatusEvent:
			s.status(&e.Status)
		}
	}
}

func (s *Source) window(w *meter.Window) {
	length := w.End.Sub(w.Start)
	if known := s.place.server; !known.IsZero() && w.Start.Before(known.Add(-length/2)) {
		if !s.fresh {
			return
		}
		// The server has set its windows back: they go by its clock again.
		s.clock.renew(true)
		s.place.server = time.Time{}
	}
	if s.place.past(w) {
		return
	}
	s.fresh = true
	s.known = s.known[:0]
	if step := s.wall.Step(time.Now()); step != 0 {
		s.queue = append(s.queue, meter.Event{Kind: meter.StatusEvent, Status: meter.ClockStepped(time.Now(), step)})
	}
	if g, ok := s.place.missing(w); ok {
		g.Reason = "the server has left windows out"
		if s.broken != nil {
			g.Reason = why(s.broken)
		}
		s.queue = append(s.queue, meter.Event{Kind: meter.GapEvent, Gap: g})
	}
	s.place.window(w)
	s.queue = append(s.queue, meter.Event{Kind: meter.WindowEvent, Window: *w})
	s.broken, s.reason, s.next = nil, nil, 0
	s.since, s.first = time.Now(), s.cfg.GiveUpAfter
	s.stream.within(s.first)
}

// status passes on what the server tells of its meter.
func (s *Source) status(st *meter.Status) {
	s.turned = s.turned || st.Kind == meter.ClockStep
	st.Time = s.place.time(st.Time)
	st.Text = harmless.Text(st.Text)
	if st.Phase == meter.Stalled || st.Phase == meter.Recovering {
		s.reason = errors.New(st.Text)
	}
	s.queue = append(s.queue, meter.Event{Kind: meter.StatusEvent, Status: *st})
}

func (s *Source) say(p meter.Phase, format string, args ...any) {
	s.queue = append(s.queue, meter.Event{Kind: meter.StatusEvent, Status: meter.Status{
		Time: time.Now(), Phase: p, Text: fmt.Sprintf(format, args...),
	}})
}

func (s *Source) report(p meter.Phase, format string, args ...any) {
	if s.cfg.Report != nil {
		s.cfg.Report(meter.Status{Time: time.Now(), Phase: p, Text: fmt.Sprintf(format, args...)})
	}
}

// Stop implements [measure.Source]. The meter goes on: it is the server's.
func (s *Source) Stop(context.Context) error { return nil }

// Close implements [measure.Source].
func (s *Source) Close() error {
	s.cancel()
	<-s.followed
	if s.stream != nil {
		s.stream.close()
		s.stream = nil
	}
	s.client.Close()
	return nil
}

// Target implements [measure.Source]: the server, with the meter's name and, where it
// is one of Bluetooth, its address.
func (s *Source) Target() meter.Target { return s.target }

// Info implements [measure.Source]: what the meter said to the server.
func (s *Source) Info() meter.Info {
	i := s.header.Info()
	i.Target = s.target
	return i
}

// ClockError implements [measure.Remote]. It is 0 where the server is on this machine.
//
// It is the part of the uncertainty that windows have in common; the part that is each
// window's own is in its Error.
func (s *Source) ClockError() time.Duration { return s.clock.common() }
