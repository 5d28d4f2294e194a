// Package timebase tells when an averaging window really began and ended, given
// real-time frames that arrive late, and which windows the meter left out.
//
// A frame closes one window of a whole number of mains periods, and windows
// follow each other without a gap. The frame comes over Bluetooth: never
// before the window's end, usually some milliseconds after it, now and then
// hundreds; and some never come. A [Filter] makes the best of that for one
// real-time stream. A [WallClock] notices that the wall clock was set.
package timebase

import (
	"fmt"
	"time"
)

// A Window is the place in time of the averaging window that one frame closed.
type Window struct {
	// Start and End never go back, none is after the arrival of the frame, and they
	// are at least about half a Length apart but for the first window. Start is End
	// of the window before, or one Length before End if windows were left out between
	// the two, as it is for the first. Both carry the monotonic clock if the
	// arrivals do.
	Start, End time.Time

	// Surplus says that the window has no place: more windows were told to be left
	// out than were, since frames were later than any before, and so its place
	// is that of one of them. Start and End are then both End of the window before.
	Surplus bool

	// Length is the best knowledge of the true length of a window: the factor
	// between its mean power and its energy. End minus Start is a poorer one,
	// since it corrects what was wrong with the windows before.
	Length time.Duration

	// LeftOut is how many windows are missing between the one before and this
	// one: the meter left them out, or their frames were damaged. It is 0 for the
	// first. The sum of Length times one more than LeftOut, without windows that are
	// surplus, agrees with the time from End to End but for what a later window
	// corrects.
	LeftOut int

	// Error is the standard error of End, save for the constant part of the
	// delay of frames, of which arrivals tell nothing. It includes the doubt which
	// window it is: then it is milliseconds, or whole windows behind a stall.
	Error time.Duration

	// Delay is the time from End to the arrival of the frame.
	Delay time.Duration

	// Frequency is the mains frequency in hertz that goes with Length.
	Frequency float64
}

// A Config describes a stream to a [Filter].
type Config struct {
	// Periods is the number of mains periods in a window.
	Periods int

	// Frequency is the mains frequency in hertz, as the meter answered (its
	// answer has steps of some 36 ppm) or else the nominal one. The true one is
	// taken to be within 0.5 % of it.
	Frequency float64

	// Sent and Acknowledged are the moments between which the first window
	// began, those of powerspy.Realtime.Began; ignored if one is zero. The
	// first frame that is added may be of a later window.
	Sent, Acknowledged time.Time

	// RoundTrip is the shortest time seen from sending a request to receiving
	// its answer; zero if unknown. Half of it is taken for the constant part
	// of the delay of frames, which their arrivals cannot tell.
	RoundTrip time.Duration

	// Lag is how long after its end a window is settled, by what arrived until
	// then: see Filter.Settled. Half a second tells which windows were left out;
	// 0 is at once.
	Lag time.Duration
}

// The shortest and longest windows that make sense: a meter has from one to
// 65535 periods.
const (
	minLength = time.Millisecond
	maxLength = 24 * time.Hour
)

// windowLength returns periods over frequency.
func windowLength(periods int, hertz float64) (time.Duration, error) {
	if periods < 1 {
		return 0, fmt.Errorf("timebase: window of %d mains periods", periods)
	}
	length := float64(periods) / hertz * float64(time.Second)
	if !(hertz > 0 && length >= float64(minLength) && length < float64(maxLength)) {
		return 0, fmt.Errorf("timebase: window of %d mains periods at %g Hz", periods, hertz)
	}
	return time.Duration(length + 0.5), nil
}
