package timebase

import (
	"fmt"
	"math"
)

// A tempo watches whether frames come faster than windows can end: the grid is
// then pulled to earlier times again and again.
type tempo struct {
	pulled float64 // by how much it was moved to later times: seconds
	frames float64
	time   float64 // in which they came: seconds
}

const (
	// tempoMemory is for how long a tempo remembers: seconds.
	tempoMemory = 60

	// A grid that was moved back by more than so many windows, and so much time,
	// is none: a constant delay that shrinks moves it once, by less.
	pulledWindows = 2.5
	pulledTime    = 0.25 // seconds
)

// add takes in a frame that came so long after the one before and moved the
// grid.
func (t *tempo) add(gap, moved float64) {
	if math.IsInf(gap, 1) {
		return
	}
	keep := math.Exp(-gap / tempoMemory)
	t.pulled = t.pulled*keep + moved
	t.frames = t.frames*keep + 1
	t.time = t.time*keep + gap
}

// Suspect returns an error, of no type of its own, if frames come faster than
// windows of the Config's number of periods can end by its frequency and 0.5 %
// more; it takes a second or two to be sure. Windows given out then overlap, or
// are squeezed. The meter should be asked for its frequency again, and a filter
// made anew. Frames that come too slowly are never suspect: of their windows some
// were left out.
func (f *Filter) Suspect() error {
	if -f.tempo.pulled < max(pulledWindows*f.nominal, pulledTime) {
		return nil
	}
	return fmt.Errorf("timebase: %.4g frames a second, but at %.4g Hz windows of %.0f mains periods end %.4g times a second",
		f.tempo.frames/f.tempo.time, f.periods/f.nominal, f.periods, 1/f.nominal)
}
