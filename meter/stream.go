package meter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// A StreamConfig says what a stream is to yield.
type StreamConfig struct {
	// Interval is the length of a reading: from one mains period to
	// MaxInterval. Zero: one second.
	Interval time.Duration
}

// A Stream yields readings. Its methods must not be called concurrently.
type Stream struct {
	m        *Meter
	rt       *powerspy.Realtime
	base     timebase.Base
	schedule schedule
	silence  time.Duration // how long the meter may be silent

	sum      sum
	rejected uint64
	lastEnd  time.Time // end of the last window; zero before the first
	queue    [3]Event  // what one frame can yield beyond the first event
	queued   int
	failed   error // final
}

// firstFrame is what the meter may need in addition to a window for its first
// frame.
const firstFrame = 2 * time.Second

// lastLook is how long a silent link is looked at once more.
const lastLook = 10 * time.Millisecond

// Stream asks the meter for real-time readings. ctx governs the whole stream:
// when it ends, Next returns its error. The stream should be stopped with
// Stop, also then. Errors match ErrInterval or ErrNoAnswer.
func (m *Meter) Stream(ctx context.Context, cfg StreamConfig) (*Stream, error) {
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if err := CheckInterval(cfg.Interval); err != nil {
		return nil, err
	}
	g := m.info.Identity.Generation()
	sched, err := newSchedule(cfg.Interval, m.info.Frequency, g)
	if err != nil {
		return nil, err
	}
	rt, err := m.client.StartRealtime(ctx, g, sched.periods)
	if err != nil {
		m.stopStray(ctx)
		return nil, explain("start measuring with "+m.target.String(), err)
	}
	began, _ := rt.Began()
	base, err := timebase.NewArrival(began, sched.periods, m.info.Frequency)
	if err != nil {
		return nil, explain("start measuring with "+m.target.String(), err)
	}
	return &Stream{
		m: m, rt: rt, schedule: sched, base: base,
		silence: max(3*base.Length(), time.Second) + firstFrame,
	}, nil
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
// falls silent or the link fails. What was measured of an unfinished reading
// is then lost.
func (s *Stream) Next() (Event, error) {
	for s.queued == 0 {
		if s.failed != nil {
			return Event{}, s.failed
		}
		frame, arrival, err := s.rt.Next(time.Now().Add(s.silence))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The link may have ended along with its last data, which only a
			// read after the deadline sees: see rfcomm.Config.Steady.
			frame, arrival, err = s.rt.Next(time.Now().Add(lastLook))
		}
		if err != nil {
			s.failed = s.explain(err)
			continue
		}
		s.take(frame, arrival)
	}
	e := s.queue[0]
	copy(s.queue[:], s.queue[1:s.queued])
	s.queued--
	return e, nil
}

func (s *Stream) explain(err error) error {
	op := "measure with " + s.m.target.String()
	if errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return &Error{
			Kind: ErrNoAnswer, Op: op,
			Err:  because(fmt.Sprintf("the meter sent nothing for %v", s.silence.Round(time.Millisecond)), err),
			Next: "start again; if it stays silent, unplug it for ten seconds (this cuts the power of what is plugged into it)",
		}
	}
	return explain(op, err)
}

// take adds a frame, and queues what it completes.
func (s *Stream) take(f powerspy.Frame, arrival time.Time) {
	lost := int(s.rt.Rejected() - s.rejected)
	if lost > 0 {
		s.base.Lost(lost)
	}
	start, end := s.base.Window(arrival)
	if lost > 0 {
		// What came before the damage is a shorter reading, so that no reading
		// bridges the gap.
		s.rejected += uint64(lost)
		s.flush()
		if from := s.lastEnd; !from.IsZero() && from.Before(start) {
			s.push(Event{Kind: GapEvent, Gap: Gap{From: from, To: start, Reason: "damaged data from the meter"}})
		}
		s.schedule.restart()
	}
	s.sum.add(start, end, s.m.calibration.Convert(f))
	s.lastEnd = end
	if s.schedule.next() {
		s.flush()
	}
}

// flush queues the reading made of the windows since the last one.
func (s *Stream) flush() {
	if s.sum.n > 0 {
		s.push(Event{Kind: ReadingEvent, Reading: s.sum.reading(s.base.Length(), s.m.info.Frequency)})
		s.sum = sum{}
	}
}

func (s *Stream) push(e Event) {
	s.queue[s.queued] = e
	s.queued++
}

// Stop tells the meter to stop and waits until it has. It works after the
// stream's own context ended; ctx bounds it.
func (s *Stream) Stop(ctx context.Context) error {
	return explain("stop measuring with "+s.m.target.String(), s.rt.Stop(ctx))
}

// A sum collects windows for a reading. All windows have the same length, so
// means need no weights.
type sum struct {
	n                        int
	start, end               time.Time
	power                    float64
	voltage2, current2       float64
	voltagePeak, currentPeak float64
}

func (s *sum) add(start, end time.Time, m powerspy.Measurement) {
	if s.n == 0 {
		s.start = start
	}
	s.n++
	s.end = end
	s.power += m.Power
	s.voltage2 += m.Voltage * m.Voltage
	s.current2 += m.Current * m.Current
	s.voltagePeak = max(s.voltagePeak, m.VoltagePeak)
	s.currentPeak = max(s.currentPeak, m.CurrentPeak)
}

// reading returns the means, and the energy over windows of the given true
// length, which is a whole number of mains periods whatever interval was asked
// for.
func (s *sum) reading(length time.Duration, frequency float64) Reading {
	n := float64(s.n)
	return Reading{
		Start: s.start, End: s.end, Windows: s.n,
		Power:       s.power / n,
		Voltage:     math.Sqrt(s.voltage2 / n),
		Current:     math.Sqrt(s.current2 / n),
		VoltagePeak: s.voltagePeak, CurrentPeak: s.currentPeak,
		Energy:    s.power * length.Seconds(),
		Frequency: frequency,
	}
}
