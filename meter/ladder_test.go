package meter

import (
	"testing"
	"time"
)

// climb returns the steps up to the next pause.
func climb(l *ladder) (steps []Step) {
	for {
		s, ok := l.next()
		if !ok {
			return steps
		}
		steps = append(steps, s)
	}
}

func TestLadder(t *testing.T) {
	begin := time.Now()
	l := newLadder(Drain, PowerCycle)
	l.fail(begin)
	for round := range 3 {
		steps := climb(l)
		if len(steps) != 7 || steps[0] != Drain || steps[6] != PowerCycle {
			t.Fatalf("round %d: %v", round, steps)
		}
		for i := range steps {
			if steps[i] != Step(i+1) {
				t.Fatalf("round %d: %v are not in order", round, steps)
			}
		}
		l.pause(begin.Add(time.Second))
	}

	// Reset after success: from the bottom, once the meter has measured for long.
	l.next()
	l.next()
	l.help(begin.Add(time.Minute))
	l.fail(begin.Add(time.Minute + stable))
	if s, _ := l.next(); s != Drain {
		t.Errorf("after a recovery the first step is %v", s)
	}
	// A step that helped for a moment only is not the one to begin with again.
	l.next()
	l.help(begin.Add(2 * time.Minute))
	l.fail(begin.Add(2*time.Minute + stable/2))
	if s, _ := l.next(); s != Relink {
		t.Errorf("after a recovery that did not last the next step is %v, want %v", s, Relink)
	}
}

func TestLadderPart(t *testing.T) {
	l := newLadder(Relink, ResetAdapter)
	l.fail(time.Now())
	if steps := climb(l); len(steps) != 3 || steps[0] != Relink || steps[2] != ResetAdapter {
		t.Errorf("steps %v", steps)
	}
}

// TestLadderPause: pauses grow with the outage from one second to one minute,
// and are a small part of it in between.
func TestLadderPause(t *testing.T) {
	for _, tt := range []struct{ outage, want time.Duration }{
		{0, time.Second},
		{10 * time.Second, time.Second},
		{2 * time.Minute, 6 * time.Second},
		{10 * time.Minute, 30 * time.Second},
		{time.Hour, time.Minute},
		{7 * 24 * time.Hour, time.Minute},
	} {
		l := newLadder(firstStep, lastStep)
		begin := time.Now()
		l.fail(begin)
		least, most := time.Duration(1<<62), time.Duration(0)
		for range 1000 {
			d := l.pause(begin.Add(tt.outage))
			least, most = min(least, d), max(most, d)
		}
		low, high := time.Duration(0.8*float64(tt.want)), time.Duration(1.2*float64(tt.want))
		if least < low || most > high {
			t.Errorf("after %v: pauses from %v to %v, want %v to %v", tt.outage, least, most, low, high)
		}
		if most-least < tt.want/5 {
			t.Errorf("after %v: pauses from %v to %v have no jitter", tt.outage, least, most)
		}
	}
}

func TestParseStep(t *testing.T) {
	for s := firstStep; s <= lastStep; s++ {
		for _, text := range []string{s.String(), string(rune('0' + s))} {
			if got, err := ParseStep(text); err != nil || got != s {
				t.Errorf("ParseStep(%q) = %v, %v", text, got, err)
			}
		}
	}
	for _, text := range []string{"", "0", "8", "reboot"} {
		if _, err := ParseStep(text); err == nil {
			t.Errorf("ParseStep(%q) is not an error", text)
		}
	}
}
