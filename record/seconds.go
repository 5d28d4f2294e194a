package record

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// Times are seconds since the start of 1970, UTC, with nine decimals. A float64
// does not hold as many.

const nano = 1_000_000_000

// appendTime writes a moment.
func appendTime(b []byte, t time.Time) []byte { return appendNanos(b, t.UnixNano()) }

// appendNanos writes nanoseconds as seconds.
func appendNanos(b []byte, ns int64) []byte {
	n := uint64(ns)
	if ns < 0 {
		b = append(b, '-')
		n = -n
	}
	b = strconv.AppendUint(b, n/nano, 10)
	b = append(b, '.')
	var digits [9]byte
	rest := n % nano
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + rest%10)
		rest /= 10
	}
	return append(b, digits[:]...)
}

var errSeconds = errors.New("not a number of seconds")

// maxSeconds is far beyond any date, and within what nanoseconds can count.
const maxSeconds = 9_000_000_000

// parseNanos reads seconds, in any of the forms of a JSON number, as nanoseconds.
func parseNanos(b []byte) (int64, error) {
	i, sign := 0, int64(1)
	if i < len(b) && b[i] == '-' {
		i, sign = 1, -1
	}
	var n int64
	first := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if n = 10*n + int64(b[i]-'0'); n > maxSeconds {
			return 0, errSeconds
		}
	}
	if i == first {
		return 0, errSeconds
	}
	n *= nano
	if i < len(b) && b[i] == '.' {
		i++
		first = i
		for unit := int64(nano / 10); i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			n += unit * int64(b[i]-'0')
			unit /= 10
		}
		if i == first {
			return 0, errSeconds
		}
	}
	if i == len(b) {
		return sign * n, nil
	}
	// With an exponent, as some programs write numbers.
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(math.Abs(v) <= maxSeconds) {
		return 0, errSeconds
	}
	return int64(math.Round(v * nano)), nil
}

// A Seconds is a moment as it stands in JSON: seconds since the start of 1970, UTC,
// with nine decimals.
type Seconds struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) { return appendTime(nil, s.Time), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	ns, err := parseNanos(b)
	if err == nil {
		s.Time = time.Unix(0, ns)
	}
	return err
}
