package sim

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeWatts writes a power, and returns when the file says that it was written.
func writeWatts(t *testing.T, path, text string) time.Time {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

// TestFileLoad: the load draws what the file says, from when it was written.
func TestFileLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watts")
	writeWatts(t, path, "30\n")
	cfg, err := ParseSpec("load=file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	m := New(cfg)
	start := m.epoch
	pause := func() { time.Sleep(20 * time.Millisecond) }
	look := func() {
		pause()
		m.Energy(start, time.Now())
		pause() // files have times of the last tick, which is before the look
	}
	look()
	first := writeWatts(t, path, "130.5")
	look()
	writeWatts(t, path, "") // as it is in the midst of being written
	look()
	writeWatts(t, path, "9999999") // more than the meter can tell
	look()
	second := writeWatts(t, path, "-20")
	pause()
	end := time.Now()
	want := 30*first.Sub(start.Round(0)).Seconds() + 130.5*second.Sub(first).Seconds() - 20*end.Round(0).Sub(second).Seconds()
	if got := m.Energy(start, end); math.Abs(got-want) > 1e-3 {
		t.Errorf("it drew %g J, want %g J", got, want)
	}
	// Without the file it goes on; what was stays what it was.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	pause()
	now := time.Now()
	if got, want := m.Energy(end, now), -20*now.Sub(end).Seconds(); math.Abs(got-want) > 1e-6 {
		t.Errorf("without the file %g J, want %g J", got, want)
	}
	if got := m.Energy(start, end); math.Abs(got-want) > 1e-3 {
		t.Errorf("later it drew %g J, want %g J", got, want)
	}
	// Ahead it goes on.
	if got := m.Energy(now, now.Add(time.Hour)); math.Abs(got+20*3600) > 1e-6 {
		t.Errorf("in the next hour %g J", got)
	}
}

// TestFollowedRefused: what can't be followed is told at once.
func TestFollowedRefused(t *testing.T) {
	dir := t.TempDir()
	words := filepath.Join(dir, "words")
	writeWatts(t, words, "thirty")
	for spec, want := range map[string]string{
		"load=file":                     "load file has no path; write load=file:PATH",
		"load=file:" + dir + "/missing": "no such file",
		"load=file:" + words:            `holds "thirty", not a power from -3500 to 3500 W`,
		"load=file:" + dir:              "is not a regular file",
		"load=wave:x":                   "only file has a path",
		"load=cpu,watts=5000":           "outside -3500 to 3500",
		"load=cpus":                     "not one of constant, step, wave, server, inrush, zero, cpu, file:PATH",
	} {
		if _, err := ParseSpec(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// TestProcessorLoad: the load is between idle and full, and work makes it more.
func TestProcessorLoad(t *testing.T) {
	if _, _, err := processorTime(); err != nil {
		t.Skip(err) // only Linux tells
	}
	cfg, err := ParseSpec("load=cpu")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.LowPower != 30 || cfg.Power != 100 {
		t.Errorf("from %g to %g W", cfg.LowPower, cfg.Power)
	}
	cfg, err = ParseSpec("watts=200,load=cpu,low=100")
	if err != nil {
		t.Fatal(err)
	}
	m := New(cfg)
	begun := time.Now()
	for x := 1.; time.Since(begun) < 200*time.Millisecond; x = math.Sqrt(x + 1) {
		if x < 0 {
			t.Fatal("impossible")
		}
	}
	end := time.Now()
	busy := m.Energy(begun, end) / end.Sub(begun).Seconds()
	if busy <= 100 || busy > 200+1e-9 {
		t.Errorf("%g W while one processor works", busy)
	}
}

// TestFollowedForgets: what is remembered is bounded.
func TestFollowedForgets(t *testing.T) {
	n := 0.
	f := newFollowed(time.Now().Add(-time.Hour), func(now float64) []followedPiece {
		n++
		return []followedPiece{{now, n}}
	})
	for range 3 * mostPieces {
		f.over(0, 1)
	}
	if len(f.pieces) > mostPieces || cap(f.pieces) > 4*mostPieces {
		t.Errorf("%d pieces, room for %d", len(f.pieces), cap(f.pieces))
	}
	if got := f.over(f.looked-1e-9, f.looked).mean; math.Abs(got-n) > 1 {
		t.Errorf("now %g W, want %g W", got, n)
	}
}
