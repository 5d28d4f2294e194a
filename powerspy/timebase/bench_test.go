package timebase

import (
	"testing"
	"time"
)

func BenchmarkFilter(b *testing.B) {
	const windows = 10000
	rnd := random(1)
	ends := ordinary.ends(rnd, windows, 1)
	var arrivals [windows]time.Time
	for i, y := range usual.arrivals(rnd, ends) {
		arrivals[i] = at(y)
	}
	b.ReportAllocs()
	f := mustFilter(b, Config{Periods: 1, Frequency: 50})
	for i := 0; b.Loop(); i++ {
		if i%windows == 0 {
			f = mustFilter(b, Config{Periods: 1, Frequency: 50})
		}
		f.Window(arrivals[i%windows])
	}
}

func TestFilterAllocs(t *testing.T) {
	rnd := random(1)
	arrivals := usual.arrivals(rnd, ordinary.ends(rnd, 2000, 1))
	f := mustFilter(t, Config{Periods: 1, Frequency: 50})
	i := 0
	if n := testing.AllocsPerRun(len(arrivals)-1, func() {
		f.Window(at(arrivals[i]))
		i++
	}); n != 0 {
		t.Errorf("%v allocations a window", n)
	}
}
