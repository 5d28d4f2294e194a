package timebase

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

func TestDebug2(t *testing.T) {
	if os.Getenv("D2") == "" {
		return
	}
	prompt := link{constant: 0.005, jitter: func(rnd *rand.Rand) float64 { return 0.002 * rnd.ExpFloat64() }}
	rnd := random(3)
	ends := grid{hertz: 49.985, drift: 100e-6}.ends(rnd, 60*50, 1)
	var c carrier = prompt
	if os.Getenv("D2") == "A" {
		c = regimeA
	}
	if os.Getenv("D2") == "C" {
		c = regimeC
	}
	if os.Getenv("D2") == "E" {
		c = exponential
	}
	n := 2
	if os.Getenv("N") != "" {
		n = int(os.Getenv("N")[0] - '0')
	}
	out := func(_ *rand.Rand, i int) bool { return i%n >= 1 }
	if os.Getenv("R") != "" {
		out = func(rnd *rand.Rand, i int) bool { return rnd.Float64() < 0.8 }
	}
	frames := thin{c, out}.carry(rnd, ends)
	f := mustFilter(t, Config{Periods: 1, Frequency: 50, Lag: 500 * time.Millisecond})
	var settled []Window
	for i, fr := range frames {
		w := f.Add(at(fr.arrival))
		if i < 60 || i%25 == 0 {
			t.Logf("%d y %.1f end true %.1f est %.1f sigma %.1f left %d belief %d slots, f %.3f | share %v more %v top %d widest %.2f", i, fr.arrival*1e3, fr.end*1e3+5, since(w.End)*1e3, w.Error.Seconds()*1e3, w.LeftOut, len(f.known.p), w.Frequency, f.habits.share[0], f.habits.runs[:4], f.top, f.mains.widest()*1e3)
		}
		for {
			w, ok := f.Settled(at(fr.arrival))
			if !ok {
				break
			}
			settled = append(settled, w)
		}
	}
	s := &f.delays.free
	for b := 0; b < s.blocks && s.edge[b] < 0.1; b++ {
		t.Logf("  from %.2f ms density %.2f/s", s.edge[b]*1e3, s.value[b])
	}
}
