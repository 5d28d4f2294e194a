package main

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/progress"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
	"powerspy2/powerspy"
	"powerspy2/record"
)

// recordedWindows returns the windows of a recording, up to when it tells what was
// measured, and how many headers it has.
func recordedWindows(t *testing.T, r io.Reader) (windows []meter.Window, reached time.Time, headers int) {
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
			return windows, reached, headers
		case err != nil:
			t.Fatal(err)
		case l.Kind == record.HeaderLine:
			headers++
		case l.Kind == record.EventLine && l.Event.Kind == meter.WindowEvent:
			windows, reached = append(windows, l.Event.Window), l.Event.Window.End
		case l.Kind == record.EventLine && l.Event.Kind == meter.GapEvent:
			reached = l.Event.Gap.To
		}
	}
}

// However often a command that records is killed: the recording lacks no more than
// the last second of what was shown, and is read by us and by zstdcat.
func TestKilledWhileRecording(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run.jsonl", "run.jsonl.zst"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killWhileRecording(t, filepath.Join(t.TempDir(), name))
		})
	}
}

// killWhileRecording kills three commands that record into the same file, one
// after the other.
func killWhileRecording(t *testing.T, path string) {
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
		windows, reached, headers := recordedWindows(t, bytes.NewReader(text))
		if headers != kills || len(windows) == 0 {
			t.Fatalf("%d windows after %d headers, want %d", len(windows), headers, kills)
		}
		if lost := time.UnixMicro(us).Sub(reached); lost > record.Flush {
			t.Errorf("the last %v are missing", lost)
		}
		if !strings.HasSuffix(path, ".zst") {
			continue
		}
		cat := exec.Command("zstdcat", path)
		plain, err := cat.Output()
		if err != nil {
			t.Fatalf("zstdcat: %v", err)
		}
		if again, _, _ := recordedWindows(t, bytes.NewReader(plain)); len(again) != len(windows) {
			t.Errorf("zstdcat has %d windows, we %d", len(again), len(windows))
		}
	}
}

// Of a disk that hangs for too long what waited for it is recorded when it goes on, and
// no more.
func TestRecordingTooMuch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.jsonl")
	f, err := record.OpenFile(t.Context(), path, record.FileConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	r := newRecorder(t.Context(), f, path, &progress.Teller{Out: &told})
	events := measuretest.Windows(time.Now(), mostQueued+10, 20*time.Millisecond, 100)
	if err := r.Begin(&measuretest.Source{}); err != nil {
		t.Fatal(err)
	}
	hangs, goesOn := make(chan struct{}), make(chan struct{})
	r.put(queued{other: func(*record.File) error {
		close(hangs)
		<-goesOn
		return nil
	}})
	<-hangs
	for i := range events {
		if err := r.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	close(goesOn)
	<-r.written // which closing waits for only so long
	var failed error
	r.closing(&failed)
	if want := "powerspy: recording " + path + ": " + measure.ErrHeldUp.Error() + "; measuring goes on without it\n"; !errors.Is(failed, measure.ErrHeldUp) || told.String() != want {
		t.Errorf("%v, told %q, want %q", failed, &told, want)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if windows, _, _ := recordedWindows(t, bytes.NewReader(text)); len(windows) != mostQueued {
		t.Errorf("%d windows, want %d", len(windows), mostQueued)
	}
}

// Where the disk is full recording ends, which is told once; readings go on.
func TestRecordingDiskFull(t *testing.T) {
	t.Parallel()
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
	if windows, _, _ := recordedWindows(t, f); len(windows) == 0 || len(windows) >= 100 {
		t.Errorf("%d windows", len(windows))
	}
}

// recordHours writes a recording of windows of 20 ms with the noise of real ones.
func recordHours(tb testing.TB, path string, hours float64) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := record.NewWriter(f, true)
	cal := powerspy.Calibration{Voltage: 0.0781600028276443, Current: 0.000489000012166798}
	h := record.Header{Start: time.Unix(1772600707, 0), Frequency: 50, Meter: record.Meter{Name: "x", Device: "sim:", Serial: 1}}
	if err := w.Begin(h); err != nil {
		tb.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	at := h.Start
	for i := range int(hours * 3600 * 50) {
		e := meter.Event{Kind: meter.WindowEvent}
		v := &e.Window
		v.Frequency = 50 + 0.02*math.Sin(float64(i)/3000)
		v.Length = time.Duration(1e9 / v.Frequency)
		v.Start, v.End = at, at.Add(v.Length+time.Duration(rnd.Int64N(200)-100))
		v.Error, v.Delay = time.Duration(300_000+rnd.IntN(2000)), time.Duration(rnd.IntN(40_000_000))
		v.Measurement = cal.Convert(powerspy.Frame{
			Power:         int32((52 + 3*math.Sin(float64(i)/40) + rnd.NormFloat64()/2) / cal.Voltage / cal.Current),
			VoltageSquare: uint32(8.6e6 + 1e4*rnd.NormFloat64()), CurrentSquare: uint32(3e5 + 3e3*rnd.NormFloat64()),
			VoltagePeak: uint16(4150 + rnd.IntN(20)), CurrentPeak: uint16(1500 + rnd.IntN(100)),
		})
		at = v.End
		if err := w.Event(&e); err != nil {
			tb.Fatal(err)
		}
		if i%50 == 49 { // a second
			if err := w.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.End(), f.Close()); err != nil {
		tb.Fatal(err)
	}
}

// A recording of any size takes the same memory.
func TestConvertTakesNoMemory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run.jsonl.zst")
	recordHours(t, path, 0.5)
	for _, to := range []string{"csv", "parquet"} {
		p := start(t, "convert", path, "--to", to, "-o", filepath.Join(t.TempDir(), "out"))
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%s: %v", to, got)
		}
		// The recording is some 30 MB as text, and what a row group of Parquet takes is
		// there with half as many windows.
		limit := int64(160 << 10)
		if underRace {
			limit *= 3
		}
		if kib := maxRSS(p.cmd.ProcessState); kib > limit {
			t.Errorf("%s took %d KiB", to, kib)
		}
	}
}

// BenchmarkConvertDay is what it takes to convert a day of windows of 20 ms, and
// how much that is. It converts an hour.
func BenchmarkConvertDay(b *testing.B) {
	path, out := filepath.Join(b.TempDir(), "hour.jsonl.zst"), filepath.Join(b.TempDir(), "out")
	recordHours(b, path, 1)
	for _, args := range [][]string{{"csv"}, {"csv", "--interval", "1s"}, {"parquet"}} {
		b.Run(strings.Join(args, " "), func(b *testing.B) {
			for b.Loop() {
				if status := run(b.Context(), env{
					args: append([]string{"powerspy", "convert", path, "-o", out, "--to"}, args...), stdout: io.Discard, stderr: os.Stderr, getenv: os.Getenv,
				}); status != 0 {
					b.Fatal(status)
				}
			}
			info, err := os.Stat(out)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(24*b.Elapsed().Seconds()/float64(b.N), "s/day")
			b.ReportMetric(24*float64(info.Size())/1e6, "MB/day")
		})
	}
}

// maxRSS is the most memory that a process had, in KiB.
func maxRSS(p *os.ProcessState) int64 { return int64(p.SysUsage().(*syscall.Rusage).Maxrss) } // int32 on some systems
