package timebase

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"
)

func TestReplayTrace(t *testing.T) {
	name := os.Getenv("TRACE")
	if name == "" {
		return
	}
	rec := load(name)
	from, _ := strconv.Atoi(os.Getenv("FROM"))
	rec = rec[from:min(len(rec), from+2000)]
	f, _ := NewFilter(Config{Periods: 1, Frequency: 50, Lag: 5e8})
	var settled []Window
	s := ""
	var sum, n float64
	lo := math.Inf(1)
	for _, r := range rec {
		f.Add(at(r.arrival))
		for {
			w, ok := f.Settled(at(r.arrival))
			if !ok {
				break
			}
			k := len(settled)
			settled = append(settled, w)
			if rec[k].window >= 0 {
				sum += since(w.End) - rec[k].end
				n++
				lo = min(lo, w.Delay.Seconds())
				if k%50 == 0 {
					sure := "?"
					if rec[k].sure {
						sure = ""
					}
					s += fmt.Sprintf(" %.1f%s/%.1f@%.3f(%.2f)", sum/n*1e3, sure, lo*1e3, w.Frequency, w.Error.Seconds()*1e3)
					if f.run != (lateness{}) && f.shifts > 0 {
						s += fmt.Sprintf("SHIFT%d", f.shifts)
						f.shifts = 0
					}
					sum, n, lo = 0, 0, math.Inf(1)
				}
			}
		}
	}
	t.Log(s)
	for kk := range f.habits.share {
		t.Logf("%d: %v more %v", kk, f.habits.share[kk], f.habits.runs[:4])
		s := &f.delays.free
		for b := 0; b < s.blocks && s.edge[b] < 0.1; b++ {
			t.Logf("  from %.2f ms density %.2f/s mass %.3f", s.edge[b]*1e3, s.value[b], s.value[b]*(min(s.edge[b+1], 1)-s.edge[b]))
		}
	}
}
