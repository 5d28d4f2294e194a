package client

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/meter"
	"powerspy2/record"
)

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
	stream, err := s.client.events(s.ctx, m.Name, from, s.patience(), 0)
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
