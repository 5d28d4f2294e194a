package powerspy

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeASCII(t *testing.T) {
	one := []CaptureCount{{0x1234, -1}}
	tests := []struct {
		name, text string
		want       []CaptureCount
		announced  int
		why        string
	}{
		{"samples", "200001" + "1234FFFF", one, 1, ""},
		{"single values", "200002" + "1234FFFF", one, 2, ""},
		{"none", "200000", []CaptureCount{}, 0, ""},
		{"spaces and lines", " 20 0001\r\n1234 FFFF\n\r", one, 1, ""},
		{"fewer than announced", "200002" + "1234FFFF" + "", one, 2, ""},
		{"far fewer than announced", "200003" + "1234FFFF", one, 3, "1 samples where it says 3"},
		{"digits too many", "200001" + "1234FFFF" + "12", one, 1, "2 digits too many after 1 samples"},
		{"no digits", "200002" + "1234FFFF" + "1234ffff", one, 2, "no hexadecimal digits in sample 1"},
		// The one transcript known of a real meter, cut short.
		{"transcript", "20513180", []CaptureCount{}, 0x5131, "2 digits too many after 0 samples"},
		{"no header", "2000", nil, 0, "too short for a capture"},
		{"no number", "20-001", nil, 0, "no hexadecimal digits"},
		{"nothing", "", nil, 0, "too short for a capture"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cp := Capture{Raw: []byte(tt.text)}
			if why := cp.decodeASCII(); why != tt.why {
				t.Errorf("unexpected reason: %q, want %q", why, tt.why)
			}
			if diff := cmp.Diff(tt.want, cp.Counts); diff != "" || cp.Announced != tt.announced || string(cp.Raw) != tt.text {
				t.Errorf("unexpected capture: %+v (-want +got):\n%s", cp, diff)
			}
		})
	}
}

// An answer that is not understood is there all the same.
func TestReadCaptureOdd(t *testing.T) {
	c := play(t, script(synced, onWant("<A>", "<A20513180>"), readsByte)...)
	cp, err := c.ReadCapture(t.Context(), 1)
	if !errors.Is(err, ErrNotUnderstood) || cp == nil || string(cp.Raw) != "20513180" || cp.Result != 0x20 {
		t.Fatalf("unexpected capture: %+v, %v", cp, err)
	}
	var p [1]byte
	if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil {
		t.Errorf("failed afterwards: %v", err)
	}
}

// The longest answer arrives slowly, but does not take too long.
func TestReadCaptureSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("12345678", 25600)
		steps := script(synced, onWant("<A>", "<A006400"))
		for ; len(text) > 4096; text = text[4096:] {
			steps = append(steps, send(text[:4096]), pause(time.Second))
		}
		steps = append(steps, send(text+">"))
		c := play(t, steps...)
		start := time.Now()
		cp, err := c.ReadCapture(t.Context(), 100)
		if err != nil || len(cp.Counts) != 25600 || time.Since(start) < 40*time.Second {
			t.Fatalf("unexpected capture after %v: %v", time.Since(start), err)
		}
		if limit := c.scan.limit; limit != 0 || cap(c.scan.partial) > maxFrame {
			t.Errorf("the scanner stays at %d, %d", limit, cap(c.scan.partial))
		}
	})
}

// Half an answer runs into the time-out.
func TestReadCaptureHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := play(t, script(synced, onWant("<A>", "<A"+strings.Repeat("0", 1000)), []step{pause(3 * DefaultTimeout)})...)
		if _, err := c.ReadCapture(t.Context(), 1); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("unexpected error: %v, want %v", err, ErrNoAnswer)
		}
	})
}

func TestReadBinary(t *testing.T) {
	full := strings.Repeat("<\r\n>", 256)
	tests := []struct {
		name   string
		steps  []step
		counts int
		raw    string
		want   error
	}{
		{"usual", script(onWant("<B>", "<B"+full+">\n\r"), fenced), 256, full, nil},
		{"without a line end", script(onWant("<B>", "<B"+full+">"), fenced), 256, full, nil},
		{"in pieces", script(onWant("<B>", "<B"+full[:1000]), []step{pause(time.Second), send(full[1000:] + ">\n\r")}, fenced), 256, full, nil},
		{"shorter", script(onWant("<B>", "<B"+full[:100]+">\n\r"), []step{pause(DefaultTimeout)}, fenced), 25, full[:100], nil},
		{"none", script(onWant("<B>", "<B>\n\r"), []step{pause(DefaultTimeout)}, fenced), 0, "", nil},
		{"longer", script(onWant("<B>", "<B"+full+full+">\n\r"), []step{pause(DefaultTimeout)}, fenced), 512, full + full, nil},
		// There is a > just where the answer usually ends.
		{"longer than it seems", script(onWant("<B>", "<B"+full+"><<<"), []step{send(full + ">\n\r")}, fenced), 513, full + "><<<" + full, nil},
		{"cut short", script(onWant("<B>", "<B"+full), []step{pause(DefaultTimeout)}, fenced), 255, full, ErrNotUnderstood},
		{"cut shorter", script(onWant("<B>", "<B"+full[:99]), []step{pause(DefaultTimeout)}, fenced), 24, full[:99], ErrNotUnderstood},
		{"another", script(onWant("<B>", "<K>\n\r"), []step{pause(DefaultTimeout)}, fenced), 0, "<K>", ErrNotUnderstood},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := play(t, script(fences(2), tt.steps, readsByte)...)
				cp, err := c.ReadCaptureBinary(t.Context(), 1)
				if !errors.Is(err, tt.want) {
					t.Fatalf("unexpected error: %v, want %v", err, tt.want)
				}
				if cp == nil || string(cp.Raw) != tt.raw && tt.name != "another" || len(cp.Counts) != len(cp.Raw)/4 {
					t.Errorf("unexpected capture: %+v", cp)
				}
				if tt.want == nil && len(cp.Raw)/4 != tt.counts {
					t.Errorf("unexpected number of samples: %d, want %d", len(cp.Counts), tt.counts)
				}
				var p [1]byte
				if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
					t.Errorf("failed afterwards: %#02x, %v", p[0], err)
				}
			})
		})
	}
}

func TestSamples(t *testing.T) {
	cp := Capture{Periods: 2, Counts: make([]CaptureCount, 400)}
	cp.Counts[100] = CaptureCount{Voltage: 0x0FA9, Current: -0x0AB5}
	samples := cp.Samples(golden, 50)
	got := samples[100]
	if got.Time != 10*time.Millisecond || math.Abs(got.Voltage-326.924281) > 1e-6 || math.Abs(got.Current+1.493782664) > 1e-9 || len(samples) != 400 {
		t.Errorf("unexpected sample: %+v", got)
	}
	if got := cp.Interval(60); math.Abs(got-2/60./400) > 1e-15 {
		t.Errorf("unexpected interval: %g", got)
	}
	for _, hertz := range []float64{0, -50, math.NaN()} {
		if got := cp.Interval(hertz); got != 0 {
			t.Errorf("at %g Hz: unexpected interval: %g", hertz, got)
		}
	}
	if got := new(Capture).Samples(golden, 50); len(got) != 0 {
		t.Errorf("unexpected samples: %v", got)
	}
}

func TestWaitCapture(t *testing.T) {
	status := func(letters string) (steps []step) {
		for _, l := range letters {
			steps = append(steps, onWant("<?>", "<POWERSPY"+string(l)+"01FF350304D2>")...)
		}
		return steps
	}
	synctest.Test(t, func(t *testing.T) {
		c := play(t, status("WWWAC")...)
		var seen []byte
		start := time.Now()
		if err := c.WaitCapture(t.Context(), func(id Identity) { seen = append(seen, byte(id.Status)) }); err != nil || string(seen) != "WWAC" {
			t.Errorf("saw %q: %v", seen, err)
		}
		if took := time.Since(start); took != 3*pollInterval {
			t.Errorf("took %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if err := play(t, status("WWR")...).WaitCapture(t.Context(), nil); !errors.Is(err, ErrNotUnderstood) || !strings.Contains(err.Error(), "the meter is ready") {
			t.Errorf("unexpected error: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		if err := play(t, status("WWW")...).WaitCapture(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("unexpected error: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := play(t, status("WW")...)
		time.AfterFunc(50*time.Millisecond, func() { _ = c.Close() })
		if err := c.WaitCapture(t.Context(), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("unexpected error: %v", err)
		}
	})
}

// FuzzCapture decodes arbitrary answers, which must not get lost.
func FuzzCapture(f *testing.F) {
	for _, s := range []string{"200001" + "1234FFFF", "20513180", "2000 02\r\n1234FFFF", "", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		cp := Capture{Raw: bytes.Clone(raw), Periods: 1}
		why := cp.decodeASCII()
		if !bytes.Equal(cp.Raw, raw) || len(cp.Counts) > len(raw)/8 {
			t.Errorf("%d samples of %q", len(cp.Counts), raw)
		}
		if why == "" && cp.Announced != len(cp.Counts) && cp.Announced != 2*len(cp.Counts) {
			t.Errorf("%q passes for %+v", raw, cp)
		}
		for _, s := range cp.Samples(golden, 50) {
			if s.Time < 0 || s.Time > 20*time.Millisecond {
				t.Errorf("a sample at %v", s.Time)
			}
		}
		bin := decodeBinary(raw)
		var again []byte
		for _, n := range bin.Counts {
			again = append(again, byte(n.Voltage>>8), byte(n.Voltage), byte(n.Current>>8), byte(n.Current))
		}
		if !bytes.HasPrefix(raw, again) || len(raw)-len(again) > 3 {
			t.Errorf("%x encodes back to %x", raw, again)
		}
	})
}
