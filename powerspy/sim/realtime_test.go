package sim

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// decode turns a frame into physical values with the scales, as the
// protocol's description says.
func decode(t *testing.T, frame string, scale Calibration) (u, i, p, up, ip float64) {
	t.Helper()
	var a, b, c uint32
	var d, e uint16
	if _, err := fmt.Sscanf(frame, "<%08X %08X %08X %04X %04X>", &a, &b, &c, &d, &e); err != nil {
		t.Fatalf("%q: %v", frame, err)
	}
	us, is := float64(scale.Voltage), float64(scale.Current)
	return us * math.Sqrt(float64(a)), is * math.Sqrt(float64(b)), us * is * float64(int32(c)),
		us * float64(d), is * float64(e)
}

// What a client computes from the frames is the truth, for every load.
func TestFramesTellTheTruth(t *testing.T) {
	for _, load := range []Load{LoadConstant, LoadStep, LoadWave, LoadServer, LoadInrush, LoadZero} {
		t.Run(string(load), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := New(Config{Load: load, Power: 300, LowPower: 30, LoadPeriod: 1700 * time.Millisecond,
					Frequency: 49.985, Drift: 1e-3})
				c := dial(t, m)
				defer c.close()
				c.want("<J000D>", "<K>")
				negative := 0
				for n := range 200 {
					got, at := c.frame(time.Second)
					truth, ok := m.Truth(n)
					if !ok || !at.Equal(truth.End) {
						t.Fatalf("window %d: arrived %v, ends %v, %t", n, at, truth.End, ok)
					}
					u, i, p, up, ip := decode(t, got, m.Config().Current)
					if !near(u, truth.Voltage, 1e-6) || !near(i, truth.Current, 0.02) || math.Abs(p-truth.Power) > 5e-5 ||
						!near(up, truth.VoltagePeak, 2e-4) || math.Abs(ip-truth.CurrentPeak) > 6e-4 {
						t.Fatalf("window %d: %s tells %g V, %g A, %g W, %g V, %g A; true is %+v", n, got, u, i, p, up, ip, truth)
					}
					if load != LoadZero && !near(i, truth.Current, 1e-4) {
						t.Fatalf("window %d: %g A, true is %g A", n, i, truth.Current)
					}
					if math.Abs(p) > u*i || ip < i || up < u {
						t.Fatalf("window %d: %s is not possible", n, got)
					}
					if length := truth.End.Sub(truth.Start).Seconds(); !near(truth.Energy, truth.Power*length, 1e-6) {
						t.Fatalf("window %d: %g J, %g W for %g s", n, truth.Energy, truth.Power, length)
					}
					if e := m.Energy(truth.Start, truth.End); math.Abs(e-truth.Energy) > 1e-5 {
						t.Fatalf("window %d: %g J, but %g J in that time", n, truth.Energy, e)
					}
					if p < 0 {
						negative++
					}
				}
				if (load == LoadZero) != (negative > 100) {
					t.Errorf("%d of 200 windows have negative power", negative)
				}
			})
		})
	}
}

// Windows follow each other without gap, are N mains periods long each, and
// hours later are still where the mains has them.
func TestWindowsFollowMains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Frequency: 49.985, Drift: 300e-6, Seed: 7})
		c := dial(t, m)
		defer c.close()
		time.Sleep(12345 * time.Microsecond)
		c.want("<J0005>", "<K>")
		sent := time.Now()
		s, ok := m.Stream()
		if !ok || !s.Running || s.Periods != 5 || s.Number != 1 || s.Windows != 0 {
			t.Fatalf("got %+v", s)
		}
		if wait := s.Start.Sub(sent); wait < 0 || wait > 20100*time.Microsecond {
			t.Errorf("first window begins %v after J", wait)
		}
		c.close() // Nobody has to listen for the meter to measure.
		time.Sleep(10 * time.Hour)
		if s, _ = m.Stream(); !near(float64(s.Windows), 36000*49.985/5, 1e-4) {
			t.Errorf("%d windows in ten hours", s.Windows)
		}
		zero := m.mains.periods(m.seconds(s.Start))
		if math.Abs(zero-math.Round(zero)) > 1e-6 {
			t.Errorf("stream begins at mains phase %g", zero)
		}
		var fastest, slowest float64 = 0, 100
		previous := s.Start
		for n := 0; n+1 < s.Windows; n += 37 {
			truth, ok := m.Truth(n)
			next, also := m.Truth(n + 1)
			if !ok || !also || !next.Start.Equal(truth.End) || truth.Start.Before(previous) {
				t.Fatalf("window %d ends %v, the next begins %v", n, truth.End, next.Start)
			}
			previous = truth.End
			phase := m.mains.periods(m.seconds(truth.End)) - zero
			if math.Abs(phase-float64(5*(n+1))) > 1e-5 {
				t.Fatalf("window %d ends after %g periods", n, phase)
			}
			f := 5 / truth.End.Sub(truth.Start).Seconds()
			fastest, slowest = max(fastest, f), min(slowest, f)
		}
		if fastest > 49.985*(1+301e-6) || slowest < 49.985*(1-301e-6) || fastest-slowest < 49.985*300e-6 {
			t.Errorf("mains between %g and %g Hz", slowest, fastest)
		}
		if _, ok := m.Truth(s.Windows); ok {
			t.Error("a window is known that has not ended")
		}
		if _, ok := m.Truth(-1); ok {
			t.Error("a window before the first is known")
		}
	})
}

// Meters send nothing when windows are longer than two seconds.
func TestLongWindowsAreSilent(t *testing.T) {
	for _, tt := range []struct {
		frequency float64
		request   string
		frames    bool
	}{
		{50, "<J0064>", true}, {50, "<J0065>", false}, {49.9, "<J0064>", true},
		{60, "<J0078>", true}, {60, "<J0079>", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := New(Config{Frequency: tt.frequency})
			c := dial(t, m)
			defer c.close()
			c.want(tt.request, "<K>")
			if got, _ := c.frame(30 * time.Second); (got != "") != tt.frames {
				t.Errorf("%s at %g Hz: got %q", tt.request, tt.frequency, got)
			}
			c.want("<Q>", "<K>")
		})
	}
}

// A meter that streams answers T as status, streams on to the next client,
// and goes on with what J says last.
func TestStreamOutlivesClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		c.want("<J0032>", "<K>")
		c.want("<?>", "<POWERSPYT01FF350311D7>")
		c.close()
		time.Sleep(10 * time.Second)
		if !m.Measuring() || m.Connected() {
			t.Error("the meter took note of its client's death")
		}

		c = dial(t, m)
		defer c.close()
		opened := time.Now()
		got, at := c.frame(2 * time.Second)
		s, _ := m.Stream()
		truth, ok := m.Truth(s.Windows - 1)
		if !measurement(got) || !ok || !at.Equal(truth.End) || !at.After(opened) {
			t.Errorf("got %q at %v, want window %d that ended at %v", got, at, truth.Index, truth.End)
		}
		c.want("<J000A>", "<K>")
		if got, at := c.frame(time.Second); !measurement(got) || at.Sub(truth.End) > 300*time.Millisecond {
			t.Errorf("got %q at %v", got, at)
		}
		if s, _ = m.Stream(); s.Number != 2 || s.Periods != 10 {
			t.Errorf("got %+v", s)
		}
		c.want("<Q>", "<K>")
		if got, _ := c.frame(5 * time.Second); got != "" {
			t.Errorf("got %q after the stream's end", got)
		}
		if s, _ = m.Stream(); s.Running || s.Windows != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// Frames that are on their way when Q is obeyed come before its answer; none
// comes after.
func TestFramesInFlightAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Delay: 100 * time.Millisecond})
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		time.Sleep(time.Second)
		if got, _ := c.frame(time.Second); !measurement(got) { // Reads all that has come.
			t.Fatalf("got %q", got)
		}
		c.rest = nil
		c.send("<Q>")
		frames := 0
		for {
			got, _ := c.frame(time.Second)
			if got == "<K>" {
				break
			}
			if !measurement(got) {
				t.Fatalf("got %q", got)
			}
			frames++
		}
		// There and back takes 200 ms of 20 ms windows.
		if frames < 9 || frames > 11 {
			t.Errorf("%d frames before the answer to Q", frames)
		}
		if got, _ := c.frame(5 * time.Second); got != "" {
			t.Errorf("got %q after the answer to Q", got)
		}
	})
}

// A frame whose window ended before Q was obeyed is sent, also when nothing
// has looked at it until then.
func TestStopCollectsFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		s := &session{m: m, opened: time.Now(), wake: make(chan struct{}, 1)}
		var p parser
		s.obey(&p, []byte("<J0001>"))
		time.Sleep(1010 * time.Millisecond)
		s.obey(&p, []byte("<Q>"))
		if len(s.queue) != 52 || string(s.queue[0].text) != "<K>\n\r" || string(s.queue[51].text) != "<K>\n\r" {
			t.Errorf("got %d messages", len(s.queue))
		}

		// Of a long time in which nobody looked, the last frames are kept.
		s.queue = nil
		s.obey(&p, []byte("<J0001>"))
		s.queue = nil
		time.Sleep(time.Hour)
		s.collect(time.Now())
		stream, _ := m.Stream()
		oldest, _ := m.Truth(stream.Windows - backlog)
		if want := string(appendFrame(nil, oldest, m.scale)) + "\n\r"; len(s.queue) != backlog || string(s.queue[0].text) != want {
			t.Errorf("%d frames are kept, the first %s, want %s", len(s.queue), s.queue[0].text, want)
		}
	})
}

// The delay is what was asked for: never less than the constant part, with
// the mean of the exponential part, in order, and stalls that end in a burst.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const frames = 5000
		m := New(Config{Delay: 8 * time.Millisecond, Jitter: 5 * time.Millisecond, Drift: 1e-4, Seed: 3})
		c := dial(t, m)
		defer c.close()
		c.want("<J000A>", "<K>")
		var sum time.Duration
		over := 0
		for n := range frames {
			_, at := c.frame(time.Second)
			truth, ok := m.Truth(n)
			if !ok {
				t.Fatalf("no window %d", n)
			}
			late := at.Sub(truth.End)
			if late < 8*time.Millisecond {
				t.Fatalf("window %d is %v late", n, late)
			}
			sum += late - 8*time.Millisecond
			if late > 13*time.Millisecond {
				over++
			}
		}
		if mean := sum / frames; mean < 4800*time.Microsecond || mean > 5200*time.Microsecond {
			t.Errorf("mean of the exponential part is %v", mean)
		}
		// One in e is beyond the mean.
		if share := float64(over) / frames; !near(share, 1/math.E, 0.06) {
			t.Errorf("%g of the frames are later than the mean", share)
		}
	})
}

func TestStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const frames = 20000
		m := New(Config{Stall: 0.002, Seed: 3})
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		stalls, longest := 0, time.Duration(0)
		previous := time.Time{}
		reads := c.reads
		for n := range frames {
			_, at := c.frame(time.Second)
			truth, _ := m.Truth(n)
			late := at.Sub(truth.End)
			if late < 0 || at.Before(previous) {
				t.Fatalf("window %d is %v late", n, late)
			}
			// The first frame that a stall holds up is as late as the stall is long.
			if late > 0 && at.After(previous) {
				stalls++
				longest = max(longest, late)
				if late < 200*time.Millisecond || late > 600*time.Millisecond {
					t.Errorf("window %d stalled for %v", n, late)
				}
			}
			previous = at
		}
		if stalls < 20 || stalls > 60 || longest < 500*time.Millisecond {
			t.Errorf("%d stalls, the longest %v", stalls, longest)
		}
		if reads = c.reads - reads; reads > frames-stalls*10 {
			t.Errorf("%d reads for %d frames: no bursts", reads, frames)
		}
	})
}

// The same seed and requests give the same run.
func TestSeed(t *testing.T) {
	run := func(t *testing.T, seed uint64) (got string) {
		synctest.Test(t, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Seed = seed
			m := New(cfg)
			began := time.Now()
			c := dial(t, m)
			defer c.close()
			c.send("<J0001>")
			for range 200 {
				frame, at := c.frame(5 * time.Second)
				got += fmt.Sprintln(at.Sub(began), frame)
			}
		})
		return got
	}
	if a, b := run(t, 5), run(t, 5); a != b {
		t.Error("two runs with one seed differ")
	}
	if run(t, 5) == run(t, 6) {
		t.Error("the seed makes no difference")
	}
}
