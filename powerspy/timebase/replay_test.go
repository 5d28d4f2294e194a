package timebase

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type recorded struct {
	frame
	sure bool
}

func load(name string) []recorded {
	fh, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	defer fh.Close()
	z, err := gzip.NewReader(fh)
	if err != nil {
		panic(err)
	}
	var out []recorded
	sc := bufio.NewScanner(z)
	for sc.Scan() {
		p := strings.Split(sc.Text(), "\t")
		if len(p) < 9 || p[0] == "arrival_s" {
			continue
		}
		y, _ := strconv.ParseFloat(p[0], 64)
		r := recorded{frame: frame{window: -1, arrival: y}}
		if p[6] != "" {
			r.window, _ = strconv.Atoi(p[6])
			r.end, _ = strconv.ParseFloat(p[7], 64)
			r.sure = p[8] == "1"
		}
		out = append(out, r)
	}
	return out
}

func TestReplay(t *testing.T) {
	dir := os.Getenv("REPLAY")
	if dir == "" {
		return
	}
	names, _ := filepath.Glob(dir + "/*.gz")
	for _, name := range names {
		all := load(name)
		score := func(rec []recorded) (p95, c95, off, offc float64, count int, fmin, fmax, honest float64) {
			f, _ := NewFilter(Config{Periods: 1, Frequency: 50, Lag: 5e8})
			var causal, settled []Window
			for _, r := range rec {
				causal = append(causal, f.Add(at(r.arrival)))
				for {
					w, ok := f.Settled(at(r.arrival))
					if !ok {
						break
					}
					settled = append(settled, w)
				}
			}
			f.Flush()
			for {
				w, ok := f.Settled(at(0))
				if !ok {
					break
				}
				settled = append(settled, w)
			}
			do := func(ws []Window) (p95, off, honest float64) {
				var errs, sig []float64
				for i, w := range ws {
					if rec[i].window >= 0 && rec[i].sure {
						errs = append(errs, since(w.End)-rec[i].end)
						sig = append(sig, w.Error.Seconds())
					}
				}
				if len(errs) == 0 {
					return
				}
				d := deviate(slices.Clone(errs))
				for i, e := range errs {
					if math.Abs(e-d.median) > 0.015 {
						off++
					}
					if math.Abs(e-d.median) < 2*sig[i] {
						honest++
					}
				}
				return d.p95, off / float64(len(errs)), honest / float64(len(errs))
			}
			p95, off, honest = do(settled)
			c95, offc, _ = do(causal)
			n := 0
			a := 0
			for rec[a].window < 0 {
				a++
			}
			fmin, fmax = 99, 0
			for i, w := range settled {
				if i > a {
					n += 1 + w.LeftOut
				}
				if rec[i].arrival-rec[0].arrival > 5 {
					fmin, fmax = min(fmin, w.Frequency), max(fmax, w.Frequency)
				}
			}
			count = n - (rec[len(rec)-1].window - rec[a].window)
			return
		}
		t0 := time.Now()
		p95, c95, off, offc, count, fmin, fmax, honest := score(all)
		dt := time.Since(t0)
		first := ""
		var p40, offs []float64
		worst := 0
		bad := 0
		sub := 0
		for s := 0; s+1000 < len(all); s += 97 {
			e := s
			for e < len(all) && all[e].arrival < all[s].arrival+40 {
				e++
			}
			q, _, o, _, c, f0, f1, _ := score(all[s:e])
			offs = append(offs, o)
			if q > 0.003 && os.Getenv("V") != "" {
				t.Logf("  from %d (%.1f s): p95 %.1f off %.2f%% count %d f %.3f %.3f", s, all[s].arrival, q*1e3, o*100, c, f0, f1)
			}
			if s == 0 {
				first = fmt.Sprintf("first 40 s: p95 %.2f off %.2f%% count %d", q*1e3, o*100, c)
			}
			p40 = append(p40, q)
			if c < 0 {
				c = -c
			}
			worst = max(worst, c)
			if c > 1 || q > 0.003 || f0 < 49.94 || f1 > 50.06 {
				bad++
			}
			sub++
		}
		slices.Sort(p40)
		slices.Sort(offs)
		t.Logf("%s p95 %.2f ms causal %.2f off %.2f%% %.2f%% honest %.1f count %+d f %.3f..%.3f %.1f us | 40 s: p95 median %.2f 90%% %.2f worst %.2f off %.2f%% %.2f%% count worst %d bad %d/%d %s", filepath.Base(name)[7:9], p95*1e3, c95*1e3, off*100, offc*100, honest*100, count, fmin, fmax, float64(dt.Microseconds())/float64(len(all)),
			p40[len(p40)/2]*1e3, p40[len(p40)*9/10]*1e3, p40[len(p40)-1]*1e3, offs[len(offs)/2]*100, offs[len(offs)*9/10]*100, worst, bad, sub, first)
	}
}
