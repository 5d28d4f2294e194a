package timebase

import (
	"math"
	"testing"
	"time"
)

func TestArrival(t *testing.T) {
	began := time.Now()
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	a, err := NewArrival(began, 10, 50)
	if err != nil {
		t.Fatalf("failed to make: %v", err)
	}
	if got := a.Length(); got != 200*time.Millisecond {
		t.Fatalf("unexpected length: %v", got)
	}
	tests := []struct {
		name                string
		arrival, start, end int // ms
	}{
		{"before it can have begun", 190, 0, 190},
		{"prompt", 405, 205, 405},
		{"early after a late one", 600, 405, 600},
		{"held up", 1500, 1300, 1500},
		{"together with it", 1500, 1500, 1500},
		{"after these", 1610, 1500, 1610},
		{"going back", 1600, 1610, 1610},
		{"prompt again", 2000, 1800, 2000},
	}
	for _, tt := range tests {
		a.Lost(1) // makes no difference to times
		a.Lost(2)
		start, end := a.Window(at(tt.arrival))
		if n := a.Missed(); n != 3 {
			t.Errorf("%s: %d windows missed, want 3", tt.name, n)
		}
		if !start.Equal(at(tt.start)) || !end.Equal(at(tt.end)) {
			t.Errorf("%s: window from %v to %v, want %d ms to %d ms", tt.name, start.Sub(began), end.Sub(began), tt.start, tt.end)
		}
	}
}

func TestArrivalWithoutBeginning(t *testing.T) {
	a, err := NewArrival(time.Time{}, 50, 49.985)
	if err != nil {
		t.Fatalf("failed to make: %v", err)
	}
	if got := a.Frequency(); got != 49.985 {
		t.Errorf("%v Hz", got)
	}
	now := time.Now()
	start, end := a.Window(now)
	if n := a.Missed(); n != 0 {
		t.Errorf("%d windows missed", n)
	}
	// 50 / 49.985 s, to the nanosecond.
	if want := 1000300090 * time.Nanosecond; !end.Equal(now) || end.Sub(start) != want || a.Length() != want {
		t.Fatalf("window of %v, length %v, want %v", end.Sub(start), a.Length(), want)
	}
}

func TestNewArrivalMalformed(t *testing.T) {
	tests := []struct {
		periods int
		hertz   float64
	}{
		{0, 50}, {-1, 50}, {1, 0}, {1, -50}, {1, math.NaN()}, {1, math.Inf(1)}, {1, math.Inf(-1)}, {65535, 1e-9},
	}
	for _, tt := range tests {
		if a, err := NewArrival(time.Time{}, tt.periods, tt.hertz); err == nil {
			t.Errorf("%d periods at %g Hz: %v", tt.periods, tt.hertz, a.Length())
		}
	}
}
