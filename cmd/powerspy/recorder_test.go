package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/meter"
	"powerspy2/record"
)

// windowsOf returns the windows of a recording and how many headers it has.
func windowsOf(t *testing.T, r io.Reader) (windows []meter.Window, headers int) {
	t.Helper()
	d, err := record.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for {
		l, err := d.Next()
		switch {
		case errors.Is(err, io.EOF):
			return windows, headers
		case err != nil:
			t.Fatal(err)
		case l.Kind == record.HeaderLine:
			headers++
		case l.Kind == record.EventLine && l.Event.Kind == meter.WindowEvent:
			windows = append(windows, l.Event.Window)
		}
	}
}

// However often a command that records is killed: the recording lacks no more than
// the last second of what was shown, and is read by us and by zstdcat.
func TestKilledWhileRecording(t *testing.T) {
	for _, name := range []string{"run.jsonl", "run.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		for kills := 1; kills <= 3; kills++ {
			p := start(t, "measure", "-q", "--device", quickSim+",seed=1", "--interval", "20ms", "--record", path)
			line := ""
			for range 60 + rand.IntN(60) {
				line = p.line()
			}
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for {
				l, err := p.stdout.ReadString('\n')
				if err != nil {
					break
				}
				line = l
			}
			p.wait()
			us, err := strconv.ParseInt(strings.Fields(line)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			windows, headers := windowsOf(t, bytes.NewReader(text))
			if headers != kills || len(windows) == 0 {
				t.Fatalf("%d windows after %d headers, want %d", len(windows), headers, kills)
			}
			// The line of a window that was waiting, and one that was being written.
			if lost := time.UnixMicro(us).Sub(windows[len(windows)-1].End); lost > record.Flush+100*time.Millisecond {
				t.Errorf("%s: the last %v are missing", name, lost)
			}
			if name == "run.jsonl" {
				continue
			}
			cat := exec.Command("zstdcat", path)
			plain, err := cat.Output()
			if err != nil {
				t.Fatalf("zstdcat: %v", err)
			}
			if again, _ := windowsOf(t, bytes.NewReader(plain)); len(again) != len(windows) {
				t.Errorf("zstdcat has %d windows, we %d", len(again), len(windows))
			}
		}
	}
}

// Where the disk is full recording ends, which is told once; readings go on.
func TestRecordingDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.jsonl")
	p := startProgram(t, "sh", "-c", `ulimit -f 60; exec powerspy measure -q -d `+quickSim+` -i 20ms -n 120 --record `+path)
	for range 120 {
		p.line()
	}
	told, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	if want := "powerspy: recording " + path + ": file too large; measuring goes on without it\n"; string(told) != want {
		t.Errorf("told %q, want %q", told, want)
	}
	if got := p.wait(); got.ExitCode() != 1 {
		t.Errorf("got %v", got)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if windows, _ := windowsOf(t, f); len(windows) == 0 || len(windows) >= 100 {
		t.Errorf("%d windows", len(windows))
	}
}

// A recording of any size takes the same memory.
func TestConvertTakesNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "day.jsonl.zst")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	// The same second again and again, later by a second each time, is as good as any.
	w := record.NewWriter(f, true)
	began := time.Unix(1772600707, 0)
	h := record.Header{Start: began, Frequency: 50, Meter: record.Meter{Name: "x", Device: "sim:", Serial: 1}}
	if err := w.Begin(h); err != nil {
		t.Fatal(err)
	}
	const windows = 6 * 3600 * 50 / 10
	for i := range windows {
		e := meter.Event{Kind: meter.WindowEvent}
		e.Window.Start, e.Window.End = began.Add(time.Duration(i)*20*time.Millisecond), began.Add(time.Duration(i+1)*20*time.Millisecond)
		e.Window.Length, e.Window.Frequency, e.Window.Power = 20*time.Millisecond, 50, float64(i%1000)/7
		if err := w.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.End(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"csv", "parquet"} {
		p := start(t, "convert", path, "--to", to, "-o", filepath.Join(t.TempDir(), "out"))
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%s: %v", to, got)
		}
		if kib := maxRSS(p.cmd.ProcessState); kib > 160<<10 {
			t.Errorf("%s took %d KiB", to, kib)
		} else {
			t.Logf("%s: %d KiB", to, kib)
		}
	}
}

// maxRSS is the most memory that a process had, in KiB.
func maxRSS(p *os.ProcessState) int64 { return p.SysUsage().(*syscall.Rusage).Maxrss }
