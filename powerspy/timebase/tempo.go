package timebase

import (
	"fmt"
	"math"
)

// A tempo watches whether frames come faster than windows can end.
//
// Frames that have come, as a time by the shortest windows that are possible, less
// the time in which they came, never exceed what that was with an earlier prompt
// frame, however late they are and whatever is left out. Where they do so again
// and again, they are too many. A burst is no sign of it: its frames were held up.
type tempo struct {
	ahead float64 // by how much frames are ahead of the time since the first, seconds
	most  float64 // what that was at most, less what is forgotten
	over  float64 // by how much it was exceeded, less what is forgotten
	burst int     // frames in a row that came with the one before
	held  float64 // by how much they exceeded it

	frames, time float64 // for the rate: frames, and the seconds in which they came
}

const (
	// So much beyond what was thought possible is too much: windows and seconds.
	overWindows = 2.5
	overTime    = 0.4

	// surely is for how long frames must have come: seconds.
	surely = 1

	// From so many frames on that came together, they are a burst; with windows longer
	// than radios wait, any.
	burstFrames = 4

	// forgetting is how fast the most is forgotten, since windows that are left out
	// make room for more, and twice as fast what was over: seconds per second.
	forgetting = 0.002

	// rateMemory is for how long the rate is remembered: seconds.
	rateMemory = 60
)

// add takes in a frame of a kind that came so long after the one before.
func (t *tempo) add(gap, nominal float64, k kind) {
	if math.IsInf(gap, 1) {
		return
	}
	t.ahead += nominal*(1-maxDeviation) - gap
	t.most -= forgetting * gap
	t.over = max(t.over-2*forgetting*gap, 0)
	beyond := max(t.ahead-t.most, 0)
	t.most += beyond
	if k == stuck {
		t.burst++
		t.held += beyond
	} else {
		if t.burst < burstFrames && nominal < soughtLength {
			t.over += t.held
		}
		t.over += beyond
		t.burst, t.held = 0, 0
	}
	keep := math.Exp(-gap / rateMemory)
	t.frames = t.frames*keep + 1
	t.time = t.time*keep + gap
}

// Suspect returns an error, of no type of its own, if frames come faster than
// windows of the Config's number of periods can end by its frequency and 0.5 %
// more; it takes some seconds to be sure. Some of the windows given out then are
// surplus. The meter should be asked for its frequency again, and a filter made
// anew. Frames that come too slowly are never suspect: of their windows some were
// left out.
func (f *Filter) Suspect() error {
	t := &f.tempo
	if t.over < max(overWindows*f.nominal, overTime) || t.time < surely || t.frames*f.nominal*(1-maxDeviation) < t.time {
		return nil
	}
	return fmt.Errorf("timebase: %.4g frames a second, but at %.4g Hz windows of %.0f mains periods end %.4g times a second",
		t.frames/t.time, f.periods/f.nominal, f.periods, 1/f.nominal)
}
