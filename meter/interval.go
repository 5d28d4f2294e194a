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
// frequency is known: that it is from [MinInterval] to [MaxInterval]. Errors
// match [ErrInterval].
func CheckInterval(d time.Duration) error {
	if d >= MinInterval && d <= MaxInterval {
		return nil
	}
	return &Error{
		Kind: ErrInterval, Op: fmt.Sprintf("interval %v", d),
		Err: fmt.Errorf("a reading lasts from one mains period (20ms at 50 Hz, 16.7ms at 60 Hz) to %v", MaxInterval),
	}
}

// checkWindows checks whether readings of an interval can be made of windows
// of so many mains periods.
func checkWindows(interval time.Duration, periods int, frequency float64, g powerspy.Generation) error {
	if most := min(g.MaxPeriods(), int(maxWindow.Seconds()*math.Round(frequency))); periods < 1 || periods > most {
		return &Error{Kind: ErrUsage, Op: fmt.Sprintf("averaging %d mains periods", periods), Err: &AveragingError{most}}
	}
	return CheckWindows(interval, periods, frequency)
}

// CheckWindows checks whether readings of an interval can be made of windows of so
// many mains periods, at a mains frequency in Hz. An interval of 0 stands for any.
// Errors match [ErrInterval].
func CheckWindows(interval time.Duration, periods int, frequency float64) error {
	if interval == 0 || fits(interval, periods, frequency) {
		return nil
	}
	return &Error{Kind: ErrInterval, Op: fmt.Sprintf("interval %v", interval), Err: &IntervalError{periods, frequency}}
}

// fits reports whether an interval is as long as a window. The mains wander by
// some tenths of a percent around their nominal frequency: nobody who asks for
// 20 ms wants to hear that the period is 20.006 ms.
func fits(interval time.Duration, periods int, frequency float64) bool {
	return interval.Seconds() >= 0.95*float64(periods)/frequency
}
