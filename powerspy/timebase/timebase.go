// Package timebase tells when an averaging window really began and ended, given
// real-time frames that arrive late.
//
// A frame closes one window of a whole number of mains periods, and windows
// follow each other without a gap. The frame comes over Bluetooth: never
// before the window's end, usually some milliseconds after it, now and then
// hundreds. A [Base] makes the best of that for one real-time stream: [Filter]
// a good one, [Arrival] none. A [WallClock] notices that the wall clock was
// set.
package timebase

import (
	"fmt"
	"time"
)

// A Base places the windows of one real-time stream in time. It is told of
// every frame in order, and is for one goroutine. Arrivals must carry the
// monotonic clock, as those of powerspy.Realtime do; the times returned then
// carry it too, and are right even if the wall clock is set: their wall clock
// is that of the start of the stream.
type Base interface {
	// Window returns the start and end of the next window, whose frame
	// arrived at the given time. Starts and ends never go back, and no window
	// starts before the one before it has ended.
	Window(arrival time.Time) (start, end time.Time)

	// Lost says that n frames, 0 or more, came damaged, or not at all, before
	// the next.
	Lost(n int)

	// Missed returns how many windows without a frame there are just before
	// the last one. There is then a gap from the end of the window before
	// them to its start.
	Missed() int

	// Length returns the best knowledge of the length of a window: the
	// factor between its mean power and its energy. End minus start is a
	// poorer one, since it corrects what was wrong with the windows before.
	Length() time.Duration

	// Frequency returns the mains frequency in hertz that goes with Length.
	Frequency() float64
}

// An Arrival is the simplest Base: a window ends when its frame arrives. It is
// as good as the link is prompt: frames held up and delivered together leave
// one long-looking gap and then windows squeezed to nothing.
type Arrival struct {
	length       time.Duration
	hertz        float64
	last         time.Time // end of the window before
	lost, missed int
}

var _ Base = &Arrival{}

// NewArrival returns the Base of a stream with windows of so many mains
// periods at a mains frequency in hertz. No window will start before began,
// which may be zero: the earliest moment at which the first window can have
// begun. Errors are those of [NewFilter].
func NewArrival(began time.Time, periods int, hertz float64) (*Arrival, error) {
	length, err := windowLength(periods, hertz)
	if err != nil {
		return nil, err
	}
	return &Arrival{length: length, hertz: hertz, last: began}, nil
}

// maxLength is far above the longest window of a meter, 65535 periods, and far
// below the range of a time.Duration.
const maxLength = 24 * time.Hour

// windowLength returns periods over frequency.
func windowLength(periods int, hertz float64) (time.Duration, error) {
	if periods < 1 {
		return 0, fmt.Errorf("timebase: window of %d mains periods", periods)
	}
	length := float64(periods) / hertz * float64(time.Second)
	if !(hertz > 0 && length >= 1 && length < float64(maxLength)) {
		return 0, fmt.Errorf("timebase: window of %d mains periods at %g Hz", periods, hertz)
	}
	return time.Duration(length + 0.5), nil
}

// Window implements [Base]: end is arrival, and start is one length earlier,
// though not before the end of the window before.
func (a *Arrival) Window(arrival time.Time) (start, end time.Time) {
	a.missed, a.lost = a.lost, 0
	end = arrival
	if end.Before(a.last) {
		end = a.last
	}
	start = end.Add(-a.length)
	if start.Before(a.last) {
		start = a.last
	}
	a.last = end
	return start, end
}

// Missed implements [Base]: as many as Lost was told of.
func (a *Arrival) Missed() int { return a.missed }

// Lost implements [Base]. Arrival times do not depend on it.
func (a *Arrival) Lost(n int) { a.lost = min(a.lost+min(max(n, 0), mostLost), mostLost) }

// Length implements [Base]: periods over frequency.
func (a *Arrival) Length() time.Duration { return a.length }

// Frequency implements [Base]: what was given.
func (a *Arrival) Frequency() float64 { return a.hertz }
