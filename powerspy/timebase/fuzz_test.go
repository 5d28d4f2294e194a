package timebase

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// Whatever arrives when, windows are in order, and numbers are numbers.
func FuzzFilter(f *testing.F) {
	f.Add([]byte{}, int16(1), uint8(0))
	f.Add([]byte("\x00\x00\x10\x00\x00\x00\x10\x01\x00\x00\x10\x00"), int16(1), uint8(1))
	f.Add([]byte("\x01\x00\x10\x00\xff\xff\xff\x7f\x00\x00\x00\x80\x00\x00\x00\x80\x01\x00\x00\x00"), int16(50), uint8(2))
	f.Add(make([]byte, 4000), int16(5), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, periods int16, how uint8) {
		cfg := Config{Periods: int(periods), Frequency: 50}
		if how&1 != 0 {
			cfg.Sent, cfg.Acknowledged = at(-0.02), at(0.01)
		}
		if how&2 != 0 {
			cfg.RoundTrip = 17 * time.Millisecond
		}
		filter, err := NewFilter(cfg)
		if (err != nil) != (periods < 1) {
			t.Fatalf("windows of %d periods: unexpected error: %v", periods, err)
		}
		if err != nil {
			return
		}
		nominal := float64(periods) / 50
		var before time.Time
		arrival := epoch
		for ; len(data) >= 4; data = data[4:] {
			// In units from microseconds to weeks, and also back.
			v := int32(binary.LittleEndian.Uint32(data))
			step := time.Duration(v>>2) * []time.Duration{time.Nanosecond, time.Microsecond, 100 * time.Microsecond, 10 * time.Millisecond}[v&3]
			arrival = arrival.Add(step)
			if v%7 == 0 {
				filter.Lost(int(v >> 4))
			}
			start, end := filter.Window(arrival)
			if start.Before(before) || !end.After(before) || end.Before(start) {
				t.Fatalf("window from %v to %v after %v", start, end, before)
			}
			before = end
			if n := filter.Missed(); n < 0 {
				t.Fatalf("%d windows missed", n)
			}
			moment, length, sigma := filter.states.estimate()
			for _, x := range []float64{moment, length, sigma, filter.jitter, filter.late.share, filter.late.n} {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("moment %v, length %v, standard error %v, jitter %v, share %v, evidence %v",
						moment, length, sigma, filter.jitter, filter.late.share, filter.late.n)
				}
			}
			if math.Abs(length/nominal-1) > maxDeviation+1e-9 {
				t.Fatalf("length %v", length)
			}
		}
	})
}
