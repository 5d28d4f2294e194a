package sim

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Truth is what really happened during one averaging window, and what became
// of its frame.
type Truth struct {
	Index       int       // Of the window in its stream, from 0.
	Start, End  time.Time // With monotonic clock reading.
	Voltage     float64   // V rms
	Current     float64   // A rms
	Power       float64   // W, mean
	VoltagePeak float64   // V
	CurrentPeak float64   // A
	Energy      float64   // J

	// LeftOut says that no frame of the window was sent: the meter left it out,
	// or had no room for it in front of its radio. What was sent can still be
	// damaged, or come while the link is silent or nobody is connected.
	LeftOut bool
	// K is 1 to 50 for the first window of a stream whose frame tells mean
	// squares and mean power too large by Factor; otherwise it is 0, and
	// Factor 1. See [FirstLaw].
	K      int
	Factor float64
}

// Stream describes the real-time mode.
type Stream struct {
	Number  int       // 1 for the first since the meter was made.
	Periods int       // Averaging windows are so many mains periods.
	Start   time.Time // Of the first window.
	End     time.Time // When the meter stopped, which ends no window; zero while it runs.
	Running bool      // The meter has not stopped yet.
	Windows int       // So many have ended.
}

// maxStreams bounds the memory of a meter that runs for weeks.
const maxStreams = 4096

// realtime is one stream of windows.
type realtime struct {
	course
	number  int
	periods int
	stopped time.Time
}

// A course is how the windows of a stream go. It has no timer: what ends when
// is a function of the number of the window. Times are in seconds since the
// epoch of the meter.
type course interface {
	// end says when window i ends; window -1 ends where the first begins, and
	// one that never will at infinity.
	end(i int) float64
	// ended tells about how many windows have ended by a time.
	ended(t float64) int
	// measure returns what happened in a window.
	measure(i int) Truth
	// arrive says when the frame of a window has passed the radio; not a
	// number for one that is left out there.
	arrive(i int) float64
	// damaged reports whether the frame of a window, which arrives, arrives
	// damaged.
	damaged(i int) bool
}

// Stream returns the stream that runs, else the last one; ok is false if the
// real-time mode has never been used.
func (m *Meter) Stream() (s Stream, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	r := m.numbered(m.streams)
	if r == nil {
		return Stream{}, false
	}
	return m.describe(r, now), true
}

// Streams returns the streams so far, the last one last. The oldest of more
// than some thousands are forgotten.
func (m *Meter) Streams() []Stream {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	list := make([]Stream, len(m.past))
	for i, r := range m.past {
		list[i] = m.describe(r, now)
	}
	return list
}

// numbered returns a stream that is remembered, or nil.
func (m *Meter) numbered(number int) *realtime {
	i := number - 1 - (m.streams - len(m.past))
	if i < 0 || i >= len(m.past) {
		return nil
	}
	return m.past[i]
}

func (m *Meter) describe(r *realtime, now time.Time) Stream {
	return Stream{
		Number:  r.number,
		Periods: r.periods,
		Start:   m.time(r.end(-1)),
		End:     r.stopped,
		Running: m.stream == r,
		Windows: m.windows(r, now),
	}
}

// Truth returns what happened during a window of the stream that runs, or of
// the last one; ok is false if there was no such window, or it has not ended.
func (m *Meter) Truth(index int) (t Truth, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.truth(m.streams, index)
}

// StreamTruth is Truth for any stream, by its number.
func (m *Meter) StreamTruth(number, index int) (t Truth, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.truth(number, index)
}

func (m *Meter) truth(number, index int) (t Truth, ok bool) {
	now := m.now()
	m.advance(now)
	r := m.numbered(number)
	if r == nil || index < 0 || index >= m.windows(r, now) {
		return Truth{}, false
	}
	return m.window(r, index), true
}

// Energy returns the energy in joules that the load drew between two times.
// The times need not be those of a stream; times before the meter was made
// count as far as the load's shape goes on. Of a recording nothing is known
// but its windows: other times count as 0.
func (m *Meter) Energy(from, to time.Time) float64 {
	if m.tape != nil {
		return m.playedEnergy(from, to)
	}
	a, b := m.seconds(from), m.seconds(to)
	if a == b {
		return 0
	}
	if a > b {
		return -m.load.over(b, a).mean * (a - b)
	}
	return m.load.over(a, b).mean * (b - a)
}

// Frequency returns the mains frequency in hertz at a time.
func (m *Meter) Frequency(at time.Time) float64 { return m.mains.hertz(m.seconds(at)) }

// windows returns how many windows of r have ended by now.
func (m *Meter) windows(r *realtime, now time.Time) int {
	if !r.stopped.IsZero() && r.stopped.Before(now) {
		now = r.stopped
	}
	n := max(r.ended(m.seconds(now)), 0)
	// The times handed out are whole nanoseconds: they decide.
	for n > 0 && m.time(r.end(n-1)).After(now) {
		n--
	}
	for !m.time(r.end(n)).After(now) {
		n++
	}
	return n
}

// window returns window i of r, which has ended.
func (m *Meter) window(r *realtime, i int) Truth {
	t := r.measure(i)
	t.Index = i
	t.Start, t.End = m.time(r.end(i-1)), m.time(r.end(i))
	t.LeftOut = math.IsNaN(r.arrive(i)) || m.leaves(r, i, t.End)
	return t
}

// electric returns the electrical quantities of an interval.
func (m *Meter) electric(from, to float64) Truth {
	// The voltage moves so slowly that it counts as constant in a window.
	u := m.cfg.Voltage * (1 + 0.003*math.Sin(2*math.Pi*(from+to)/2/97))
	p := m.load.over(from, to)
	return Truth{
		Voltage:     u,
		Current:     math.Sqrt(p.square) / (u * m.cfg.PF),
		Power:       p.mean,
		VoltagePeak: u * math.Sqrt2,
		CurrentPeak: p.peak / (u * m.cfg.PF) * m.shape.crest,
		Energy:      p.mean * (to - from),
		Factor:      1,
	}
}

// appendFrame appends the frame, with brackets, in which the meter tells t:
// mean squares and mean power in counts of the scales (AL/LG/0838/003
// §3.4.6). What does not fit is told as the largest number that does.
func appendFrame(b []byte, t Truth, scale Calibration) []byte {
	us, is := float64(scale.Voltage), float64(scale.Current)
	count := func(v, low, high float64) int64 {
		return int64(math.RoundToEven(min(max(v, low), high)))
	}
	u, i := t.Voltage/us, t.Current/is
	u2, i2, p := u*u*t.Factor, i*i*t.Factor, t.Power/(us*is)*t.Factor
	return fmt.Appendf(b, "<%08X %08X %08X %04X %04X>",
		count(u2, 0, math.MaxUint32),
		count(i2, 0, math.MaxUint32),
		uint32(count(p, math.MinInt32, math.MaxInt32)), // Two's complement.
		count(t.VoltagePeak/us, 0, math.MaxUint16),
		count(t.CurrentPeak/is, 0, math.MaxUint16))
}

// startStream begins real-time mode.
func (m *Meter) startStream(now time.Time, periods int) {
	m.stopStream(now)
	m.capture = capture{}
	m.streams++
	m.stream = &realtime{number: m.streams, periods: periods}
	if m.tape != nil {
		m.stream.course = m.newPlayed(now, periods)
	} else {
		m.stream.course = m.newLive(now, periods)
	}
	if len(m.past) == maxStreams {
		m.past = slices.Delete(m.past, 0, maxStreams/4)
	}
	m.past = append(m.past, m.stream)
}

// stopStream ends real-time mode and reports whether it was on.
func (m *Meter) stopStream(now time.Time) bool {
	if m.stream == nil {
		return false
	}
	m.stream.stopped = now
	m.stream = nil
	return true
}
