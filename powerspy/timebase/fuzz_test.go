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
	f.Add([]byte("00000000A000000200010002"), int16(4), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, periods int16, how uint8) {
		cfg := Config{Periods: int(periods), Frequency: 50, Lag: time.Duration(how>>2) * 10 * time.Millisecond}
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
		var before, settled Window
		count := 0
		check := func(w, before Window, name string) {
			room := w.End.Sub(before.End)
			if w.Start.Before(before.End) || w.End.Before(w.Start) || w.Surplus != (room == 0) || !w.Surplus && room < w.Length*2/5 && !before.End.IsZero() {
				t.Fatalf("%s window from %v to %v after %v", name, w.Start, w.End, before.End)
			}
			if w.LeftOut < 0 || w.Error < 0 || w.Length <= 0 || !(w.Frequency > 0) {
				t.Fatalf("%s window: %+v", name, w)
			}
		}
		take := func(now time.Time) {
			for w, ok := filter.Settled(now); ok; w, ok = filter.Settled(now) {
				check(w, settled, "settled")
				settled = w
				count--
			}
		}
		arrival := epoch
		for ; len(data) >= 4; data = data[4:] {
			// In units from microseconds to weeks, and also back.
			v := int32(binary.LittleEndian.Uint32(data))
			step := time.Duration(v>>2) * []time.Duration{time.Nanosecond, time.Microsecond, 100 * time.Microsecond, 10 * time.Millisecond}[v&3]
			arrival = arrival.Add(step)
			if v%7 == 0 {
				filter.Lost(int(v >> 4))
			}
			w := filter.Add(arrival)
			check(w, before, "causal")
			before = w
			count++
			take(arrival)
			for m := range filter.mains {
				s := &filter.mains[m]
				for _, x := range []float64{s.moment, s.length, s.vm, s.vl, s.vb, s.ml, s.mb, s.lb, s.beat, s.weight, filter.tempo.ahead, filter.tempo.over} {
					if math.IsNaN(x) || math.IsInf(x, 0) {
						t.Fatalf("state %+v, tempo %+v", s, filter.tempo)
					}
				}
				if math.Abs(s.length/nominal-1) > maxDeviation+1e-9 || !(s.vm > 0) || !(s.vl > 0) || !(s.weight > 0) {
					t.Fatalf("state %+v", s)
				}
			}
			var sum float64
			for _, p := range filter.known.p {
				sum += p
			}
			if !(math.Abs(sum-1) < 1e-3) {
				t.Fatalf("slots have a probability of %v", sum)
			}
		}
		filter.Flush()
		take(arrival)
		if count != 0 || !filter.Due().IsZero() {
			t.Fatalf("%d windows remain", count)
		}
	})
}
