package meter

import (
	"fmt"
	"math"
	"time"

	"powerspy2/powerspy"
)

// MinInterval is the shortest interval that can be asked for before the mains
// frequency is known: about one mains period at 60 Hz.
const MinInterval = 16 * time.Millisecond

// MaxInterval is the longest interval that can be asked for.
const MaxInterval = 24 * time.Hour

// maxWindow bounds the length of one averaging window: meters were seen to
// send nothing at all for windows over two seconds.
const maxWindow = time.Second

// CheckInterval checks what can be checked of an interval before the mains
// frequency is known. Errors match ErrInterval.
func CheckInterval(d time.Duration) error {
	if d >= MinInterval && d <= MaxInterval {
		return nil
	}
	return &Error{
		Kind: ErrInterval, Op: fmt.Sprintf("interval %v", d),
		Err:  fmt.Errorf("a reading lasts from one mains period (20ms at 50 Hz, 16.7ms at 60 Hz) to %v", MaxInterval),
		Next: "give an interval such as 20ms, 250ms or 1s",
	}
}

// A schedule serves readings of a user's interval from whole windows. Reading
// i ends after window round((i+1)*perReading), so boundaries never drift from
// the multiples of the interval and are at most half a window off.
type schedule struct {
	periods    int     // mains periods in a window
	perReading float64 // windows in a reading; at least 1 - 1/20
	reading    uint64  // readings completed
	window     uint64  // windows completed
}

// newSchedule chooses the number of mains periods in a window. When the
// interval is a whole number of periods the windows are as long as they can
// be, which costs the least radio; else a window is one period, so that the
// boundaries are within half a period.
func newSchedule(interval time.Duration, frequency float64, g powerspy.Generation) (schedule, error) {
	periods := interval.Seconds() * frequency
	// The mains wander by some tenths of a percent around their nominal
	// frequency: nobody who asks for 20 ms wants to hear that the period is 20.006 ms.
	if periods < 0.95 {
		return schedule{}, &Error{
			Kind: ErrInterval, Op: fmt.Sprintf("interval %v", interval),
			Err:  fmt.Errorf("the shortest is one mains period, which is %.4g ms here (%.4g Hz)", 1e3/frequency, frequency),
			Next: fmt.Sprintf("give at least %vms", math.Ceil(1e3/frequency*0.97)),
		}
	}
	whole := int(math.Round(periods))
	if math.Abs(periods-float64(whole)) > 0.002*float64(whole) {
		return schedule{periods: 1, perReading: max(periods, 1)}, nil
	}
	n := min(whole, g.MaxPeriods(), int(maxWindow.Seconds()*math.Round(frequency)))
	for whole%n != 0 {
		n--
	}
	return schedule{periods: n, perReading: float64(whole / n)}, nil
}

// next counts a window and tells whether a reading ends with it.
func (s *schedule) next() bool {
	s.window++
	if s.window < uint64(math.Round(float64(s.reading+1)*s.perReading)) {
		return false
	}
	s.reading++
	return true
}

// restart makes the next window the first of a new grid, as after a gap.
func (s *schedule) restart() { s.reading, s.window = 0, 0 }
