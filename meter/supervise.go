package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

// A Recovery says what may be done to get a meter to measure again, and for
// how long. Its zero value is all that disturbs nobody else, for ever.
type Recovery struct {
	// GiveUpAfter is how long to try after the last window; 0 for ever. Before
	// the first window 0 stands for FirstReading, and for trying again only
	// what a meter that is there may get over: other errors are told at once.
	GiveUpAfter time.Duration

	// AllowAdapterReset lets the adapter be switched off and on also while
	// other devices are connected through it, and on when somebody else has
	// switched it off.
	AllowAdapterReset bool

	// PowerCycle cuts the meter's power for a moment, and with it that of
	// what it feeds. Nil: that is not done.
	PowerCycle func(context.Context) error
}

// FirstReading is how long a meter that is there gets for its first reading,
// unless told otherwise.
const FirstReading = 2 * time.Minute

// A Supervised is a stream that is meant to last. When the meter falls silent,
// the link breaks or the adapter goes, it says so, gets the meter to measure
// again by the least disruptive step that helps, and goes on after a gap. Its
// methods must not be called concurrently.
type Supervised struct {
	ctx       context.Context
	target    Target
	recoverer recoverer
	// release gives back what Config.Claim took, which lasts through all
	// outages; nil: nothing.
	release func() error
	ladder  *ladder
	giveUp  time.Duration // after the last window; 0: never
	first   time.Duration // before the first one

	stream  source    // nil during an outage
	flows   bool      // a window came from it
	lastEnd time.Time // end of the last window; zero before the first
	lost    time.Time // end of the last window before an outage; zero if there was none
	since   time.Time // when to count giving up from
	cause   error     // of the outage
	reason  error     // the cause, or what the last step failed with
	step    Step      // announced, and to be taken next; 0: none
	pause   time.Duration
	hasty   time.Time // when the meter last sent frames faster than its mains allow
	queue   queue[Event]
	failed  error // final
}

// A source is a stream over one connection.
type source interface {
	Next() (Event, error)
	Stop(ctx context.Context) error
}

var _ source = (*Stream)(nil)

// A recoverer gets a meter to measure again.
type recoverer interface {
	// refuse returns why a step is of no use now, or not allowed; "" if it is
	// to be taken. reason is why readings ended, or what the step before failed
	// with.
	refuse(ctx context.Context, s Step, reason error) string

	// take takes a step and starts a stream, whose first window has arrived
	// when the error is nil.
	take(ctx context.Context, s Step) (source, error)

	// wait returns after d, or when something changed on this machine that
	// makes it worth while to try again.
	wait(ctx context.Context, d time.Duration)

	// began is called when an outage begins. An error is final.
	began(ctx context.Context) error

	// stop stops a stream. Without one it tells a meter to stop that may be
	// measuring all the same, which is a courtesy to the next program.
	stop(ctx context.Context, stream source) error
	close() error

	// lengthen goes on with longer windows than those of the stream that the
	// meter is sending, of which it leaves too many out, as the error says.
	lengthen(ctx context.Context, cause error) (source, error)

	// told returns what happened meanwhile, once.
	told() []Status

	// info returns what the meter said of itself last, and averaging how many
	// mains periods a window has now.
	info() Info
	averaging() int
}

// Supervise is Open and Meter.Stream for a measurement that is to last,
// whatever happens meanwhile. ctx governs all of it: when it ends, Next returns
// its error. Errors match those of Open and Meter.Stream.
func Supervise(ctx context.Context, cfg Config, sc StreamConfig, rec Recovery) (*Supervised, error) {
	return supervise(ctx, cfg, sc, rec, system)
}

func supervise(ctx context.Context, cfg Config, sc StreamConfig, rec Recovery, h host) (*Supervised, error) {
	if err := sc.check(); err != nil {
		return nil, err
	}
	start := time.Now()
	r, err := resolvePatiently(ctx, cfg, rec.GiveUpAfter, h)
	if err != nil {
		return nil, err
	}
	release, err := cfg.claim(r.target)
	if err != nil {
		return nil, err
	}
	recoverer := newRecoverer(r, sc, rec)
	s := &Supervised{
		ctx: ctx, recoverer: recoverer, release: release,
		ladder: newLadder(firstStep, lastStep),
		giveUp: rec.GiveUpAfter, first: cmp.Or(rec.GiveUpAfter, FirstReading), since: start,
	}
	s.stream, err = recoverer.first(ctx)
	s.tell()
	s.target = r.target // with the channel that was found
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil || IsFinal(err) || rec.GiveUpAfter == 0 && !MayPass(err) {
		return nil, unclaim(release, errors.Join(err, recoverer.close()))
	}
	s.stream = nil // not a nil *Stream in a source
	s.outage(err)
	return s, nil
}

// hastyAgain is within what time a meter that sends frames faster than its mains
// allow, although it was asked for their frequency again, is given up.
const hastyAgain = 5 * time.Minute

// resolvePatiently is resolve, again and again for so long.
func resolvePatiently(ctx context.Context, cfg Config, patience time.Duration, h host) (*route, error) {
	start := time.Now()
	l := newLadder(firstStep, lastStep)
	l.fail(start)
	for {
		r, err := resolve(ctx, cfg, h)
		now := time.Now()
		if err == nil || ctx.Err() != nil || IsFinal(err) || now.Sub(start) >= patience {
			return r, err
		}
		d := l.pause(now)
		cfg.report(Checking, "%s; trying again in %v", why(err), d.Round(time.Second/10))
		h.wait(ctx, d, h.look(ctx))
	}
}

// IsFinal tells an error that trying again does not mend: wrong usage, a kernel
// whose Bluetooth is stuck or absent, a PIN that was refused.
func IsFinal(err error) bool {
	for _, final := range []error{ErrUsage, rfcomm.ErrKernelStuck, rfcomm.ErrNotSupported} {
		if errors.Is(err, final) {
			return true
		}
	}
	var pin *PINError
	return errors.As(err, &pin) && !errors.Is(pin, bluez.ErrAuthCanceled)
}

// MayPass tells an error of a meter that is there and may get over it: silence,
// a link that broke.
func MayPass(err error) bool {
	for _, passing := range []error{powerspy.ErrNoAnswer, powerspy.ErrLink, rfcomm.ErrLinkLost, os.ErrDeadlineExceeded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// Target returns where the meter was found. It is what to remember for the
// next time.
func (s *Supervised) Target() Target { return s.target }

// Info returns what the meter said of itself when it was last connected to; the
// zero Info before that.
func (s *Supervised) Info() Info { return s.recoverer.info() }

// Averaging returns how many mains periods a window has now: what works with
// this meter.
func (s *Supervised) Averaging() int { return s.recoverer.averaging() }

// Next returns the next event. It blocks until there is one: a window, a gap,
// a status of its own. An error is final: the context's own, or one that says
// why it was given up. During a recovery an event comes at least with each
// step and each pause, every two minutes and a half at most.
func (s *Supervised) Next() (Event, error) {
	for {
		if e, ok := s.queue.pop(); ok {
			return e, nil
		}
		if s.failed != nil {
			return Event{}, s.failed
		}
		if s.stream == nil {
			s.mend()
			continue
		}
		e, err := s.stream.Next()
		switch {
		case err != nil:
			s.ended(err)
			continue
		case e.Kind != WindowEvent:
			return e, nil
		}
		s.flows, s.lastEnd = true, e.Window.End
		if s.lost.IsZero() {
			return e, nil
		}
		s.gap(e.Window.Start)
		s.queue.push(e)
	}
}

// ended deals with a stream that has ended.
func (s *Supervised) ended(err error) {
	flowed := s.flows
	if flowed {
		s.lost, s.since = s.lastEnd, time.Now()
		s.first = s.giveUp
		s.flows = false
	}
	if s.ctx.Err() != nil {
		if flowed {
			s.failed = err // what would have followed the last window is no gap
		} else {
			s.end(err)
		}
		return
	}
	s.stream = nil
	switch {
	case errors.Is(err, errLeftOut):
		s.cause = err
		stream, lerr := s.recoverer.lengthen(s.ctx, err)
		s.tell()
		if lerr == nil {
			s.stream = stream
			return
		}
		err = lerr
	case errors.Is(err, errTooFast) && !s.hasty.IsZero() && time.Since(s.hasty) < hastyAgain:
		s.end(err)
		return
	case errors.Is(err, errTooFast):
		s.hasty = time.Now() // the mains frequency is asked for again
	}
	s.outage(err)
}

// tell queues what happened in starting a stream.
func (s *Supervised) tell() {
	for _, st := range s.recoverer.told() {
		s.queue.push(Event{Kind: StatusEvent, Status: st})
	}
}

// outage begins a time without readings.
func (s *Supervised) outage(cause error) {
	s.ladder.fail(time.Now())
	s.cause, s.reason = cause, cause
	if IsFinal(cause) {
		s.end(cause)
		return
	}
	if err := s.recoverer.began(s.ctx); err != nil {
		s.end(err)
		return
	}
	s.say(Stalled, 0, "%s", why(cause))
}

// mend does one thing to end an outage: it announces a step or a pause, or
// does what it has announced.
func (s *Supervised) mend() {
	now := time.Now()
	switch {
	case s.ctx.Err() != nil:
		s.end(fmt.Errorf("measure with %s: %w", s.target, s.ctx.Err()))
	case s.first > 0 && now.Sub(s.since) >= s.first:
		s.end(gaveUp(s.target, s.first, s.reason))
	case s.pause > 0:
		s.recoverer.wait(s.ctx, s.pause)
		s.pause = 0
	case s.step > 0:
		s.take()
	default:
		step, ok := s.ladder.next()
		if !ok {
			s.pause = s.ladder.pause(now)
			s.say(Recovering, 0, "trying again in %v: %s", s.pause.Round(time.Second/10), why(s.reason))
		} else if s.recoverer.refuse(s.ctx, step, s.reason) == "" {
			s.step = step
			s.say(Recovering, step, "recovering, step %d of %d: %s", step, lastStep, stepKinds[step].doing)
		}
	}
}

// take takes the step that was announced.
func (s *Supervised) take() {
	step := s.step
	s.step = 0
	stream, err := s.recoverer.take(s.ctx, step)
	s.tell()
	if err != nil {
		s.reason = err
		if IsFinal(err) {
			s.end(err)
		}
		return
	}
	now := time.Now()
	s.ladder.help(now)
	s.stream = stream
	s.say(Streaming, 0, "measuring again (step %d, %s)", step, step)
}

// gap queues the gap of an outage that ended at a time.
func (s *Supervised) gap(to time.Time) {
	if s.lost.IsZero() {
		return
	}
	// Without their monotonic readings, since the wall clock may have been set
	// meanwhile, and a machine's sleep counts only there.
	from, to := s.lost.Round(0), to.Round(0)
	s.lost = time.Time{}
	s.queue.push(Event{Kind: GapEvent, Gap: Gap{From: from, To: to, Reason: why(s.cause)}})
}

// end ends the stream for good.
func (s *Supervised) end(err error) {
	// By the clock of the windows, which may have been set back since.
	s.gap(s.lost.Add(time.Since(s.lost)))
	s.failed = err
}

func (s *Supervised) say(p Phase, step Step, format string, args ...any) {
	s.queue.push(Event{Kind: StatusEvent, Status: Status{
		Time: time.Now(), Phase: p, Step: step, Text: fmt.Sprintf(format, args...),
	}})
}

// gaveUp says that a meter did not measure again in time.
func gaveUp(t Target, after time.Duration, reason error) error {
	e := &Error{Kind: ErrNoAnswer, Op: "measure with " + t.String()}
	if last, ok := errors.AsType[*Error](reason); ok {
		e.Kind = last.Kind
	}
	e.Err = fmt.Errorf("gave up after %v: %w", after.Round(time.Second), reason)
	return e
}

// Stop tells the meter to stop, if it measures, and waits until it has. It
// works after the stream's own context ended; ctx bounds it. Errors are those of
// [Stream.Stop].
func (s *Supervised) Stop(ctx context.Context) error { return s.recoverer.stop(ctx, s.stream) }

// Close closes the link and gives the meter back to others. It does not stop
// the meter first: see Stop. The error is that of closing or giving back.
func (s *Supervised) Close() error {
	err := s.recoverer.close()
	if s.release != nil {
		err = errors.Join(err, s.release())
	}
	return err
}
