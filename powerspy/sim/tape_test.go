package sim

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A heard frame is one that a client of a meter received.
type heard struct {
	at    time.Time
	frame string
}

// listen reads frames of a stream of one-period windows until none comes for
// three seconds, or there are enough.
func listen(t *testing.T, c *client, frames int) (all []heard) {
	t.Helper()
	for len(all) < frames {
		frame, at := c.frame(3 * time.Second)
		if frame == "" {
			break
		}
		all = append(all, heard{at, frame})
	}
	return all
}

// A log is what a client of a simulated meter wrote down, with the truth.
type log9 struct {
	text  string
	heard []heard
	truth []Truth
}

// write makes a log as powerspy.py would, with times from 0 on, or annotated.
func write(t *testing.T, cfg Config, request string, frames int, annotated bool) (l log9) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		c.want(request, "<K>")
		l.heard = listen(t, c, frames)
		w := 0
		var b strings.Builder
		b.WriteString("# timestamp\tV\tA\tW\tV\tA\n")
		for n, h := range l.heard {
			for ; ; w++ {
				truth, ok := m.Truth(w)
				if !ok {
					t.Fatalf("no window %d", w)
				}
				l.truth = append(l.truth, truth)
				if !truth.LeftOut {
					break
				}
			}
			u, i, p, up, ip := decode(t, h.frame, m.scale)
			fmt.Fprintf(&b, "%.5f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", h.at.Sub(l.heard[0].at).Seconds(), u, i, p, up, ip)
			if annotated && n > 0 {
				fmt.Fprintf(&b, "\t%d\t%.5f\t1", w-l.truth[0].Index-1, l.truth[w].End.Sub(l.heard[0].at).Seconds())
			} else if annotated {
				b.WriteString("\t\t\t")
			}
			b.WriteString("\n")
			w++
		}
		l.text = b.String()
	})
	return l
}

// replay makes a meter of a log, with what else a specification says.
func replay(t *testing.T, text, spec string) Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := ParseSpec("replay=" + path + spec)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A recording is streamed as it was: values to the count, times of arrival,
// the first frame and the windows that were left out, at each J from its
// beginning; then nothing comes.
func TestReplay(t *testing.T) {
	for _, link := range []Link{LinkA, LinkB, LinkC, LinkIdeal} {
		for _, annotated := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s annotated %t", link, annotated), func(t *testing.T) {
				cfg := Config{Link: link, Load: LoadServer, First: First{Law: FirstRunsOn, K: 17}, Drift: 200e-6, Seed: 4}
				l := write(t, cfg, "<J0001>", 3000, annotated)
				cfg = replay(t, l.text, "")
				synctest.Test(t, func(t *testing.T) {
					m := New(cfg)
					c := dial(t, m)
					defer c.close()
					c.want("<F>", "<F6C00>")
					for range 2 {
						c.want("<J0001>", "<K>")
						asked := time.Now()
						got := listen(t, c, math.MaxInt)
						if len(got) != len(l.heard) {
							t.Fatalf("%d frames came, %d were recorded", len(got), len(l.heard))
						}
						if wait := got[0].at.Sub(asked); wait < 20*time.Millisecond || wait > 60*time.Millisecond {
							t.Errorf("the first comes after %v", wait)
						}
						for n := range got {
							late := got[n].at.Sub(got[0].at) - l.heard[n].at.Sub(l.heard[0].at)
							if late.Abs() > 10*time.Microsecond {
								t.Fatalf("frame %d comes %v late", n, late)
							}
							u, i, p, up, ip := decode(t, got[n].frame, m.scale)
							u0, i0, p0, up0, ip0 := decode(t, l.heard[n].frame, m.scale)
							us, is := float64(m.scale.Voltage), float64(m.scale.Current)
							// The log has three digits.
							if math.Abs(u-u0) > 1e-3 || math.Abs(i-i0) > 1e-3 || math.Abs(p-p0) > 1e-3 ||
								math.Abs(up-up0) > us*0.51 || math.Abs(ip-ip0) > max(is, 1e-3) {
								t.Fatalf("frame %d is %s, was %s", n, got[n].frame, l.heard[n].frame)
							}
						}
						s, _ := m.Stream()
						if s.Windows != len(l.truth) {
							t.Errorf("%d windows, were %d", s.Windows, len(l.truth))
						}
						checkTruth(t, m, l, annotated)
					}
				})
			})
		}
	}
}

// checkTruth compares the truth of a replay with that of the recording.
func checkTruth(t *testing.T, m *Meter, l log9, annotated bool) {
	t.Helper()
	begin, _ := m.Truth(0)
	if begin.K != 17 || !near(begin.Factor, 17, 1e-3) || !near(begin.Power, l.truth[0].Power, 1e-2) {
		t.Errorf("first window %+v, was %+v", begin, l.truth[0])
	}
	wrong, joules, recorded := 0, 0.0, 0.0
	for n, was := range l.truth {
		truth, ok := m.Truth(n)
		if !ok {
			t.Fatalf("no window %d", n)
		}
		joules += truth.Energy
		recorded += was.Energy
		moved := truth.End.Sub(begin.End) - was.End.Sub(l.truth[0].End)
		if annotated && (truth.LeftOut != was.LeftOut || moved.Abs() > 30*time.Microsecond) {
			t.Fatalf("window %d: %+v, was %+v, moved by %v", n, truth, was, moved)
		}
		// Without annotations the place is inferred.
		if moved.Abs() > 12*time.Millisecond {
			wrong++
		}
	}
	if wrong > len(l.truth)/20 {
		t.Errorf("%d of %d windows are in the wrong place", wrong, len(l.truth))
	}
	last, _ := m.Truth(len(l.truth) - 1)
	if e := m.Energy(begin.Start, last.End); !near(joules, recorded, 0.01) || !near(e, joules, 1e-3) {
		t.Errorf("energy %g J, by windows %g J, was %g J", e, joules, recorded)
	}
}

// Windows of more periods are those of the recording put together, and none of
// them is missing.
func TestReplayLonger(t *testing.T) {
	l := write(t, Config{Link: LinkA, Load: LoadServer, Seed: 6}, "<J0001>", 3000, true)
	cfg := replay(t, l.text, "")
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		c.want("<J0005>", "<K>")
		got := listen(t, c, math.MaxInt)
		if len(got) != len(l.truth)/5 {
			t.Fatalf("%d frames for %d windows", len(got), len(l.truth))
		}
		for n, h := range got {
			truth, ok := m.Truth(n)
			late := h.at.Sub(truth.End)
			if !ok || truth.LeftOut || late < -time.Millisecond || late > 60*time.Millisecond {
				t.Fatalf("window %d: %t, %+v, %v late", n, ok, truth, late)
			}
			var power, square, highest float64
			left := 0
			for _, was := range l.truth[5*n : 5*n+5] {
				power += was.Power / 5
				square += was.Voltage * was.Voltage / 5
				highest = max(highest, was.CurrentPeak)
				if was.LeftOut {
					left++
				}
			}
			u, _, p, _, ip := decode(t, h.frame, m.scale)
			if left == 0 && (!near(u, math.Sqrt(square), 1e-4) || math.Abs(p-power) > 2e-3 || math.Abs(ip-highest) > 2e-3) {
				t.Fatalf("window %d: %g V, %g W, peak %g A; was %g V, %g W, %g A", n, u, p, ip, math.Sqrt(square), power, highest)
			}
		}
	})
}

// A recording of longer windows plays at their length and multiples of it.
func TestReplayOfLongerWindows(t *testing.T) {
	l := write(t, Config{Load: LoadServer, First: First{Law: FirstCleared, K: 40}}, "<J0014>", 200, false)
	cfg := replay(t, l.text, "")
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		for _, r := range []string{"<J0001>", "<J0005>", "<J001E>"} {
			c.want(r, "<Z>")
		}
		c.want("<J0014>", "<K>")
		if got := listen(t, c, math.MaxInt); len(got) != 200 {
			t.Errorf("%d frames", len(got))
		}
		c.want("<J0028>", "<K>")
		if got := listen(t, c, math.MaxInt); len(got) != 100 {
			t.Errorf("%d frames", len(got))
		}
	})
}

// A repeated recording goes on without its first frame.
func TestReplayRepeat(t *testing.T) {
	l := write(t, Config{Link: LinkC, Load: LoadServer, First: First{Law: FirstRunsOn, K: 30}, Seed: 2}, "<J0001>", 500, true)
	cfg := replay(t, l.text, ",repeat")
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		got := listen(t, c, 5*len(l.heard))
		for n, h := range got {
			was := l.heard[0]
			if n > 0 {
				was = l.heard[1+(n-1)%(len(l.heard)-1)]
			}
			_, _, p, _, _ := decode(t, h.frame, m.scale)
			_, _, p0, _, _ := decode(t, was.frame, m.scale)
			if math.Abs(p-p0) > 1e-3 {
				t.Fatalf("frame %d: %g W, was %g W", n, p, p0)
			}
			if n > 0 && h.at.Sub(got[n-1].at) > 200*time.Millisecond {
				t.Fatalf("frame %d comes %v after the one before", n, h.at.Sub(got[n-1].at))
			}
		}
		if rate := float64(m.describe(m.stream, m.now()).Windows) / time.Since(m.epoch).Seconds(); !near(rate, 50, 0.01) {
			t.Errorf("%g windows a second", rate)
		}
	})
}

// Logs of power alone, compressed ones, and what is none.
func TestReplayFiles(t *testing.T) {
	var b strings.Builder
	b.WriteString("Timestamp;Power\r\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%d;%.3f\r\n", 1409400000+i, 100+float64(i))
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(b.String()))
	_ = w.Close()
	cfg := replay(t, z.String(), ",volts=231,pf=1")
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		c.want("<J0005>", "<Z>")
		c.want("<J0032>", "<K>")
		for i := range 60 {
			frame, _ := c.frame(1100 * time.Millisecond)
			u, a, p, _, _ := decode(t, frame, m.scale)
			if want := 100 + float64(i); !near(u, 231, 1e-4) || !near(p, want, 1e-5) || !near(a, want/231, 1e-3) {
				t.Fatalf("row %d: %g V, %g A, %g W", i, u, a, p)
			}
		}
	})

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prose"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("Timestamp;Power\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for spec, want := range map[string]string{
		"replay=none":      "replay: stat none: no such file",
		"replay=.":         "replay: . is not a regular file",
		"replay=prose":     "replay: prose: not a log of powerspy.py or powerspycli",
		"replay=empty":     "replay: empty: log has no usable row",
		"replay=":          "replay needs a value",
		"repeat":           "there is no recording to repeat",
		"replay=/dev/zero": "is not a regular file",
	} {
		if _, err := ParseSpec(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "old.log"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{
		"replay=old.log,link=a":   "link a does not go with it",
		"replay=old.log,first=7":  "its own first frame",
		"replay=old.log,fast=1.2": "as fast as it was",
		"replay=old.log,held=0.1": "link ideal has no radio",
	} {
		if _, err := ParseSpec(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
}
