package measure

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"powerspy2/internal/harmless"
)

// A Mark is a named moment.
type Mark struct {
	Time time.Time
	Name string
	End  bool // it ends the phase before it and begins none; it needs no Name
}

// MaxName is the longest name of a mark in bytes.
const MaxName = 256

// ErrName is matched by the errors of [CheckName] and [Mark.Check].
var ErrName = errors.New("not a name for a mark")

// CheckName says why a text can't name a mark: it is empty, longer than
// [MaxName], or has invisible characters. Errors match [ErrName].
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("%w: it has %d bytes, more than %d", ErrName, len(name), MaxName)
	}
	if err := harmless.Check(name); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	return nil
}

// Check says what is wrong with the name: an end has none. Errors match
// [ErrName].
func (m *Mark) Check() error {
	if !m.End {
		return CheckName(m.Name)
	}
	if m.Name != "" {
		return fmt.Errorf("%w: an end has none", ErrName)
	}
	return nil
}

// A Phase is the time from a mark to the next one.
type Phase struct {
	Name     string
	From, To time.Time
}

// Phases returns the phases of a job that lasted from one moment to another, in
// their order in time, which marks need not have. A phase goes from its mark to
// the next mark or the end of the job; what comes before the first mark is no
// phase. Of marks before the job the last one counts, as one at its beginning;
// those after its end are left out. Marks that were read at one moment have phases
// of no length, but for the last.
func Phases(marks []Mark, from, to time.Time) []Phase {
	marks = slices.Clone(marks)
	slices.SortStableFunc(marks, func(a, b Mark) int { return a.Time.Compare(b.Time) })
	var phases []Phase
	open := false
	for _, m := range marks {
		if m.Time.After(to) {
			break
		}
		at := m.Time
		if at.Before(from) {
			at, phases = from, nil
		} else if open {
			phases[len(phases)-1].To = at
		}
		if open = !m.End; open {
			phases = append(phases, Phase{Name: m.Name, From: at, To: to})
		}
	}
	return phases
}

// A PhaseEnergy is a phase with its energy.
type PhaseEnergy struct {
	Name string
	Span
}

// Phases returns the energy of each phase.
func (h *History) Phases(phases []Phase) []PhaseEnergy {
	list := make([]PhaseEnergy, len(phases))
	for i, p := range phases {
		list[i] = PhaseEnergy{p.Name, h.Span(p.From, p.To)}
	}
	return list
}

// A PhaseTotal sums up the phases of one name.
type PhaseTotal struct {
	Name        string
	Times       int           // how often it occurred
	Duration    time.Duration // of all together
	Covered     time.Duration // as of a Span
	Energy      float64       // in J
	Uncertainty Uncertainty
}

// Power returns the mean power over the covered time in W; NaN when there is
// none.
func (t *PhaseTotal) Power() float64 {
	if t.Covered <= 0 {
		return math.NaN()
	}
	return t.Energy / t.Covered.Seconds()
}

// Totals sums up phases by their names, in the order of their first occurrence.
func Totals(phases []PhaseEnergy) []PhaseTotal {
	var totals []PhaseTotal
	index := make(map[string]int)
	for _, p := range phases {
		i, ok := index[p.Name]
		if !ok {
			i = len(totals)
			index[p.Name] = i
			totals = append(totals, PhaseTotal{Name: p.Name})
		}
		t := &totals[i]
		t.Times++
		t.Duration += p.Duration()
		t.Covered += p.Covered
		t.Energy += p.Energy
		u, v := &t.Uncertainty, p.Uncertainty
		u.Edges, u.LeftOut = math.Hypot(u.Edges, v.Edges), math.Hypot(u.LeftOut, v.LeftOut)
		// What the delay, the steps and the class of the meter do to one they do to
		// all.
		u.Time += v.Time
		u.Resolution += v.Resolution
		u.Meter += v.Meter
	}
	return totals
}

// ByEnergy orders totals by their energy, the highest first.
func ByEnergy(a, b PhaseTotal) int { return cmp.Compare(b.Energy, a.Energy) }
