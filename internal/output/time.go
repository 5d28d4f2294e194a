package output

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A TimeFormat is a way to write points in time.
type TimeFormat string

// Time formats. All but TimeISO count from the start of 1970, UTC.
const (
	TimeMicro  TimeFormat = "us"  // whole microseconds
	TimeMilli  TimeFormat = "ms"  // whole milliseconds, rounded down
	TimeSecond TimeFormat = "s"   // seconds with six decimals
	TimeISO    TimeFormat = "iso" // 2026-03-04T05:06:07.890123Z: RFC 3339, UTC
)

var timeFormats = [...]TimeFormat{TimeMicro, TimeMilli, TimeSecond, TimeISO}

// isoLayout has as many decimals for every time, so that lines sort.
const isoLayout = "2006-01-02T15:04:05.000000Z"

// TimeFormatNames returns the names that ParseTimeFormat accepts.
func TimeFormatNames() []string {
	names := make([]string, len(timeFormats))
	for i, t := range timeFormats {
		names[i] = string(t)
	}
	return names
}

// ParseTimeFormat finds a time format by its name.
func ParseTimeFormat(name string) (TimeFormat, error) {
	for _, t := range timeFormats {
		if string(t) == name {
			return t, nil
		}
	}
	return "", fmt.Errorf("time format %q is not one of %s", name, strings.Join(TimeFormatNames(), ", "))
}

// append writes when, to the microsecond.
func (t TimeFormat) append(b []byte, when time.Time) []byte {
	switch t {
	case TimeMilli:
		return strconv.AppendInt(b, when.UnixMilli(), 10)
	case TimeSecond:
		return appendMicros(b, when.UnixMicro())
	case TimeISO:
		return when.UTC().AppendFormat(b, isoLayout)
	}
	return strconv.AppendInt(b, when.UnixMicro(), 10)
}

// appendMicros writes microseconds as seconds with six decimals.
func appendMicros(b []byte, us int64) []byte {
	n := uint64(us)
	if us < 0 {
		b = append(b, '-')
		n = -n
	}
	return appendPoint(b, n, 6)
}

// appendPoint writes n with a decimal point before its last decimals digits.
func appendPoint(b []byte, n uint64, decimals int) []byte {
	var digits [32]byte
	d := strconv.AppendUint(digits[:0], n, 10)
	for len(d) <= decimals {
		// Rare enough: numbers below one.
		d = append(d, 0)
		copy(d[1:], d)
		d[0] = '0'
	}
	point := len(d) - decimals
	b = append(b, d[:point]...)
	if decimals > 0 {
		b = append(b, '.')
	}
	return append(b, d[point:]...)
}
