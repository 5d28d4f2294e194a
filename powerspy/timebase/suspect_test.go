package timebase

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// heldBack is a link that brings nothing for so many seconds out of twenty, at the
// start too, and then all at once.
func heldBack(seconds float64) link {
	l := exponential
	l.hold = func(t float64) float64 {
		start := math.Floor(t/20) * 20
		if t < start+seconds {
			return start + seconds
		}
		return 0
	}
	return l
}

func TestSuspect(t *testing.T) {
	for _, tt := range []struct {
		hertz, factor float64 // of the Config; of the frames
		periods       int
		link          carrier
		within        float64 // seconds; 0: never
	}{
		{50, 60. / 50, 1, exponential, 6},
		{50, 60. / 50, 1, regimeA, 20},
		{50, 60. / 50, 5, exponential, 5},
		{50, 60. / 50, 50, exponential, 20},
		{50, 2, 1, regimeA, 3},
		{50, 2, 1, exponential, 2},
		{50, 51. / 50, 1, exponential, 40},
		{60, 1, 1, exponential, 0},
		{50, 1, 1, regimeA, 0},
		{50, 0.98, 1, regimeC, 0},
		{60, 50. / 60, 1, exponential, 0},
		{50, 1.004, 1, regimeB, 0},
		{50, 1, 5, exponential, 0},
		{50, 1, 1, heldBack(3), 0},
		{50, 1, 5, heldBack(3), 0},
		{50, 1, 50, heldBack(5), 0},
	} {
		t.Run(fmt.Sprintf("%g Hz times %.2f, %d periods", tt.hertz, tt.factor, tt.periods), func(t *testing.T) {
			rnd := random(1)
			ends := grid{hertz: tt.hertz * tt.factor}.ends(rnd, int(100*50/float64(tt.periods)), tt.periods)
			f := mustFilter(t, Config{Periods: tt.periods, Frequency: tt.hertz, Lag: 500 * time.Millisecond})
			for _, fr := range tt.link.carry(rnd, ends) {
				f.Add(at(fr.arrival))
				if err := f.Suspect(); err != nil {
					if tt.within == 0 || fr.arrival > tt.within {
						t.Errorf("after %.1f s: %v", fr.arrival, err)
					} else {
						t.Logf("after %.1f s: %v", fr.arrival, err)
					}
					return
				}
			}
			if tt.within != 0 {
				t.Errorf("not noticed: %+v", f.tempo)
			}
		})
	}
}
