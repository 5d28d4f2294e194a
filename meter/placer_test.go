package meter

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// A troubled link brings frames late by little, until something happens.
type troubled struct {
	rnd    *rand.Rand
	window time.Duration
	now    time.Duration // arrival of the last frame
}

// carry returns when the frames of windows arrive that end at multiples of the
// length of one; those of windows that are left out are missing.
func (l *troubled) carry(windows int) (arrivals []time.Duration) {
	var until, late time.Duration // of a stall; of the frames in it
	var gap time.Duration         // between frames of a backlog
	lost := 0
	for i := range windows {
		end := time.Duration(i+1) * l.window
		if end > until {
			until, late, gap = 0, 0, time.Duration(l.rnd.IntN(3))*time.Millisecond
		}
		if until == 0 && l.rnd.IntN(max(int(4*time.Second/l.window), 2)) == 0 {
			// Seconds in which a busy machine gives frames late, all at once, or
			// with some of them lost, and works off what waited at its own pace.
			until = end + time.Duration(l.rnd.Int64N(int64(4*time.Second)))
			switch l.rnd.IntN(4) {
			case 0:
				late = time.Duration(l.rnd.Int64N(int64(2 * time.Second)))
			case 1:
				late = until - end
			case 2:
				gap = time.Duration(l.rnd.Int64N(int64(l.window)))
				late = time.Duration(l.rnd.Int64N(int64(time.Second)))
			case 3:
				lost = int((until - end) / l.window)
			}
		}
		if lost > 0 {
			if lost--; l.rnd.IntN(8) > 0 {
				continue
			}
		}
		at := end + late + time.Duration(l.rnd.Int64N(int64(15*time.Millisecond)))
		if until > 0 && l.rnd.IntN(8) == 0 {
			late /= 2
		}
		l.now = max(l.now+gap, at)
		arrivals = append(arrivals, l.now)
	}
	return arrivals
}

// TestPlacerOrder: whenever frames arrive, windows and gaps follow each other, and
// none is so short that two could be given the same time.
func TestPlacerOrder(t *testing.T) {
	for _, periods := range []int{1, 5} {
		for _, live := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d periods, live %t", periods, live), func(t *testing.T) {
				for seed := range 20 {
					checkOrder(t, uint64(seed), periods, live)
				}
			})
		}
	}
}

func checkOrder(t *testing.T, seed uint64, periods int, live bool) {
	t.Helper()
	const round = 7 * time.Millisecond
	start := time.Now()
	cfg := StreamConfig{Live: live, MaxLeftOut: 1}
	p, err := newPlacer(&cfg, timebase.Config{
		Periods: periods, Frequency: 50, Sent: start.Add(-round / 2), Acknowledged: start.Add(round / 2), RoundTrip: round,
	}, &timeline{})
	if err != nil {
		t.Fatal(err)
	}
	var last time.Time
	take := func() {
		for e, ok := p.events.pop(); ok; e, ok = p.events.pop() {
			var from, to time.Time
			switch e.Kind {
			case WindowEvent:
				from, to = e.Window.Start, e.Window.End
				if to.Sub(from) < e.Window.Length/4 {
					t.Fatalf("seed %d: a window of %v from %v on, of a length of %v", seed, to.Sub(from), from.Sub(start), e.Window.Length)
				}
			case GapEvent:
				from, to = e.Gap.From, e.Gap.To
				if !to.After(from) {
					t.Fatalf("seed %d: a gap of %v", seed, to.Sub(from))
				}
			default:
				continue
			}
			if !last.IsZero() && !from.Equal(last) {
				t.Fatalf("seed %d: a %v from %v on, after %v", seed, e.Kind, from.Sub(start), last.Sub(start))
			}
			last = to
		}
	}
	window := time.Duration(periods) * 20 * time.Millisecond
	l := troubled{rnd: rand.New(rand.NewPCG(seed, 1)), window: window}
	for i, at := range l.carry(int(60 * time.Second / window)) {
		for due := p.due(); !due.IsZero() && due.Before(start.Add(at)); due = p.due() {
			p.settle(due)
			take()
		}
		if _, err := p.place(start.Add(at), frame{Measurement: powerspy.Measurement{Power: 1}, first: i == 0}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		take()
	}
	p.flush()
	take()
}
