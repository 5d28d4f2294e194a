package sim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// era is a time in which a meter had certain faults, so that what they did to
// windows of the past can be told.
type era struct {
	from   time.Time
	faults Faults
}

// maxEras bounds the memory of a meter whose faults change all the time.
const maxEras = 4096

// beginEra makes f what is wrong from now on.
func (m *Meter) beginEra(now time.Time, f Faults) {
	m.faults = f
	if len(m.eras) == maxEras {
		m.eras = slices.Delete(m.eras, 0, maxEras/4)
	}
	m.eras = append(m.eras, era{now, f})
}

// faultsAt returns what was wrong at a time: of one so long ago that it is
// forgotten, the oldest that is known.
func (m *Meter) faultsAt(at time.Time) *Faults {
	i := len(m.eras) - 1
	for i > 0 && m.eras[i].from.After(at) {
		i--
	}
	return &m.eras[i].faults
}

// leaves reports whether the meter itself sends no frame for window i of r,
// which ends at a time.
func (m *Meter) leaves(r *realtime, i int, end time.Time) bool {
	f := m.faultsAt(end)
	return r.periods < f.SilentUnder || f.skips(m, r, i, end) || f.caps(r, i)
}

// skips reports whether the pattern of skipping has a window.
func (f *Faults) skips(m *Meter, r *realtime, i int, end time.Time) bool {
	if f.SkipEvery > 0 && i%f.SkipEvery >= f.SkipEvery-f.SkipRun {
		return true
	}
	share := m.share(skipFault, f.Skip, end)
	if share == 0 {
		return false
	}
	// A run of windows begins at each with such a probability that the share
	// comes out: a window is sent when none of the last few began one.
	run := max(1, f.SkipRun)
	begins := 1 - math.Pow(1-share, 1/float64(run))
	for j := max(0, i-run+1); j <= i; j++ {
		if m.rnd.unit(forSkip, uint64(r.number), uint64(j)) < begins {
			return true
		}
	}
	return false
}

// caps reports whether a window's frame is one too many for the rate.
func (f *Faults) caps(r *realtime, i int) bool {
	if f.Cap == 0 {
		return false
	}
	begin := r.end(-1)
	slot := func(i int) float64 { return math.Floor((r.end(i) - begin) * f.Cap) }
	return slot(i) == slot(i-1)
}

// parseSkip reads FRACTION, FRACTIONxRUN or RUN/EVERY.
func parseSkip(f *Faults, v string) (err error) {
	f.Skip, f.SkipRun, f.SkipEvery = 0, 0, 0
	if run, every, regular := strings.Cut(v, "/"); regular {
		if f.SkipRun, err = strconv.Atoi(run); err == nil {
			f.SkipEvery, err = strconv.Atoi(every)
		}
		if err != nil || f.SkipRun < 1 || f.SkipEvery <= f.SkipRun {
			return fmt.Errorf("%q is not such as 4/5: of every 5 windows the last 4", v)
		}
		return nil
	}
	share, run, bursts := strings.Cut(v, "x")
	if share == "" {
		share = v
	}
	if f.Skip, err = number(share); err == nil && bursts {
		f.SkipRun, err = whole(run, 1, maxRun)
	}
	return err
}

// Bounds of the patterns of leaving windows out.
const (
	maxRun   = 10_000
	maxEvery = 1_000_000
)

func (f Faults) validateLeaving() error {
	switch {
	case !(f.Skip >= 0 && f.Skip <= 1):
		return fmt.Errorf("skip %g is not a fraction from 0 to 1", f.Skip)
	case f.SkipRun < 0 || f.SkipRun > maxRun:
		return fmt.Errorf("skip of %d windows in a row is outside 1 to %d", f.SkipRun, maxRun)
	case f.SkipEvery < 0 || f.SkipEvery > maxEvery:
		return fmt.Errorf("skip in every %d windows is outside 1 to %d", f.SkipEvery, maxEvery)
	case f.SkipEvery > 0 && (f.SkipRun < 1 || f.SkipRun >= f.SkipEvery || f.Skip > 0):
		return fmt.Errorf("skip of %d in every %d windows leaves no window, or is random, too", f.SkipRun, f.SkipEvery)
	case !(f.Cap >= 0 && f.Cap <= 1000):
		return fmt.Errorf("cap of %g frames a second is outside 0 to 1000", f.Cap)
	case f.Fast != 0 && !(f.Fast >= 0.1 && f.Fast <= 10):
		return fmt.Errorf("fast %g is outside 0.1 to 10", f.Fast)
	case f.RefuseUnder < 0 || f.SilentUnder < 0 || max(f.RefuseUnder, f.SilentUnder) > math.MaxUint16:
		return fmt.Errorf("windows have 1 to %d periods", math.MaxUint16)
	}
	return nil
}
