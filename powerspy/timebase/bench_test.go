package timebase

import (
	"testing"
	"time"
)

func BenchmarkFilter(b *testing.B) {
	for _, tt := range []struct {
		name    string
		carrier carrier
	}{{"exponential", exponential}, {"A", regimeA}, {"B", regimeB}, {"C", regimeC}} {
		b.Run(tt.name, func(b *testing.B) {
			rnd := random(1)
			frames := tt.carrier.carry(rnd, ordinary.ends(rnd, 10000, 1))
			arrivals := make([]time.Time, len(frames))
			for i, frame := range frames {
				arrivals[i] = at(frame.arrival)
			}
			cfg := Config{Periods: 1, Frequency: 50, Lag: halfSecond}
			b.ReportAllocs()
			f := mustFilter(b, cfg)
			for i := 0; b.Loop(); i++ {
				if i%len(arrivals) == 0 {
					b.StopTimer()
					f = mustFilter(b, cfg)
					b.StartTimer()
				}
				arrival := arrivals[i%len(arrivals)]
				f.Add(arrival)
				for _, ok := f.Settled(arrival); ok; _, ok = f.Settled(arrival) {
				}
			}
		})
	}
}

func TestFilterAllocs(t *testing.T) {
	rnd := random(1)
	frames := exponential.carry(rnd, ordinary.ends(rnd, 2000, 1))
	f := mustFilter(t, Config{Periods: 1, Frequency: 50, Lag: halfSecond})
	i := 0
	if n := testing.AllocsPerRun(len(frames)-1, func() {
		arrival := at(frames[i].arrival)
		f.Add(arrival)
		f.Settled(arrival)
		f.Due()
		i++
	}); n != 0 {
		t.Errorf("%v allocations a window", n)
	}
}
