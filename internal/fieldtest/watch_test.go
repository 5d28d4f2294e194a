package fieldtest

import (
	"slices"
	"testing"

	"powerspy2/meter"
	"powerspy2/powerspy/timebase"
)

// TestWatcherSurplus: a window that was told to be left out, and comes after all,
// takes the last one that was told so back.
func TestWatcherSurplus(t *testing.T) {
	for _, tt := range []struct {
		leftOut []int // before each frame; -1: it is surplus
		want    []int
	}{
		{[]int{0, 0, 2, 0}, []int{0, 1, 4, 5}},
		{[]int{0, 1, 2, 0, -1, 0}, []int{0, 2, 4, 5, 6, 7}},
		{[]int{0, 1, 0, -1, -1, 0}, []int{0, 1, 2, 3, 4, 5}},
	} {
		var w watcher
		for _, n := range tt.leftOut {
			w.arrival(&meter.Arrival{Window: timebase.Window{LeftOut: max(n, 0), Surplus: n < 0}})
		}
		var got []int
		for _, f := range w.frames {
			got = append(got, f.Window)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("left out %v: windows %v, want %v", tt.leftOut, got, tt.want)
		}
	}
}
