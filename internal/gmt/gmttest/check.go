// Package gmttest checks rows as the Green Metrics Tool does.
package gmttest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Check applies the checks of the tool's reader, which drops what follows the
// last newline, to what was written for it at an interval.
func Check(out string, interval time.Duration) error {
	out = out[:strings.LastIndexByte(out, '\n')+1]
	if out == "" {
		return errors.New("no row")
	}
	var times []float64
	for line := range strings.Lines(out) {
		text, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		at, err1 := strconv.ParseInt(text, 10, 64)
		v, err2 := strconv.ParseInt(value, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return fmt.Errorf("row %q is not two integers", line)
		}
		if v <= 1 {
			return fmt.Errorf("the value of %q is too small", line)
		}
		if n := len(times); n > 0 && float64(at) <= times[n-1] {
			return fmt.Errorf("the time of %q does not increase", line)
		}
		times = append(times, float64(at))
	}
	var steps []float64
	for i := 1; i < len(times); i++ {
		steps = append(steps, times[i]-times[i-1])
	}
	rate := float64(interval.Microseconds())
	if p := quantile(steps, 0.95); !(p > 0.8*rate && p < 1.2*rate) {
		return fmt.Errorf("95 %% of the steps are up to %g us, which is not about %g us", p, rate)
	}
	return nil
}

// quantile interpolates between the two nearest values, and is NaN without any.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	whole, part := math.Modf(q * float64(len(values)-1))
	v := values[int(whole)]
	if part > 0 {
		v += part * (values[int(whole)+1] - v)
	}
	return v
}
