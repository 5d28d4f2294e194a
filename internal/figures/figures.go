// Package figures writes numbers for people, with as many digits as they are known
// to.
package figures

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// JoulesPerWh is how many joules a watt-hour has.
const JoulesPerWh = 3600

// WithUncertainty writes a value to the second digit of its uncertainty.
func WithUncertainty(v, u float64, unit string) string {
	d := Decimals(v, u)
	if math.Round(v*math.Pow10(d)) == 0 {
		v = 0 // which is not below nothing
	}
	return fmt.Sprintf("%.*f %s +- %.*f %s", d, v, unit, d, u, unit)
}

// Decimals returns how many decimals show two digits of the uncertainty of a value,
// but no more than seven digits of that, nor nine decimals.
func Decimals(v, u float64) int {
	if !(u > 0) {
		return 3
	}
	d := 1 - int(math.Floor(math.Log10(u)))
	if v != 0 {
		d = min(d, 6-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	return min(max(d, 0), 9)
}

// Significant writes a number with three digits.
func Significant(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if strings.Contains(text, "e") {
		if a := math.Abs(v); a >= 1 && a < 1e9 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		} else if a > 1e-9 && a < 1 {
			return strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(a))), 64)
		}
	}
	return text
}

// Duration writes how long something took.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3)
	case d < time.Minute:
		return fmt.Sprintf("%.3f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s (%v)", d.Seconds(), d.Round(time.Second))
}
