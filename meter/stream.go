package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// A StreamConfig says what a stream is to yield.
type StreamConfig struct {
	// Averaging is the length of an averaging window in mains periods, up to
	// one second of them. 0: see AutoAveraging; with [Supervise] also longer ones
	// where the meter can't keep up with that, now or in an earlier run (see
	// Facts.Averaging).
	Averaging int

	// Interval is the shortest interval that readings will be made of, from one
	// mains period to MaxInterval: windows are not longer. 0: none is in mind.
	Interval time.Duration

	// Live yields windows as soon as their frames come, placed by what is known
	// then. Otherwise they come up to [Lag] after their end, placed by what came
	// later, too.
	Live bool

	// Delay is the constant part of the delay of frames, where it was measured.
	// 0: it is taken to be half of the shortest round trip.
	Delay time.Duration

	// MaxLeftOut is the share of windows, above 0 and up to 1, that the meter
	// may leave out before it is told and, with an Averaging of 0, longer windows
	// are tried. 0: DefaultMaxLeftOut.
	MaxLeftOut float64

	// Arrivals, if not nil, is told of each frame, the first one too, before
	// the events that are made of it. It must not keep a.
	Arrivals func(a *Arrival)
}

// Lag is how long after its end a window is yielded at most, unless its frame
// comes later still.
const Lag = 500 * time.Millisecond

// DefaultMaxLeftOut is the share of windows that meters may leave out: over
// twice what real ones were seen to.
const DefaultMaxLeftOut = 0.1

// check fills in defaults and checks what can be checked before the meter is
// known.
func (c *StreamConfig) check() error {
	if c.MaxLeftOut == 0 {
		c.MaxLeftOut = DefaultMaxLeftOut
	}
	if c.Interval == 0 {
		return nil
	}
	return CheckInterval(c.Interval)
}

// A Stream yields windows. Its methods must not be called concurrently.
type Stream struct {
	*placer
	m        *Meter
	rt       *powerspy.Realtime
	patience time.Duration // for the first frame, beyond a window

	rejected uint64    // damaged frames, of the client's count
	heard    time.Time // when the last frame arrived; at first, when the stream began
	looked   time.Time // when it was looked last for what is due
	frames   int       // that were taken, the first one too
	failed   error     // final

	reprieve  time.Time // until when frames may come after a silence that was not listened to
	reprieves int       // that there were since the last frame
}

// A timeline runs through all the streams of a measurement.
type timeline struct {
	wall timebase.WallClock

	// roundTrip is the shortest one of all links: a new one has made few.
	roundTrip time.Duration

	// reference is the moment whose wall clock the times of windows go by.
	reference time.Time

	told []StatusKind // of what quality tells

	// spread is for how long frames were away lately, and came then.
	spread time.Duration
}

// at returns the moment with the wall clock that windows go by. The moment is
// about now, and a stream begins: its windows may go by the clock as it is now,
// if that puts none before an earlier one.
func (t *timeline) at(moment time.Time) time.Time {
	placed := t.reference.Add(moment.Sub(t.reference))
	if t.reference.IsZero() || placed.Round(0).Before(moment.Round(0)) {
		t.reference = moment
		return moment
	}
	return placed
}

const (
	// minSilence is how long a meter has to be silent to be given up, beyond
	// the delays that were seen. firstFrame is what it may need in addition to a
	// window for its first frame, and lastFirstFrame where no other length of
	// window is left to be tried.
	minSilence     = time.Second
	firstFrame     = 2 * time.Second
	lastFirstFrame = 9 * time.Second

	// maxSpread bounds the times without frames that are waited for, and
	// maxSilent what is learnt from a silence that was not waited for: the meter
	// may have paused, and not have stopped.
	maxSpread = 5 * time.Second
	maxSilent = 2 * time.Second

	// A process that was held up, as on a machine that was paused or swaps, finds
	// a silence over by heldUp or more, and has not listened until then: the meter
	// has a moment more, up to maxReprieves times, since what it has sent is still
	// to be read.
	heldUp          = 10 * time.Millisecond
	maxReprieves    = 3
	leastReprieve   = 250 * time.Millisecond
	longestReprieve = time.Second

	// wearOff is the share by which the longest delay seen wears off with each
	// window.
	wearOff = 1. / 2000

	// slack is part of Lag: as long as frames come more often than this, each
	// gives out what is due, and no timer has to. Nor does one for each window
	// that is due while none comes.
	slack = 200 * time.Millisecond
)

// Stream asks the meter for windows in real time. ctx governs the whole stream:
// when it ends, Next returns its error. The stream should be stopped with Stop,
// also then. Errors match ErrInterval, ErrUsage or ErrNoAnswer.
func (m *Meter) Stream(ctx context.Context, cfg StreamConfig) (*Stream, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return m.stream(ctx, cfg, cfg.averaging(m.info.Frequency, 0), &timeline{})
}

// stream is Stream for one that may go on from another, with windows of so many
// mains periods.
func (m *Meter) stream(ctx context.Context, cfg StreamConfig, periods int, t *timeline) (*Stream, error) {
	g, frequency := m.info.Identity.Generation(), m.info.Frequency
	if err := checkWindows(cfg.Interval, periods, frequency, g); err != nil {
		return nil, err
	}
	op := "start measuring with " + m.target.String()
	rt, err := m.client.StartRealtime(ctx, periods)
	if err != nil {
		m.stopStray(ctx)
		return nil, explain(op, err)
	}
	if trip := m.client.RoundTrip(); t.roundTrip == 0 || trip > 0 && trip < t.roundTrip {
		t.roundTrip = trip
	}
	sent, acknowledged := rt.Began()
	p, err := newPlacer(&cfg, timebase.Config{
		Periods: periods, Frequency: frequency,
		Sent: t.at(sent), Acknowledged: acknowledged, RoundTrip: cmp.Or(2*cfg.Delay, t.roundTrip),
	}, t)
	if err != nil {
		m.stopStray(ctx)
		return nil, explain(op, err)
	}
	return &Stream{placer: p, m: m, rt: rt, patience: firstFrame, heard: acknowledged}, nil
}

// stopTime bounds what a meter gets to confirm that it stopped, when nobody
// waits for it.
const stopTime = 2 * time.Second

// stopStray stops a meter that may have begun to stream although starting failed,
// as when ctx ended just then. It is a courtesy to the next program, so its
// failure adds nothing to the error at hand.
func (m *Meter) stopStray(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	_ = m.client.Stop(ctx)
}

// Next returns the next event. It blocks until there is one. An error is
// final: the context's own, or one that matches ErrNoAnswer when the meter
// falls silent or the link fails. What was held back comes before it.
func (s *Stream) Next() (Event, error) {
	if notices := s.m.notices; len(notices) > 0 {
		s.m.notices = notices[1:]
		return Event{Kind: StatusEvent, Status: notices[0]}, nil
	}
	for {
		if e, ok := s.events.pop(); ok {
			return e, nil
		}
		if s.failed != nil {
			return Event{}, s.failed
		}
		s.step()
	}
}

// prime waits for the first frame that is a measurement.
func (s *Stream) prime() error {
	for s.frames < 2 && s.failed == nil {
		s.step()
	}
	return s.failed
}

// step waits for a frame and takes it, gives out windows that are due, or fails.
func (s *Stream) step() {
	silence := s.silence()
	end := s.heard.Add(silence)
	if s.reprieve.After(end) {
		end = s.reprieve
	}
	deadline := end
	if due := s.due(); !due.IsZero() {
		if next := s.looked.Add(slack); due.Before(next) {
			due = next
		}
		if due.Before(deadline) {
			deadline = due
		}
	}
	f, err := s.rt.Next(deadline)
	switch now := time.Now(); {
	case err == nil:
		s.take(&f)
	case errors.Is(err, os.ErrDeadlineExceeded) && now.Before(end):
		s.looked = now
		s.settle(now)
	case errors.Is(err, os.ErrDeadlineExceeded) && now.Sub(end) >= heldUp && s.reprieves < maxReprieves:
		s.reprieves++
		s.reprieve = now.Add(min(max(now.Sub(end), leastReprieve), longestReprieve))
	default:
		if s.frames >= 2 && errors.Is(err, os.ErrDeadlineExceeded) {
			s.timeline.spread = max(s.timeline.spread, min(silence, maxSilent))
		}
		s.fail(s.explain(err, silence))
	}
}

// silence returns for how long the meter may be silent now.
func (s *Stream) silence() time.Duration {
	d := max(3*s.filter.Length(), minSilence)
	if s.frames < 2 {
		return d + s.patience
	}
	return d + s.timeline.spread
}

// fail gives out what is held and ends the stream.
func (s *Stream) fail(err error) {
	s.flush()
	s.failed = err
}

func (s *Stream) explain(err error, silence time.Duration) error {
	op := "measure with " + s.m.target.String()
	if errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		e := &Error{
			Kind: ErrNoAnswer, Op: op,
			Err: because(fmt.Sprintf("the meter sent nothing for %v", silence.Round(time.Millisecond)), fmt.Errorf("%w: %w", errSilent, err)),
		}
		if s.m.target.isLine() {
			e.Err = fmt.Errorf("%w: %w", ErrSilentLine, e.Err)
		}
		return e
	}
	return explain(op, err)
}

// errSilent is a meter that sends no frames although it measures.
var errSilent = errors.New("no frames")

// take takes in a frame.
func (s *Stream) take(f *powerspy.RealtimeFrame) {
	if step := s.timeline.wall.Step(f.Arrival); step != 0 {
		s.say(ClockStepped(f.Arrival, step))
	}
	damaged := int(s.rt.Rejected() - s.rejected)
	s.rejected += uint64(damaged)
	s.frames++
	pause := f.Arrival.Sub(s.heard) - s.filter.Length()
	s.heard, s.looked, s.reprieves = f.Arrival, f.Arrival, 0
	late, err := s.place(f.Arrival, frame{s.m.calibration.Convert(f.Frame), f.Frame, f.First, damaged})
	if s.frames < 2 {
		pause = 0 // which was for something else
	}
	spread := &s.timeline.spread
	*spread = min(max(late, pause, *spread-time.Duration(wearOff*float64(*spread))), maxSpread)
	switch {
	case err != nil:
		s.fail(explain("measure with "+s.m.target.String(), err))
	case s.quality.exceeded:
		s.fail(&leftOutError{s.quality.left})
	}
}

// ClockStepped reports that the wall clock was set, which moves no window.
func ClockStepped(now time.Time, step time.Duration) Status {
	way := "forward"
	if step < 0 {
		way = "back"
	}
	return Status{
		Time: now, Phase: Streaming, Kind: ClockStep, Set: step,
		Text: fmt.Sprintf("the wall clock was set %s by %v; readings keep the time of the clock at the start of the stream",
			way, step.Abs().Round(time.Millisecond)),
	}
}

// Stop tells the meter to stop and waits until it has. It works after the
// stream's own context ended; ctx bounds it. After an error, which matches
// [ErrNoAnswer] or is that of ctx, the meter may go on sending.
func (s *Stream) Stop(ctx context.Context) error {
	return explain("stop measuring with "+s.m.target.String(), s.rt.Stop(ctx))
}
