package main

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/oldlog"
	"powerspy2/meter"
	"powerspy2/powerspy/sim"
)

// simulatedLogs records a minute of the streams of three kinds of link, as an
// older tool would, with the windows that they were in truth.
func simulatedLogs(t *testing.T) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for _, link := range []string{"a", "b", "c"} {
		path := filepath.Join(dir, "link-"+link)
		synctest.Test(t, func(t *testing.T) {
			writeLog(t, path, writtenDown(t, "sim:load=server,watts=40,low=20,freq=49.99,seed=5,link="+link, time.Minute))
		})
		files = append(files, path)
	}
	return files
}

// writtenDown returns what a tool that writes down each frame does, and the truth.
func writtenDown(t *testing.T, device string, d time.Duration) (rows []oldlog.Row) {
	t.Helper()
	target, err := meter.ParseTarget(device)
	if err != nil {
		t.Fatal(err)
	}
	simulated, err := target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	m, err := meter.Open(t.Context(), meter.Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := m.Client().StartRealtime(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	window := 0
	for time.Since(began) < d {
		f, err := stream.Next(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var w sim.Truth
		for w.End.IsZero() || w.LeftOut {
			var ok bool
			if w, ok = simulated.Truth(window); !ok {
				t.Fatalf("window %d has not ended", window)
			}
			window++
		}
		v := m.Calibration().Convert(f.Frame)
		rows = append(rows, oldlog.Row{
			Arrival: f.Arrival.Sub(began), Voltage: v.Voltage, Current: v.Current, Power: v.Power, VoltagePeak: v.VoltagePeak, CurrentPeak: v.CurrentPeak,
			Placed: !f.First, Window: w.Index, End: w.End.Sub(began), Sure: true,
		})
	}
	if err := stream.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	return rows
}
