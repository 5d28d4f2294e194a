package measure_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
)

// TestPhases: a phase goes from its mark to the next one.
func TestPhases(t *testing.T) {
	mark := func(at float64, name string) measure.Mark {
		return measure.Mark{Time: begin.Add(time.Duration(at * 1e9)), Name: name}
	}
	end := func(at float64) measure.Mark {
		m := mark(at, "")
		m.End = true
		return m
	}
	tests := []struct {
		name  string
		marks []measure.Mark
		want  string
	}{
		{"none", nil, ""},
		{"to the end of the job", []measure.Mark{mark(1, "a")}, "a 1-10"},
		{"to the next", []measure.Mark{mark(1, "a"), mark(3, "b")}, "a 1-3, b 3-10"},
		{"to its end", []measure.Mark{mark(1, "a"), end(3), mark(5, "b"), end(6)}, "a 1-3, b 5-6"},
		{"again", []measure.Mark{mark(1, "a"), mark(3, "b"), mark(5, "a")}, "a 1-3, b 3-5, a 5-10"},
		{"the same again", []measure.Mark{mark(1, "a"), mark(3, "a")}, "a 1-3, a 3-10"},
		{"out of order", []measure.Mark{mark(3, "b"), end(7), mark(1, "a")}, "a 1-3, b 3-7"},
		{"ends alone", []measure.Mark{end(1), end(2), mark(3, "a"), end(4), end(5)}, "a 3-4"},
		{"before the job", []measure.Mark{mark(-2, "a"), mark(-1, "b"), mark(4, "c")}, "b 0-4, c 4-10"},
		{"ended before the job", []measure.Mark{mark(-2, "a"), end(-1)}, ""},
		{"after the job", []measure.Mark{mark(4, "a"), mark(11, "b"), end(12)}, "a 4-10"},
		{"at one moment", []measure.Mark{mark(4, "a"), mark(4, "b")}, "a 4-4, b 4-10"},
		{"ended at once", []measure.Mark{mark(4, "a"), end(4)}, "a 4-4"},
		{"at its end", []measure.Mark{mark(4, "a"), mark(10, "b")}, "a 4-10, b 10-10"},
	}
	for _, tt := range tests {
		var got []string
		for _, p := range measure.Phases(tt.marks, begin, begin.Add(10*time.Second)) {
			got = append(got, fmt.Sprintf("%s %g-%g", p.Name, p.From.Sub(begin).Seconds(), p.To.Sub(begin).Seconds()))
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestTotals: the phases of a name together have their energy, and phases that
// follow on each other have that of the job.
func TestTotals(t *testing.T) {
	events := measuretest.Windows(begin, 1000, period, 100)
	for i := range events {
		events[i].Window.Power += float64(i / 100)
		events[i].Window.Bridged = i%30 == 7
	}
	h := remember(t, &measure.History{Accuracy: 0.01, Resolution: 0.001}, events)
	var marks []measure.Mark
	for i := range 100 {
		marks = append(marks, measure.Mark{Time: at(1 + 0.0913*float64(i)), Name: string(rune('a' + i%3))})
	}
	phases := h.Phases(measure.Phases(marks, at(0.5), at(11)))
	totals := measure.Totals(phases)
	whole := h.Span(at(1), at(11))
	var energy float64
	var covered time.Duration
	times := 0
	for _, total := range totals {
		energy += total.Energy
		covered += total.Covered
		times += total.Times
		if total.Covered != total.Duration || total.Power() < 100 || total.Power() > 106 {
			t.Errorf("unexpected total %+v", total)
		}
	}
	if len(totals) != 3 || times != 100 || math.Abs(energy-whole.Energy) > 1e-6*energy || (covered-whole.Covered).Abs() > time.Microsecond {
		t.Errorf("%d totals of %d phases, %g J in %v; want %g J in %v", len(totals), times, energy, covered, whole.Energy, whole.Covered)
	}
	// What is common to all adds up; the rest does not.
	u, v := totals[0].Uncertainty, phases[0].Uncertainty
	if want := totals[0].Energy * 0.01 / math.Sqrt(3); math.Abs(u.Meter-want) > 1e-9 {
		t.Errorf("of the meter's class: %g J, want %g J", u.Meter, want)
	}
	if u.Resolution < 30*v.Resolution || u.LeftOut > 34*math.Max(v.LeftOut, 0.02) {
		t.Errorf("%+v for one, %+v for all", v, u)
	}
}

// TestCheckName refuses what can't name a phase.
func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "two words": true, "größe": true, "": false, "a\nb": false, "\x1b[31m": false, "\xff": false, "a\u202eb": false,
		strings.Repeat("x", measure.MaxName): true, strings.Repeat("x", measure.MaxName+1): false,
	} {
		if err := measure.CheckName(name); (err == nil) != ok {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// TestManyPhases: 100,000 of them.
func TestManyPhases(t *testing.T) {
	h := remember(t, &measure.History{}, measuretest.Windows(begin, 5000, period, 100))
	marks := make([]measure.Mark, 100_000)
	for i := range marks {
		marks[i] = measure.Mark{Time: at(float64(len(marks)-i) / 1001), Name: fmt.Sprint(i % 1000)}
	}
	phases := h.Phases(measure.Phases(marks, at(0), at(100)))
	totals := measure.Totals(phases)
	var energy float64
	for _, total := range totals {
		energy += total.Energy
	}
	if want := h.Span(phases[0].From, at(100)).Energy; len(phases) != len(marks) || len(totals) != 1000 || math.Abs(energy-want) > 1e-3 {
		t.Errorf("%d phases, %d totals, %g J, want %g J", len(phases), len(totals), energy, want)
	}
}

func TestMarkCheck(t *testing.T) {
	for _, m := range []measure.Mark{{Name: "x"}, {Name: "warm up, Größe 2"}, {Name: strings.Repeat("x", measure.MaxName)}, {End: true}} {
		if err := m.Check(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
	for _, m := range []measure.Mark{{}, {Name: "a\nb"}, {Name: "\x1b[2J"}, {Name: "a\tb"}, {Name: "\u202eb"}, {Name: "\xff"},
		{Name: strings.Repeat("x", measure.MaxName+1)}, {Name: "x", End: true}} {
		if err := m.Check(); !errors.Is(err, measure.ErrName) {
			t.Errorf("%+v: got %v", m, err)
		}
	}
}
