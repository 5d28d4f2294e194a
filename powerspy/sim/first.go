package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A FirstLaw says by how much the first frame after J is too large. That it
// is, was seen on real meters with windows of one mains period: its mean
// squares of voltage and current and its mean power are k times too large, k
// a whole number spread evenly over 1 to 50, as if the meter summed up in
// blocks of 50 periods and J did not clear the sum. Its peaks are right. What
// happens with windows of n periods is not known.
type FirstLaw string

// The laws. Both give k for windows of one period.
const (
	FirstClean FirstLaw = "clean" // It is right, as no real meter's is.
	// FirstRunsOn is the sum going on: k/n, or a right value where n is
	// larger than k. It fits two old sessions with windows of 32 periods,
	// which began 4.5 % and 1.1 % too high.
	FirstRunsOn FirstLaw = "runs-on"
	// FirstCleared is what was summed before coming on top: (k-1+n)/n.
	FirstCleared FirstLaw = "cleared"
)

// block is how many periods the meter sums up before it clears the sums.
const block = 50

// First describes the first frame after J.
type First struct {
	Law   FirstLaw      // Default FirstClean.
	K     int           // 1 to 50; 0 for a random one each time.
	After time.Duration // The first window begins so long after J, instead of at once.
}

// parseFirst reads what a specification says: a law, k and a time, in any
// order.
func parseFirst(v string) (First, error) {
	f := First{Law: FirstRunsOn}
	for part := range strings.SplitSeq(v, "/") {
		if k, err := strconv.Atoi(part); err == nil && k >= 1 && k <= block {
			f.K = k
			continue
		}
		if d, err := time.ParseDuration(part); err == nil && d > 0 {
			f.After = d
			continue
		}
		switch l := FirstLaw(part); l {
		case FirstClean, FirstRunsOn, FirstCleared:
			f.Law = l
		default:
			return First{}, fmt.Errorf("%q is not one of clean, runs-on, cleared, a number from 1 to %d or a duration such as 6s", part, block)
		}
	}
	return f, nil
}

func (f First) validate() error {
	switch f.Law {
	case FirstClean, FirstRunsOn, FirstCleared:
	default:
		return fmt.Errorf("law %q of the first frame is not one of clean, runs-on, cleared", string(f.Law))
	}
	switch {
	case f.K < 0 || f.K > block:
		return fmt.Errorf("k of %d of the first frame is outside 1 to %d", f.K, block)
	case f.After < 0 || f.After > maxTime:
		return fmt.Errorf("the first frame cannot come %v late", f.After)
	}
	return nil
}

// spoil says in t by how much the frame of the first window of a stream is
// too large.
func (f First) spoil(t *Truth, rnd random, stream uint64, periods int) {
	if f.Law == FirstClean {
		return
	}
	t.K = f.K
	if t.K == 0 {
		t.K = 1 + int(rnd.bits(forFirst, stream, 0)%block)
	}
	k, n := float64(t.K), float64(periods)
	if f.Law == FirstRunsOn {
		t.Factor = max(k, n) / n
	} else {
		t.Factor = (k - 1 + n) / n
	}
}
