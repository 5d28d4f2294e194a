package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
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

const (
	// firstPause is the pause after the second attempt to connect again, and
	// longestPause the longest one.
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

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

// begin connects, and waits for the first window. What goes on until then is told.
func (s *Source) begin() error {
	s.queue = nil
	if err := s.connect(); err != nil {
		return err
	}
	for s.place.local.IsZero() {
		l, err := s.stream.next()
		switch {
		case err == nil:
			s.take(l)
		case s.ctx.Err() != nil:
			return fmt.Errorf("measure with %s: %w", s.target, s.ctx.Err())
		case s.stream.late.Load():
			return s.gaveUp(cmp.Or(s.reason, errNoWindows))
		default:
			return &meter.Error{Kind: meter.ErrNoAnswer, Op: "measure with " + s.target.String(), Err: broke(err)}
		}
		s.queue = slices.DeleteFunc(s.queue, func(e meter.Event) bool {
			going := e.Kind == meter.StatusEvent && e.Status.Phase < meter.Noticed && e.Status.Kind == meter.Ordinary
			if going && s.cfg.Report != nil {
				s.cfg.Report(e.Status)
			}
			return going
		})
	}
	if late := time.Since(s.place.local); late > muchTooLate || late < -muchTooEarly {
		s.say(meter.Noticed, "the server's times are %.0f s apart from its clock, which was set since it began to measure: it has to be started again", late.Abs().Seconds())
	}
	return s.check()
}

// muchTooLate is more than it takes a window to get here.
const muchTooLate = 10 * time.Second

// check compares the server's windows with those that are wanted.
func (s *Source) check() error {
	sc, n := &s.cfg.Stream, s.header.Averaging
	if n == 0 || !(s.header.Frequency > 0) {
		return nil
	}
	if err := meter.CheckWindows(sc.Interval, n, s.header.Frequency); err != nil {
		return err
	}
	if sc.Averaging > 0 && sc.Averaging != n {
		s.say(meter.Noticed, "the server lets the meter average over %s; what was asked for has no effect", periods(n))
	}
	return nil
}

func periods(n int) string {
	if n == 1 {
		return "1 mains period"
	}
	return fmt.Sprintf("%d mains periods", n)
}

// connect finds the meter at the server, compares clocks, and begins a stream where
// the last one ended.
func (s *Source) connect() error {
	m, err := s.client.named(s.ctx, s.target.Server.Meter) // the same one as before, if there was one
	if err != nil {
		return err
	}
	t, err := s.synchronise()
	if err != nil {
		return err
	}
	another := t.Instance != s.instance
	if another {
		// Its windows go by its clock as it is now.
		s.clock.renew(true)
		s.place.server = time.Time{}
	}
	from := s.place.server
	if from.IsZero() && !s.place.local.IsZero() {
		from = s.clock.server(s.place.local.Add(s.place.delay))
	}
	stream, err := s.client.events(s.ctx, m.Name, from, s.patience())
	if err != nil {
		return err
	}
	s.stream, s.instance, s.fresh = stream, t.Instance, false
	s.target.Server.Meter, s.target.Name = m.Name, harmless.Text(m.Name)
	s.told(&stream.header)
	s.compare()
	return nil
}

// told takes in what the server tells of its meter, which is little before the server
// has reached it.
func (s *Source) told(h *record.Header) {
	if h.Averaging == 0 {
		return
	}
	if s.header.Averaging != 0 && !h.Meter.Same(&s.header.Meter) {
		s.say(meter.Noticed, "another meter answers there: serial number %d, where %d was before", h.Meter.Serial, s.header.Meter.Serial)
	}
	s.header = *h
	s.target.Address, s.target.There = h.Meter.Address, harmless.Text(h.Meter.Device)
}

// clocksApart is what is told of two clocks.
const clocksApart = time.Second

// compare tells once that the clocks are apart.
func (s *Source) compare() {
	ahead, _, _ := s.clock.offset(s.clock.now())
	if s.apart || ahead.Abs() <= clocksApart {
		return
	}
	s.apart = true
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	s.say(meter.Noticed, "the server's clock is %.1f s %s this machine's, whose times are told", ahead.Abs().Seconds(), way)
}

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
		return fmt.Errorf("what the server tells can't be read: %w", err)
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
