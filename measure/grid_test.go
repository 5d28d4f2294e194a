package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestGrid cuts ten hours of windows of drifting mains into intervals, with
// ends that are only known to some tenths of a millisecond, and to many
// milliseconds at first: no reading ends more than half a window from its
// interval's end, counted from a beginning that stays where it is.
func TestGrid(t *testing.T) {
	for _, interval := range []time.Duration{
		20 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 333 * time.Millisecond, time.Second, 3 * time.Second,
	} {
		for _, periods := range []int{1, 5} {
			if interval < time.Duration(periods)*20*time.Millisecond {
				continue
			}
			t.Run(fmt.Sprint(interval, periods), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(1, uint64(interval)))
				origin := time.Now()
				g := grid{interval: interval}
				var at float64 // true end of the window
				least, most := math.Inf(1), math.Inf(-1)
				end := 36000.
				if UnderRace {
					end /= 10
				}
				for at < end {
					hertz := 49.985 * (1 + 200e-6*math.Sin(at/97))
					length := float64(periods) / hertz
					at += length
					blur := 0.0002
					if at < 10 {
						blur = 0.008
					}
					known := at + blur*rnd.NormFloat64()
					number, ends, cut := g.add(origin.Add(seconds(known)), seconds(length*(1+20e-6*rnd.NormFloat64())), 0)
					if cut {
						t.Fatal("a reading is cut though nothing was lost")
					}
					if ends != (number < g.current) {
						t.Fatalf("a window of interval %d ends it: %v; then comes %d", number, ends, g.current)
					}
					if !ends || at < 10 {
						continue
					}
					// In windows, from the interval's end.
					off := (at - float64(g.current)*interval.Seconds()) / length
					least, most = min(least, off), max(most, off)
				}
				// The beginning is known to a tenth of a window.
				if least < -0.65 || most > 0.65 || most-least > 1+0.1/float64(periods) {
					t.Errorf("readings end from %.2f windows before to %.2f after their interval's end", -least, most)
				}
				if want := int64(math.Round(at / interval.Seconds())); g.current < want-1 || g.current > want+1 {
					t.Errorf("%d intervals in %g s, want %d", g.current, at, want)
				}
			})
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

// TestGridGap: after lost windows a reading ends with the interval in which
// windows come again, and is counted there.
func TestGridGap(t *testing.T) {
	const length = 20 * time.Millisecond
	type result struct{ ends, cut bool }
	for _, tt := range []struct {
		name string
		lost int
		want []result // of the windows from the one after the gap on
	}{
		{"the rest of the interval", 2, []result{{false, false}, {false, false}, {false, false}, {false, false}, {true, false}}},
		{"inside of the interval", 1, []result{{true, true}}},
		{"into the next interval", 4, []result{{false, true}, {false, false}, {true, false}}},
		{"whole intervals", 12, []result{{false, false}, {false, false}, {false, false}, {false, false}, {true, false}}},
		{"far into a later interval", 16, []result{{true, true}}},
	} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, old), func(t *testing.T) {
				end := time.Now()
				g := grid{interval: 5 * length}
				window := int64(-1)
				add := func(lost int) result {
					end = end.Add(length * time.Duration(1+lost))
					window += 1 + int64(lost)
					interval, ends, cut := g.add(end, length, lost)
					if want := window / 5; interval != want {
						t.Errorf("window %d lies in interval %d, want %d", window, interval, want)
					}
					return result{ends, cut}
				}
				windows := 3
				if old {
					windows += 5 * 200
				}
				for range windows {
					add(0)
				}
				if old == g.origin.IsZero() {
					t.Fatalf("the grid's origin is %v", g.origin)
				}
				for i, want := range tt.want {
					lost := 0
					if i == 0 {
						lost = tt.lost
					}
					if got := add(lost); got != want {
						t.Errorf("window %d: %+v, want %+v", i, got, want)
					}
				}
			})
		}
	}
}

// A reading as short as a window has one, however the times of windows are
// corrected from one to the next.
func TestGridOfWindows(t *testing.T) {
	const length = 20_003 * time.Microsecond // mains of 49.99 Hz
	g := grid{interval: 20 * time.Millisecond}
	begin := time.Unix(1_000_000_000, 0)
	const windows = 10_000
	ended := 0
	for i := range windows {
		jitter := time.Duration(i*7919%19-9) * time.Millisecond
		if _, ends, _ := g.add(begin.Add(time.Duration(i+1)*length+jitter), length, 0); ends {
			ended++
		}
	}
	if ended != windows {
		t.Errorf("%d readings of %d windows", ended, windows)
	}
}
