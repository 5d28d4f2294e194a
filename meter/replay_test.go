package meter

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// logOf returns the lines of powerspy.py for frames at some times in seconds, of
// which each has its number as power; the first is three times too large.
func logOf(times ...float64) string {
	var b strings.Builder
	for i, at := range times {
		volts, watts := 230., float64(i)
		if i == 0 {
			volts, watts = 400, 500
		}
		fmt.Fprintf(&b, "%.4f\t%.3f\t0.500\t%.3f\t325.000\t0.800\n", 1e9+at, volts, watts)
	}
	return b.String()
}

// every returns n times at a distance, the last delay of which differ.
func every(n int, distance float64) (times []float64) {
	for i := range n {
		times = append(times, float64(i)*distance+0.001*float64(i*7%5))
	}
	return times
}

func saved(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replay returns all events of a log.
func replay(t *testing.T, text string, cfg StreamConfig) (r *Replay, events []Event) {
	t.Helper()
	r, err := OpenReplay(t.Context(), saved(t, text), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Stop(t.Context()), r.Close()); err != nil {
			t.Error(err)
		}
	})
	for {
		e, err := r.Next()
		if err == io.EOF {
			return r, events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// TestReplay: every window but the first comes once, in order and at its time;
// what was left out is bridged, longer pauses are gaps, lines that are no
// measurement are counted.
func TestReplay(t *testing.T) {
	steady := every(500, 0.02)
	without := func(numbers ...int) string {
		lines := strings.SplitAfter(logOf(steady...), "\n")
		for _, n := range numbers {
			lines[n] = ""
		}
		return strings.Join(lines, "")
	}
	altered := func(n int, line string) string {
		lines := strings.SplitAfter(logOf(steady...), "\n")
		lines[n] = line
		return strings.Join(lines, "")
	}
	var paused []float64
	for i, at := range steady {
		if i >= 250 {
			at += 75
		}
		paused = append(paused, at)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(z, logOf(steady...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, log         string
		live              bool
		measured, bridged int
		gap               time.Duration // of about so long
		told              string
	}{
		{name: "whole", log: logOf(steady...), measured: 499},
		{name: "live", log: logOf(steady...), live: true, measured: 499},
		{name: "compressed", log: zipped.String(), measured: 499},
		{name: "left out", log: without(100, 300, 301), measured: 496, bridged: 3},
		{name: "torn", log: altered(200, "100\n"), measured: 498, bridged: 1, told: "499 rows, 1 skipped (1 torn)"},
		{name: "back in time", log: altered(200, "99.0\t230\t1\t2\t325\t1\n"), measured: 498, bridged: 1, told: "499 rows, 1 skipped (1 with a time that goes back)"},
		{name: "lost sign", log: altered(200, fmt.Sprintf("%.4f\t230\t0.01\t377421.001\t325\t1\n", 1e9+steady[200])), measured: 499, told: "500 rows, 0 skipped, 1 with a lost sign restored"},
		{name: "rms above peak", log: altered(200, fmt.Sprintf("%.4f\t900\t0.5\t200\t325\t1\n", 1e9+steady[200])), measured: 498, bridged: 1, told: "1 with an rms above its peak"},
		{name: "pause", log: logOf(paused...), measured: 498, gap: 75 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, events := replay(t, tt.log, StreamConfig{Interval: 20 * time.Millisecond, Live: tt.live})
			if got := r.Info().Frequency; got != 50 || r.Averaging() != 1 || r.Target().Kind != File {
				t.Errorf("%g Hz, %d periods, %v", got, r.Averaging(), r.Target())
			}
			var measured, bridged int
			var gap time.Duration
			var told string
			var end time.Time
			for _, e := range events {
				switch e.Kind {
				case WindowEvent:
					if w := e.Window; w.Bridged {
						bridged++
					} else {
						measured++
						if w.Voltage > 231 || w.End.Before(end) {
							t.Errorf("%+v after %v", w, end)
						}
						at := float64(w.End.UnixNano())/1e9 - 1e9
						if n := int(w.Power); math.Abs(at-float64(n)*0.02) > 0.02 && tt.gap == 0 && tt.name != "lost sign" {
							t.Errorf("window %d ended at %.3f s", n, at)
						}
					}
					end = e.Window.End
				case GapEvent:
					gap += e.Gap.To.Sub(e.Gap.From)
				case StatusEvent:
					told += e.Status.Text
				}
			}
			if measured != tt.measured || bridged != tt.bridged || (gap-tt.gap).Abs() > 100*time.Millisecond {
				t.Errorf("%d windows, %d bridged, %v in gaps: want %d, %d, %v", measured, bridged, gap, tt.measured, tt.bridged, tt.gap)
			}
			if !strings.Contains(told, tt.told) || tt.told == "" && told != "" {
				t.Errorf("told %q, want %q", told, tt.told)
			}
		})
	}
}

// TestReplayLength: how long windows are follows from when frames came.
func TestReplayLength(t *testing.T) {
	seconds := func(text string) string { return strings.ReplaceAll(text, "\t230.000", "\t118.000") }
	cli := "Timestamp;Power\n"
	for i := range 60 {
		cli += fmt.Sprintf("%d;%.3f\n", 1_409_400_000+i, 100.)
	}
	var sparse []float64 // one in 25 is missing
	for i, at := range every(2000, 0.02) {
		if i%25 != 13 {
			sparse = append(sparse, at)
		}
	}
	for _, tt := range []struct {
		name, log string
		periods   int
		frequency float64
	}{
		{"a period at 50 Hz", logOf(every(500, 0.02)...), 1, 50},
		{"some left out", logOf(sparse...), 1, 50},
		{"a period at 60 Hz", seconds(logOf(every(500, 1./60)...)), 1, 60},
		{"two at 50 Hz", logOf(every(500, 0.04)...), 2, 50},
		{"five at 50 Hz", logOf(every(200, 0.1)...), 5, 50},
		{"six at 60 Hz", seconds(logOf(every(200, 0.1)...)), 6, 60},
		{"32 at 50 Hz", logOf(every(200, 0.64)...), 32, 50},
		{"a second", logOf(every(60, 1)...), 50, 50},
		{"whole seconds, power alone", cli, 50, 50},
	} {
		r, events := replay(t, tt.log, StreamConfig{})
		if r.Averaging() != tt.periods || r.Info().Frequency != tt.frequency {
			t.Errorf("%s: %d periods at %g Hz, want %d at %g", tt.name, r.Averaging(), r.Info().Frequency, tt.periods, tt.frequency)
		}
		for _, e := range events {
			if e.Kind != WindowEvent {
				t.Errorf("%s: %+v", tt.name, e)
			}
		}
	}
}

func TestReplayErrors(t *testing.T) {
	good := saved(t, logOf(every(200, 0.1)...))
	for _, tt := range []struct {
		name, path string
		cfg        StreamConfig
		is         error
		want       string
	}{
		{"missing", filepath.Join(t.TempDir(), "none"), StreamConfig{}, ErrNotFound, "no such file"},
		{"no log", saved(t, "Dear reader\n"), StreamConfig{}, ErrUsage, "Dear reader"},
		{"nothing usable", saved(t, "Timestamp;Power\nx;y\n"), StreamConfig{}, ErrUsage, "1 torn"},
		{"other windows", good, StreamConfig{Averaging: 1}, ErrUsage, "its windows have 5 mains periods, not 1"},
		{"short interval", good, StreamConfig{Interval: 50 * time.Millisecond}, ErrInterval, "shorter than its windows of 100ms"},
		{"interval of nothing", good, StreamConfig{Interval: time.Millisecond}, ErrInterval, "1ms"},
	} {
		_, err := OpenReplay(t.Context(), tt.path, tt.cfg)
		if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := OpenReplay(ctx, good, StreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() // it was only read
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	windows := 0
	for err == nil {
		var e Event
		if e, err = r.Next(); err == nil && e.Kind == WindowEvent {
			windows++
		}
	}
	if !errors.Is(err, context.Canceled) || windows == 0 {
		t.Errorf("%v after %d windows that were held", err, windows)
	}
}
