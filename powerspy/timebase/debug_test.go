package timebase

import (
	"math"
	"os"
	"strconv"
	"testing"
)

func TestDebug(t *testing.T) {
	var c carrier = regimeA
	if os.Getenv("LINK") == "exp" {
		c = exponential
	}
	if os.Getenv("LINK") == "B" {
		c = regimeB
	}
	rnd := random(1)
	ends := grid{hertz: 49.985, drift: 200e-6}.ends(rnd, 180000, 1)
	frames := c.carry(rnd, ends)
	f, _ := NewFilter(Config{Periods: 1, Frequency: 50, Lag: 5e8})
	var settled []Window
	lo, _ := strconv.Atoi(os.Getenv("LO"))
	segs := 0
	var lastoff, start int
	for i, fr := range frames {
		w0 := f.Add(at(fr.arrival))
		_ = w0
		for {
			w, ok := f.Settled(at(fr.arrival))
			if !ok {
				break
			}
			k := len(settled)
			settled = append(settled, w)
			off := int(math.Round((since(w.End) - frames[k].end - 0.006) / 0.02))
			if off != lastoff {
				if lastoff != 0 {
					t.Logf("seg off %d from %d to %d (%.1f s)", lastoff, start, k, frames[start].end)
				}
				lastoff, start = off, k
				if segs++; segs > 60 {
					for kk := range f.habits.share {
						t.Logf("%d: %v more %v", kk, f.habits.share[kk], f.habits.runs[:4])
						s := &f.delays.free
						for b := 0; b < s.blocks; b++ {
							t.Logf("  from %.2f ms density %.2f/s mass %.3f", s.edge[b]*1e3, s.value[b], s.value[b]*(min(s.edge[b+1], 1)-s.edge[b]))
						}
					}
					t.FailNow()
				}
			}
			if os.Getenv("LO") != "" && k >= lo && k < lo+24 {
				t.Logf("   %d y %.1f true left %d out %d | delay true %.1f est %.1f  sigma %.2f off %d n %d", k, frames[k].arrival*1e3, frames[k].window-frames[max(k-1, 0)].window-1, w.LeftOut, (frames[k].arrival-frames[k].end)*1e3, w.Delay.Seconds()*1e3, w.Error.Seconds()*1e3, off, i-k)
			}
		}
	}
}
