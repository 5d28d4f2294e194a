package meter

import (
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
	// Interval is the shortest interval that readings will be made of: from one
	// mains period to MaxInterval. A window is not longer. Zero: one second.
	Interval time.Duration

	// Averaging is the length of an averaging window in mains periods, up to
	// one second of them. Zero is 1: every reading ends within half a period
	// of its interval's end, and times are at their best. Windows of more
	// periods cost the radio and the processor less, and readings end within
	// half a window.
	Averaging int
}

// check fills in defaults and checks what can be checked before the meter is
// known.
func (c *StreamConfig) check() error {
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Averaging == 0 {
		c.Averaging = 1
	}
	return CheckInterval(c.Interval)
}

// A Stream yields windows. Its methods must not be called concurrently.
type Stream struct {
	m      *Meter
	rt     *powerspy.Realtime
	base   timebase.Base
	thread *thread
	spread time.Duration // the longest delay of late, which wears off

	rejected uint64
	begun    time.Time // start of the first window; zero before it
	lastEnd  time.Time // end of the last window; zero before the first
	queue    [4]Event  // what one frame can yield
	queued   int
	failed   error // final
}

// A thread runs through all the streams of a measurement.
type thread struct {
	wall timebase.WallClock

	// roundTrip is the shortest one of all links: a new one has made few.
	roundTrip time.Duration

	// reference is the moment whose wall clock the times of readings go by.
	reference time.Time
}

// place returns the moment with the wall clock that readings go by. The
// moment is about now, and a stream begins: its readings may go by the clock as
// it is now, if that puts none before an earlier one.
func (t *thread) place(moment time.Time) time.Time {
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
	// window for its first frame.
	minSilence = time.Second
	firstFrame = 2 * time.Second

	// maxSpread bounds the delays that are waited for.
	maxSpread = 5 * time.Second

	// wearOff is the share by which the longest delay seen wears off with each
	// window.
	wearOff = 1. / 2000

	// lastLook is how long a silent link is looked at once more.
	lastLook = 10 * time.Millisecond
)

// Stream asks the meter for windows in real time. ctx governs the whole stream:
// when it ends, Next returns its error. The stream should be stopped with
// Stop, also then. Errors match ErrInterval, ErrUsage or ErrNoAnswer.
func (m *Meter) Stream(ctx context.Context, cfg StreamConfig) (*Stream, error) {
	return m.stream(ctx, cfg, &thread{})
}

// stream is Stream for one that may go on from another.
func (m *Meter) stream(ctx context.Context, cfg StreamConfig, t *thread) (*Stream, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	g, frequency := m.info.Identity.Generation(), m.info.Frequency
	if err := checkWindows(cfg.Interval, cfg.Averaging, frequency, g); err != nil {
		return nil, err
	}
	op := "start measuring with " + m.target.String()
	rt, err := m.client.StartRealtime(ctx, g, cfg.Averaging)
	if err != nil {
		m.stopStray(ctx)
		return nil, explain(op, err)
	}
	if trip := m.client.RoundTrip(); t.roundTrip == 0 || trip > 0 && trip < t.roundTrip {
		t.roundTrip = trip
	}
	sent, acknowledged := rt.Began()
	base, err := timebase.NewFilter(timebase.Config{
		Periods: cfg.Averaging, Frequency: frequency,
		Sent: t.place(sent), Acknowledged: acknowledged, RoundTrip: t.roundTrip,
	})
	if err != nil {
		return nil, explain(op, err)
	}
	return &Stream{m: m, rt: rt, base: base, thread: t}, nil
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
// falls silent or the link fails.
func (s *Stream) Next() (Event, error) {
	for s.queued == 0 {
		if s.failed != nil {
			return Event{}, s.failed
		}
		s.step()
	}
	e := s.queue[0]
	copy(s.queue[:], s.queue[1:s.queued])
	s.queued--
	return e, nil
}

// prime waits for the first window.
func (s *Stream) prime() error {
	if s.lastEnd.IsZero() && s.failed == nil {
		s.step()
	}
	return s.failed
}

// span implements source.
func (s *Stream) span() (start, end time.Time) { return s.begun, s.lastEnd }

// step waits for a frame and takes it, or fails.
func (s *Stream) step() {
	silence := s.silence()
	frame, arrival, err := s.rt.Next(time.Now().Add(silence))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// The link may have ended along with its last data, which only a
		// read after the deadline sees: see rfcomm.Config.Steady.
		frame, arrival, err = s.rt.Next(time.Now().Add(lastLook))
	}
	if err != nil {
		s.failed = s.explain(err, silence)
		return
	}
	s.take(frame, arrival)
}

// silence returns for how long the meter may be silent now.
func (s *Stream) silence() time.Duration {
	d := max(3*s.base.Length(), minSilence)
	if s.lastEnd.IsZero() {
		return d + firstFrame
	}
	return d + s.spread
}

func (s *Stream) explain(err error, silence time.Duration) error {
	op := "measure with " + s.m.target.String()
	if errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return &Error{
			Kind: ErrNoAnswer, Op: op,
			Err: because(fmt.Sprintf("the meter sent nothing for %v", silence.Round(time.Millisecond)), err),
		}
	}
	return explain(op, err)
}

// take adds a frame, and queues what it completes.
func (s *Stream) take(f powerspy.Frame, arrival time.Time) {
	if step := s.thread.wall.Step(arrival); step != 0 {
		s.push(Event{Kind: StatusEvent, Status: clockStep(arrival, step)})
	}
	damaged := int(s.rt.Rejected() - s.rejected)
	if damaged > 0 {
		s.rejected += uint64(damaged)
		s.base.Lost(damaged)
	}
	start, end := s.base.Window(arrival)
	length, lost := s.base.Length(), s.base.Missed()
	if from := s.lastEnd; lost > 0 && !from.IsZero() && from.Before(start) {
		reason := "the meter left data out"
		if damaged > 0 {
			reason = "damaged data from the meter"
		}
		s.push(Event{Kind: GapEvent, Gap: Gap{From: from, To: start, Windows: lost, Reason: reason}})
	}
	s.push(Event{Kind: WindowEvent, Window: Window{
		Start: start, End: end, Length: length, Delay: arrival.Sub(end),
		Frequency: s.base.Frequency(), Measurement: s.m.calibration.Convert(f),
	}})
	if s.begun.IsZero() {
		s.begun = start
	}
	s.lastEnd = end
	s.spread = min(max(arrival.Sub(end), s.spread-time.Duration(wearOff*float64(s.spread))), maxSpread)
}

// clockStep reports that the wall clock was set, which moves no reading.
func clockStep(now time.Time, step time.Duration) Status {
	way := "forward"
	if step < 0 {
		way = "back"
	}
	return Status{
		Time: now, Phase: Streaming,
		Text: fmt.Sprintf("the wall clock was set %s by %v; readings keep the time of the clock at the start of the stream",
			way, step.Abs().Round(time.Millisecond)),
	}
}

func (s *Stream) push(e Event) {
	s.queue[s.queued] = e
	s.queued++
}

// Stop tells the meter to stop and waits until it has. It works after the
// stream's own context ended; ctx bounds it. After an error, which matches
// [ErrNoAnswer] or is that of ctx, the meter may go on sending.
func (s *Stream) Stop(ctx context.Context) error {
	return explain("stop measuring with "+s.m.target.String(), s.rt.Stop(ctx))
}
