package watch

import (
	"fmt"
	"sync"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
	"powerspy2/meter"
)

const (
	// keepWindows is for how long single windows are remembered for energies; what
	// is older is merged to seconds. The chart has a memory of its own.
	keepWindows = 10 * time.Minute

	// mostMarks bounds the marks that are shown.
	mostMarks = 1000

	// late is how long after the last window a person is told that none has come.
	late = 2 * time.Second
)

// A Seen is a sink that remembers of a measurement what a [Model] shows. Its
// memory is bounded but for 100 bytes a second. Make one with [NewSeen]; its
// methods may be called concurrently.
type Seen struct {
	history  measure.History
	readings measure.Every

	mu       sync.Mutex
	first    time.Time // start of the first window
	reached  time.Time
	window   time.Duration   // length of the last window
	reading  measure.Reading // the last one
	slots    slots
	link     link
	marks    []measure.Mark // in the order of their times
	away     bool           // it is known that no windows come
	status   string         // what is done about that
	note     string         // the last thing that a person should know
	noted    time.Time
	gaps     int
	lost     time.Duration
	recovers int // times that something had to be done
}

var _ measure.Sink = (*Seen)(nil)

// NewSeen returns a Seen whose digits are means over an interval, for a meter that
// counts power in steps of so many W ([meter.Info.Resolution]), and whose clock is
// so uncertain ([measure.Remote]; 0: it is this machine's).
func NewSeen(interval time.Duration, resolution float64, clock time.Duration) *Seen {
	s := &Seen{history: measure.History{Keep: keepWindows, Resolution: resolution, ClockError: clock}}
	s.readings = measure.Every{Interval: interval, Out: func(e *measure.Event) error {
		if e.Kind == measure.ReadingEvent {
			s.reading = e.Reading
		}
		return nil
	}}
	return s
}

// Event implements [measure.Sink]. It never fails.
func (s *Seen) Event(e *meter.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.history.Event(e)  // never fails
	_ = s.readings.Event(e) // fails only with Out, which does not
	switch e.Kind {
	case meter.WindowEvent:
		w := &e.Window
		if s.first.IsZero() {
			s.first = w.Start
		}
		s.away, s.status = false, ""
		s.reached, s.window = w.End, w.Length
		s.slots.measured(w.Start, w.End, w.Power)
		s.link.add(w)
	case meter.GapEvent:
		g := &e.Gap
		s.gaps++
		s.lost += g.To.Sub(g.From)
		s.slots.gap(g.From, g.To)
		s.tell(g.To, fmt.Sprintf("nothing was measured for %s: %s", seconds(g.To.Sub(g.From)), g.Reason))
	case meter.StatusEvent:
		s.hear(e.Status)
	}
	return nil
}

// End implements [measure.Sink].
func (s *Seen) End() error { return s.history.End() }

// Status takes what is going on beside the measurement, such as the steps of a
// recovery.
func (s *Seen) Status(status meter.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hear(status)
}

// hear takes a status. s.mu is held.
func (s *Seen) hear(status meter.Status) {
	switch {
	case status.Phase == meter.Streaming:
	case status.Phase == meter.Noticed:
		s.tell(status.Time, status.Text)
	default:
		if !s.away {
			s.recovers++
		}
		s.away, s.status = true, harmless.Text(status.Text)
	}
}

// Note shows a line to the person.
func (s *Seen) Note(at time.Time, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(at, text)
}

func (s *Seen) tell(at time.Time, text string) { s.note, s.noted = harmless.Text(text), at }

// Mark takes a mark, of whoever set it.
func (s *Seen) Mark(m measure.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Name = harmless.Text(m.Name)
	i := len(s.marks)
	for i > 0 && s.marks[i-1].Time.After(m.Time) {
		i--
	}
	s.marks = append(s.marks[:i], append([]measure.Mark{m}, s.marks[i:]...)...)
	if len(s.marks) > mostMarks {
		s.marks = s.marks[1:]
	}
}

// A look is what there is to show at a moment, but for the chart.
type look struct {
	first    time.Time
	reached  time.Time
	reading  measure.Reading
	fresh    bool // reading is of now
	state    string
	trouble  bool // state is no good one
	note     string
	noted    time.Time
	gaps     int
	lost     time.Duration
	recovers int
	link     linkSum
}

func (s *Seen) look(now time.Time) look {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := look{
		first: s.first, reached: s.reached, reading: s.reading, state: "measuring", note: s.note, noted: s.noted,
		gaps: s.gaps, lost: s.lost, recovers: s.recovers, link: s.link.sum(s.reached),
	}
	behind := now.Sub(s.reached)
	silent := behind > late+s.window && !s.reached.IsZero()
	switch {
	case s.away:
		l.state, l.trouble = "away: "+s.status, true
		if s.status == "" {
			l.state = "away"
		}
	case silent:
		l.state, l.trouble = "no data for "+clock(behind.Truncate(time.Second)), true
	}
	l.fresh = !l.trouble && s.reading.Length > 0
	return l
}

// columns returns the last n columns of a chart whose right end is at now, each of
// a duration, and the start of the first.
func (s *Seen) columns(now time.Time, n int, each time.Duration) (columns []column, start time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots.columns(now, s.reached, s.away, n, each)
}

// phases returns the last n phases up to a moment with their energies.
func (s *Seen) phases(to time.Time, n int) []measure.PhaseEnergy {
	s.mu.Lock()
	from, marks := s.first, s.marks
	marks = append([]measure.Mark(nil), marks...)
	s.mu.Unlock()
	list := measure.Phases(marks, from, to)
	return s.history.Phases(list[max(len(list)-n, 0):])
}

// marksIn returns the marks from a moment on.
func (s *Seen) marksIn(from time.Time) []measure.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.marks)
	for i > 0 && !s.marks[i-1].Time.Before(from) {
		i--
	}
	return append([]measure.Mark(nil), s.marks[i:]...)
}
