package meter

import (
	"math"

	"powerspy2/internal/oldlog"
)

// study finds how many mains periods the windows of a log have, and the nominal
// frequency in Hz, from how fast its frames came. Short windows are partly left
// out, so that frames come a little slower than windows end, never faster.
//
// Five periods at 50 Hz and six at 60 Hz take the same time, and so do their
// multiples: the voltage tells them apart, since where it is below 160 V the
// mains mostly have 60 Hz.
func study(rows []oldlog.Row) (periods int, frequency float64) {
	length, voltage := 1., 0.
	if len(rows) > 1 {
		length, voltage = max(oldlog.Spacing(rows).Seconds(), 1./60), rows[len(rows)/2].Voltage
	}
	nominal := [...]float64{50, 60}
	if voltage > 10 && voltage < 160 {
		nominal = [...]float64{60, 50}
	}
	best := math.Inf(1)
	for _, f := range nominal {
		n := max(math.Round(length*f), 1)
		off := length*f/n - 1
		if off < 0 {
			off *= -4 // clocks differ, but not by much
		}
		if n < 5 {
			off /= 2 // some are left out
		}
		if off < best-0.005 {
			best, periods, frequency = off, int(n), f
		}
	}
	return periods, frequency
}
