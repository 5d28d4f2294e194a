package sim

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// pattern returns which of the first windows of a stream arrive, compared with
// the truth.
func pattern(t *testing.T, m *Meter, c *client, windows int) (sent []bool) {
	t.Helper()
	c.want("<J0001>", "<K>")
	start := time.Now()
	came := make(map[time.Time]bool)
	for time.Since(start) < time.Duration(windows+2)*20*time.Millisecond {
		if _, at := c.frame(100 * time.Millisecond); !at.IsZero() {
			came[at] = true
		}
	}
	for i := range windows {
		truth, ok := m.Truth(i)
		if !ok || truth.LeftOut == came[truth.End] {
			t.Fatalf("window %d: %t, left out %t, came %t", i, ok, truth.LeftOut, came[truth.End])
		}
		sent = append(sent, !truth.LeftOut)
	}
	return sent
}

func TestLeavingOut(t *testing.T) {
	const windows = 5000
	tests := []struct {
		spec  string
		share float64 // Sent.
		run   float64 // Mean of the windows left out in a row.
		want  func(i int) bool
	}{
		{"skip=1/2", 0.5, 1, func(i int) bool { return i%2 == 0 }},
		{"skip=4/5", 0.2, 4, func(i int) bool { return i%5 == 0 }},
		{"skip=10/100", 0.9, 10, func(i int) bool { return i%100 < 90 }},
		{"skip=0.5", 0.5, 2, nil},
		{"skip=0.1x10", 0.9, 10, nil},
		{"cap=10", 0.2, 4, nil},
		{"cap=25", 0.5, 1, nil},
		{"cap=100", 1, 0, func(int) bool { return true }},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			cfg, err := ParseSpec("link=ideal,drift=0," + tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				m := New(cfg)
				c := dial(t, m)
				defer c.close()
				sent := pattern(t, m, c, windows)
				came, runs := 0, 0
				for i, s := range sent {
					if s {
						came++
					}
					if !s && (i == 0 || sent[i-1]) {
						runs++
					}
					if tt.want != nil && s != tt.want(i) {
						t.Fatalf("window %d: sent %t", i, s)
					}
				}
				if share := float64(came) / windows; math.Abs(share-tt.share) > 0.03 {
					t.Errorf("%g of the windows are sent", share)
				}
				if run := float64(windows-came) / max(1, float64(runs)); math.Abs(run-tt.run) > 0.1+0.15*tt.run {
					t.Errorf("%g windows are left out in a row", run)
				}
			})
		})
	}
}

// What the faults were when a window ended is what the truth goes by.
func TestLeavingOutChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		for n := range 6 {
			m.SetFaults(Faults{SilentUnder: 2 * (n % 2)})
			time.Sleep(time.Second)
		}
		m.SetFaults(Faults{})
		for n := range 6 {
			for i := 50*n + 2; i < 50*n+48; i++ {
				if truth, ok := m.Truth(i); !ok || truth.LeftOut != (n%2 == 1) {
					t.Fatalf("window %d: %t, left out %t", i, ok, truth.LeftOut)
				}
			}
		}
		frames := 0
		for {
			if _, at := c.frame(10 * time.Millisecond); at.IsZero() {
				break
			}
			frames++
		}
		if frames < 145 || frames > 155 {
			t.Errorf("%d frames came", frames)
		}
	})
}

// Meters that cannot do with short windows.
func TestShortWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{RefuseUnder: 3, SilentUnder: 5}})
		c := dial(t, m)
		defer c.close()
		c.want("<J0002>", "<Z>")
		if m.Measuring() {
			t.Error("the meter measures what it refused")
		}
		c.want("<J0003>", "<K>")
		if got, _ := c.frame(5 * time.Second); got != "" {
			t.Errorf("got %q with windows of 3 periods", got)
		}
		if truth, ok := m.Truth(7); !ok || !truth.LeftOut {
			t.Errorf("%t, %+v", ok, truth)
		}
		c.want("<J0005>", "<K>")
		if got, _ := c.frame(time.Second); !measurement(got) {
			t.Errorf("got %q with windows of 5 periods", got)
		}
	})
}

// Frames that come faster than the mains allow, though F says what it always
// says.
func TestFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Fast: 1.2}})
		c := dial(t, m)
		defer c.close()
		c.want("<F>", "<F6C00>")
		c.want("<J0001>", "<K>")
		start := time.Now()
		frames := 0
		for time.Since(start) < 10*time.Second {
			if got, at := c.frame(time.Second); !measurement(got) {
				t.Fatalf("got %q", got)
			} else if truth, ok := m.Truth(frames); !ok || !at.Equal(truth.End) {
				t.Fatalf("frame %d came at %v, %+v", frames, at, truth)
			}
			frames++
		}
		if frames < 598 || frames > 602 {
			t.Errorf("%d frames in 10 s", frames)
		}
	})
}
