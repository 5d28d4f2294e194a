package watch

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Columns have the extremes of what was measured in them, whatever the length of
// the windows, and the gaps.
func TestColumns(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, length := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		var s slots
		type piece struct {
			start, end time.Time
			power      float64
			gap        bool
		}
		var pieces []piece
		at := began.Add(7 * time.Millisecond)
		for at.Before(began.Add(100 * time.Second)) {
			p := piece{start: at, end: at.Add(length), power: float64(random.IntN(1000)), gap: random.IntN(40) == 0}
			if p.gap {
				p.end = p.start.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
				s.gap(p.start, p.end)
			} else {
				s.measured(p.start, p.end, p.power)
			}
			pieces = append(pieces, p)
			at = p.end
		}
		for _, each := range []time.Duration{slotTime, 700 * time.Millisecond, 3 * time.Second} {
			got, start := s.columns(at, at, false, 60, each)
			for i, c := range got {
				var want column
				from := start.Add(time.Duration(i) * each)
				to := from.Add(each)
				for _, p := range pieces {
					// As coarse as the slots.
					if !p.end.Add(slotTime-1).Truncate(slotTime).After(from) || !p.start.Truncate(slotTime).Before(to) || p.end.Equal(p.start) {
						continue
					}
					switch {
					case p.gap:
						want.gap = true
					case !want.seen:
						want.low, want.high, want.seen = p.power, p.power, true
					default:
						want.low, want.high = min(want.low, p.power), max(want.high, p.power)
					}
				}
				if c != want {
					t.Errorf("windows of %v, column %d of %v: %+v, want %+v", length, i, each, c, want)
				}
			}
		}
	}
}

// A column stays as it is while time goes on; what is over an hour old is
// forgotten; steps of the clock do no harm.
func TestColumnsInTime(t *testing.T) {
	var s slots
	at := began
	pass := func(d time.Duration, power float64) {
		for end := at.Add(d); at.Before(end); at = at.Add(time.Second) {
			s.measured(at, at.Add(time.Second), power)
		}
	}
	pass(30*time.Second, 5)
	before, first := s.columns(at, at, false, 20, 3*time.Second)
	pass(3*time.Second, 6)
	after, second := s.columns(at, at, false, 20, 3*time.Second)
	if second.Sub(first) != 3*time.Second || before[5] != after[4] {
		t.Errorf("from %v, %+v to %v, %+v", first, before, second, after)
	}
	pass(2*time.Hour, 7)
	for _, c := range func() []column { c, _ := s.columns(at, at, false, 100, 36*time.Second); return c }() {
		if c.seen && c.low != 7 {
			t.Errorf("%+v is from before", c)
		}
	}
	if n := int64(len(s.ring)); n != slotCount {
		t.Errorf("%d slots", n)
	}
	at = at.Add(-10 * time.Minute)
	pass(time.Second, 1)
	at = at.Add(1000 * time.Hour)
	pass(time.Second, 2)
	got, _ := s.columns(at, at, false, 2, time.Second)
	if !got[0].seen || got[0].low != 2 || got[0].gap {
		t.Errorf("after steps of the clock: %+v", got)
	}
	s.measured(time.Unix(-5, 0), time.Unix(-4, 0), 3) // is left out
}

func TestScale(t *testing.T) {
	tests := []struct {
		low, high float64
		zero      bool
		want      scale
	}{
		{36, 120, false, scale{20, 120, 20}},
		{36, 120, true, scale{0, 150, 50}},
		{100, 100, false, scale{99.4, 100.6, 0.2}},
		{0, 0, true, scale{-0.06, 0.06, 0.02}},
		{-30, 2000, false, scale{-500, 2000, 500}},
	}
	for _, tt := range tests {
		got := newScale([]column{{low: tt.low, high: tt.high, seen: true}, {gap: true}}, tt.zero)
		near := func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
		if !near(got.low, tt.want.low) || !near(got.high, tt.want.high) || !near(got.step, tt.want.step) {
			t.Errorf("%v to %v: %+v, want %+v", tt.low, tt.high, got, tt.want)
		}
		labels := got.labels(9)
		if labels[0] == "" || labels[8] == "" {
			t.Errorf("labels %q", labels)
		}
	}
}
