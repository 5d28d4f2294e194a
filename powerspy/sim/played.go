package sim

import (
	"math"
	"time"
)

// played is the course of windows that come from a tape, so many of its
// windows at a time.
type played struct {
	*tape
	begin float64 // Seconds since the epoch of the meter at second 0 of the tape.
	group int
}

// newPlayed begins a tape from its beginning: its first window begins now.
func (m *Meter) newPlayed(now time.Time, periods int) *played {
	start := m.seconds(now.Add(m.cfg.First.After))
	return &played{tape: m.tape, begin: start - m.tape.end(-1), group: periods / m.tape.periods}
}

// plays reports whether windows of so many periods can be made of those of the
// tape.
func (t *tape) plays(periods int) bool { return periods%t.periods == 0 }

func (p *played) end(i int) float64 { return p.begin + p.tape.end((i+1)*p.group-1) }

func (p *played) ended(t float64) int { return p.tape.ended(t-p.begin) / p.group }

// arrive is when the frame of the last of the tape's windows did. Together they
// are left out only if all of them were.
func (p *played) arrive(i int) float64 {
	last := (i+1)*p.group - 1
	for w := last; w > last-p.group; w-- {
		if _, arrived := p.at(w); arrived {
			s, _ := p.at(last)
			return p.begin + s.arrive
		}
	}
	return math.NaN()
}

// damaged: a recording has no frames that were.
func (p *played) damaged(int) bool { return false }

// measure puts windows together as a meter would that averages over more
// periods: means of squares and of power, and the highest peaks.
func (p *played) measure(i int) Truth {
	t := Truth{Factor: 1}
	var square2, current2, told float64
	for w := i * p.group; w < (i+1)*p.group; w++ {
		s, _ := p.at(w)
		length := p.tape.end(w) - p.tape.end(w-1)
		factor := 1.0
		if w == 0 {
			t.K, factor = p.factor()
		}
		told += s.voltage2
		square2 += s.voltage2 / factor
		current2 += s.current2 / factor
		t.Power += s.power / factor / float64(p.group)
		t.Energy += s.power / factor * length
		t.VoltagePeak, t.CurrentPeak = max(t.VoltagePeak, s.vPeak), max(t.CurrentPeak, s.iPeak)
	}
	t.Voltage = math.Sqrt(square2 / float64(p.group))
	t.Current = math.Sqrt(current2 / float64(p.group))
	if t.K > 0 {
		t.Factor = told / square2
	}
	return t
}

// playedEnergy is Energy of a meter that plays a recording: of its streams,
// since nobody knows what was between them.
func (m *Meter) playedEnergy(from, to time.Time) (joules float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	for _, r := range m.past {
		p, ok := r.course.(*played)
		if !ok {
			continue
		}
		a, b := m.seconds(from), m.seconds(to)
		if !r.stopped.IsZero() {
			b = min(b, m.seconds(r.stopped))
		}
		for i := max(0, p.ended(a)-1); ; i++ {
			begin, end := p.end(i-1), p.end(i)
			if begin >= b || math.IsInf(end, 1) {
				break
			}
			if share := min(b, end) - max(a, begin); share > 0 {
				joules += p.measure(i).Energy * share / (end - begin)
			}
		}
	}
	return joules
}
