package sim

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of the first frame after each J, mean squares and mean power are too large by
// k, which the truth knows, and peaks are right; the second frame is right.
func TestFirstFrame(t *testing.T) {
	for _, tt := range []struct {
		spec    string
		request string
		factor  func(k float64) float64
	}{
		{"link=ideal", "<J0001>", func(k float64) float64 { return k }},
		{"link=ideal", "<J0014>", func(k float64) float64 { return max(k, 20) / 20 }},
		{"link=ideal", "<J0032>", func(float64) float64 { return 1 }},
		{"link=ideal,first=cleared", "<J0001>", func(k float64) float64 { return k }},
		{"link=ideal,first=cleared", "<J0014>", func(k float64) float64 { return (k + 19) / 20 }},
		{"link=ideal,first=50/cleared", "<J0032>", func(float64) float64 { return 1.98 }},
		{"link=ideal,first=7", "<J0001>", func(float64) float64 { return 7 }},
		{"link=ideal,first=clean", "<J0001>", func(float64) float64 { return 1 }},
	} {
		t.Run(tt.spec+" "+tt.request, func(t *testing.T) {
			cfg, err := ParseSpec("load=constant," + tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				m := New(cfg)
				c := dial(t, m)
				defer c.close()
				seen := make(map[int]bool)
				for range 200 {
					c.want(tt.request, "<K>")
					first, _ := c.frame(5 * time.Second)
					second, _ := c.frame(5 * time.Second)
					truth, ok := m.Truth(0)
					if !ok || truth.LeftOut || !near(truth.Factor, tt.factor(float64(truth.K)), 1e-12) {
						t.Fatalf("%t, %+v", ok, truth)
					}
					u, i, p, up, ip := decode(t, first, m.scale)
					u2, i2, p2, up2, ip2 := decode(t, second, m.scale)
					if !near(u*u, u2*u2*truth.Factor, 1e-3) || !near(i*i, i2*i2*truth.Factor, 1e-3) || !near(p, p2*truth.Factor, 1e-4) ||
						math.Abs(up-up2) > 0.1 || math.Abs(ip-ip2) > 1e-3 {
						t.Fatalf("first %s, second %s, factor %g", first, second, truth.Factor)
					}
					if next, ok := m.Truth(1); !ok || next.Factor != 1 || next.K != 0 {
						t.Fatalf("second window: %t, %+v", ok, next)
					}
					seen[truth.K] = true
					c.want("<Q>", "<K>")
				}
				fixed := strings.ContainsAny(tt.spec, "0123456789") || cfg.First.Law == FirstClean
				if fixed != (len(seen) == 1) || !fixed && len(seen) < 45 {
					t.Errorf("%d values of k in 200 streams", len(seen))
				}
			})
		})
	}
}

// The first frame is left out at times; then the first that comes is right.
func TestFirstLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 1500
		m := New(DefaultConfig())
		c := dial(t, m)
		defer c.close()
		left := 0
		for range streams {
			c.want("<J0001>", "<K>")
			frame, _ := c.frame(time.Second)
			truth, _ := m.Truth(0)
			if truth.LeftOut {
				left++
				truth, _ = m.Truth(1)
			}
			if want := string(appendFrame(nil, truth, m.scale)); !truth.LeftOut && frame != want {
				t.Fatalf("got %s, want %s", frame, want)
			}
			c.send("<Q>")
			for frame != "<K>" {
				frame, _ = c.frame(time.Second)
			}
		}
		if left < streams/300 || left > streams/40 {
			t.Errorf("left out in %d of %d streams", left, streams)
		}
	})
}

// A first window that begins late.
func TestFirstLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{First: First{After: 6 * time.Second}})
		c := dial(t, m)
		defer c.close()
		c.want("<J0005>", "<K>")
		sent := time.Now()
		frame, at := c.frame(10 * time.Second)
		if wait := at.Sub(sent); !measurement(frame) || wait < 6100*time.Millisecond || wait > 6130*time.Millisecond {
			t.Errorf("got %q after %v", frame, wait)
		}
	})
}
