package sim

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"
)

// A Span is when a fault holds, in time since the meter was made, so that a
// client that connects again does not meet it again. The zero Span is never.
type Span struct {
	After time.Duration // From the beginning on.
	For   time.Duration // 0: for ever.
}

// An Incident is a fault that came.
type Incident struct {
	Fault string    // The key of a specification that makes it, such as "drop".
	From  time.Time // When it began.
	To    time.Time // Of a drop, From. Zero: no end is known.
}

// maxIncidents bounds the memory of a meter that runs for weeks.
const maxIncidents = 4096

// Faults that come and go. Each is the name of its key.
const (
	refuseFault  = "refuse"
	muteFault    = "mute"
	garbageFault = "garbage-answer"
	noiseFault   = "noise"
	skipFault    = "skip"
	chopFault    = "chop"
	silenceFault = "silence"
	lateFault    = "late"
	dropFault    = "drop"
	hangFault    = "hang"
	deadFault    = "dead"
	awayFault    = "away"
	slowFault    = "slow-connect"
)

// A spell is a stretch of one fault, in time since the meter was made.
type spell struct {
	fault    string
	from, to time.Duration
	drops    bool // The connection that is open at from is closed.
	mortal   bool // It ends with the connection that is open at from.
}

const forever = time.Duration(math.MaxInt64)

func newSpell(fault string, after, length time.Duration) spell {
	s := spell{fault: fault, from: after, to: after + length}
	if length == 0 || s.to < s.from {
		s.to = forever
	}
	return s
}

// spells yields those of the faults with a time of their own, those of the
// connection that is open, and those of the battery that touch from to to. It
// is a function of time, so a meter needs nothing running to have faults.
func (m *Meter) spells(from, to time.Duration) iter.Seq[spell] {
	return func(yield func(spell) bool) {
		f := &m.faults
		for _, t := range [...]struct {
			fault string
			Span
		}{{lateFault, f.Late}, {deadFault, f.Dead}, {awayFault, f.Away}} {
			if t.Span == (Span{}) {
				continue
			}
			s := newSpell(t.fault, t.After, t.For)
			s.drops = t.fault == awayFault
			if !yield(s) {
				return
			}
		}
		if m.session != nil {
			opened := m.session.opened.Sub(m.epoch)
			for _, t := range [...]struct {
				fault         string
				after, length time.Duration
			}{{silenceFault, f.SilenceAfter, f.SilenceFor}, {dropFault, f.DropAfter, 0}, {hangFault, f.HangAfter, 0}} {
				if t.after == 0 {
					continue
				}
				s := newSpell(t.fault, opened+t.after, t.length)
				s.mortal = true
				if t.fault == dropFault {
					s.to, s.drops = s.from, true
				}
				if !yield(s) {
					return
				}
			}
		}
		if f.Battery == 0 {
			return
		}
		for n := max(1, int64(from/f.Battery)); n <= int64(to/f.Battery); n++ {
			if !yield(m.draw(n)) {
				return
			}
		}
	}
}

// suffers returns the spell of a fault that holds at a time for the
// connection that is open.
func (m *Meter) suffers(fault string, at time.Time) (spell, bool) {
	t := at.Sub(m.epoch)
	for s := range m.spells(t, t) {
		switch {
		case s.fault != fault || t < s.from || t >= s.to:
		case fault == deadFault && s.from <= m.cycled: // The power was cycled by hand.
		case s.mortal && (m.session == nil || m.session.opened.Sub(m.epoch) >= s.from):
		default:
			return s, true
		}
	}
	return spell{}, false
}

// nextTurn returns when a spell begins or ends next; zero for never.
func (m *Meter) nextTurn(now time.Time) time.Time {
	t, next := now.Sub(m.epoch), forever
	for s := range m.spells(t, t+m.faults.Battery) {
		for _, at := range [...]time.Duration{s.from, s.to} {
			if at > t {
				next = min(next, at)
			}
		}
	}
	if next == forever {
		return time.Time{}
	}
	return m.epoch.Add(next)
}

// advance does what spells do when they begin and end, and writes down those
// that began, for the time since it was last called.
func (m *Meter) advance(now time.Time) {
	from, to := m.advanced, now.Sub(m.epoch)
	if to <= from {
		return
	}
	m.advanced = to
	type turn struct {
		at time.Duration
		spell
	}
	var turns []turn
	for s := range m.spells(from, to) {
		if s.from > from && s.from <= to {
			turns = append(turns, turn{s.from, s})
		}
		if s.fault == deadFault && s.to > from && s.to <= to {
			turns = append(turns, turn{s.to, s})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	for _, t := range turns {
		switch {
		case t.at == t.from:
			m.begin(t.spell)
		case t.from > m.cycled:
			m.switchOn(m.epoch.Add(t.to))
		}
	}
}

// begin writes a spell down and drops the connection if it does so.
func (m *Meter) begin(s spell) {
	end := time.Time{}
	if s.to != forever {
		end = m.epoch.Add(s.to)
	}
	from := m.epoch.Add(s.from)
	hits := m.session != nil && m.session.opened.Before(from)
	if s.fault != dropFault && (hits || !s.mortal) {
		m.record(Incident{s.fault, from, end}, s.mortal)
	}
	if s.drops && hits {
		m.dropLocked(from)
	}
}

// dropLocked closes the connection that is open.
func (m *Meter) dropLocked(now time.Time) {
	if s := m.session; s != nil && !s.dropped {
		m.record(Incident{dropFault, now, now}, false)
		s.dropped = true
		s.cancel(ErrDropped)
	}
}

// A record is an Incident that may still end early.
type record struct {
	Incident
	mortal bool // It ends with the connection.
}

func (m *Meter) record(i Incident, mortal bool) {
	if len(m.incidents) == maxIncidents {
		m.incidents = slices.Delete(m.incidents, 0, maxIncidents/4)
	}
	m.incidents = append(m.incidents, record{i, mortal})
}

// conclude ends the incidents that are under way and that which chooses.
func (m *Meter) conclude(now time.Time, which func(record) bool) {
	for n := range m.incidents {
		i := &m.incidents[n]
		if (i.To.IsZero() || i.To.After(now)) && which(*i) {
			i.To = now
		}
	}
}

// Incidents returns the faults that came and went so far, or are under way,
// in the order in which they came; the oldest of more than some thousands are
// forgotten. Those that never change, such as a share of noise, are not among
// them, and a drop is only when there was a connection to drop. The end of a
// fault that is under way is the one that is planned.
func (m *Meter) Incidents() []Incident {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(m.now())
	list := make([]Incident, len(m.incidents))
	for i, r := range m.incidents {
		list[i] = r.Incident
	}
	return list
}
