package meter

import (
	"errors"
	"fmt"
	"math"
	"time"

	"powerspy2/powerspy"
)

// averagings are the lengths of windows, in mains periods, that are tried in
// turn where a meter can't keep up with shorter ones.
var averagings = [...]int{1, 2, 5, 10, 25, 50}

// AutoAveraging returns the length of windows in mains periods that suits an
// interval at a mains frequency in Hz: a tenth of the interval, of 1, 2 or 5
// periods. Real meters were seen to leave out some windows of one period, and
// none of many; from windows of 5 periods on, radio and processor have a fifth
// of the work. An interval of 0 stands for the shortest windows.
func AutoAveraging(interval time.Duration, frequency float64) int {
	best := averagings[0]
	for _, n := range averagings {
		// Those who ask for a second get 5 periods, however the mains wander.
		if n <= 5 && fits(interval/10, n, frequency) {
			best = n
		}
	}
	return best
}

// averaging returns the length of windows to begin with, with a meter that is known
// to keep up with windows of so many periods, and with none shorter; 0: nothing
// is known.
func (c *StreamConfig) averaging(frequency float64, known int) int {
	if c.Averaging > 0 {
		return c.Averaging
	}
	n := AutoAveraging(c.Interval, frequency)
	if known > n && c.allows(known, frequency) {
		n = known
	}
	return n
}

// allows reports whether windows of so many periods may be chosen.
func (c *StreamConfig) allows(periods int, frequency float64) bool {
	return c.Interval == 0 || fits(c.Interval, periods, frequency)
}

// longer returns the next longer windows to try after such as failed; 0: there
// are none.
func (c *StreamConfig) longer(periods int, frequency float64, g powerspy.Generation) int {
	if c.Averaging > 0 {
		return 0
	}
	for _, n := range averagings {
		if n > periods {
			if checkWindows(c.Interval, n, frequency, g) != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// errLeftOut is matched by the errors for a meter that leaves out so many windows
// that longer ones are worth a try.
var errLeftOut = errors.New("the meter leaves out too many windows")

// A leftOutError tells how many.
type leftOutError struct{ share float64 }

func (e *leftOutError) Error() string { return errLeftOut.Error() }
func (e *leftOutError) Unwrap() error { return errLeftOut }

// A trials is what was seen of windows of several lengths in mains periods: the
// shares that the meter left out.
type trials map[int]float64

// best returns the length that the meter can best keep up with: the shortest one
// of which it leaves out hardly more than of any other.
func (ts trials) best() int {
	least := math.Inf(1)
	for _, share := range ts {
		least = min(least, share)
	}
	best := math.MaxInt
	for periods, share := range ts {
		if share <= 1.2*least+0.02 {
			best = min(best, periods)
		}
	}
	return best
}

// tooShort reports whether an error of starting a stream, or of a stream, may be
// due to windows that are too short for the meter: it refused them, acknowledged
// and sent nothing, or left out too many.
func tooShort(err error) bool {
	return errors.Is(err, powerspy.ErrRefused) || errors.Is(err, errSilent) || errors.Is(err, errLeftOut)
}

// otherWindows says that longer windows are tried, and why.
func otherWindows(periods, next int, cause error) Status {
	what := "left too many of them out"
	switch {
	case errors.Is(cause, powerspy.ErrRefused):
		what = "refused them"
	case errors.Is(cause, errSilent):
		what = "sent none"
	}
	return Status{
		Time: time.Now(), Phase: Streaming, Kind: OtherWindows,
		Text: fmt.Sprintf("windows of %s are too short for this meter, which %s: trying %s", mainsPeriods(periods), what, mainsPeriods(next)),
	}
}

// noLonger adds to an error of windows that are too short for a meter that the
// interval allows no longer ones.
func noLonger(err error, interval time.Duration) error {
	e := &Error{Op: "measure", Err: err}
	if below, ok := errors.AsType[*Error](err); ok {
		*e = *below
	}
	e.Err = fmt.Errorf("%w, and an interval of %v %w", e.Err, interval, ErrShortWindows)
	return e
}

// settledOn says that there is no better length of windows.
func settledOn(periods int, share float64) Status {
	return Status{
		Time: time.Now(), Phase: Streaming, Kind: OtherWindows,
		Text: fmt.Sprintf("the meter leaves out many windows of any length: staying with %s, of which it left out %.0f %%", mainsPeriods(periods), 100*share),
	}
}

// mainsPeriods writes a number of them.
func mainsPeriods(n int) string {
	if n == 1 {
		return "1 mains period"
	}
	return fmt.Sprintf("%d mains periods", n)
}
