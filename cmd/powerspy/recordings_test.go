package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"powerspy2/internal/gmt/gmttest"
	"powerspy2/internal/oldlog"
	"powerspy2/powerspy/sim"
)

var (
	recordings     = flag.String("recordings", "", "a `DIRECTORY` of logs of older tools for TestRecordings, in place of simulated ones")
	recordingsReal = flag.Bool("recordings.real", false, "TestRecordings streams them in real time from a pseudo-terminal")
)

// An asked is what is asked of each recording.
type asked struct {
	name string
	args string
	step time.Duration // the interval
	ends float64       // limit of the error of 95 % of the ends, ms
	rows float64       // by how many rows it may be off
}

// readingsAsked come as CSV, and the first one tells the constant between the
// log's inferred ends and ours.
var readingsAsked = []asked{
	{"20 ms", "-i 20ms --averaging 1", 20 * time.Millisecond, 3, 1},
	{"20 ms live", "-i 20ms --averaging 1 --live", 20 * time.Millisecond, 25, 6},
	{"100 ms", "-i 100ms --averaging 1", 100 * time.Millisecond, 3, 1},
	{"250 ms", "-i 250ms --averaging 1", 250 * time.Millisecond, 3, 1},
	{"1 s", "-i 1s --averaging 1", time.Second, 3, 1},
	{"5 s", "-i 5s --averaging 1", 5 * time.Second, 3, 1},
	{"1 s auto", "-i 1s", time.Second, 6, 1},
}

// replayed is how long each recording is measured.
const replayed = 40 * time.Second

// live reports whether windows are placed at once, so that their own times are
// less certain than their energy.
func (a *asked) live() bool { return strings.Contains(a.args, "--live") }

// TestRecordings measures with recordings of streams, whose inferred or known
// windows are the truth: at speed, from several places of each, or in real time
// from the beginning.
func TestRecordings(t *testing.T) {
	files := logsIn(t, *recordings)
	t.Logf("%-22s %-10s %5s %7s %5s %8s %8s %8s %7s %7s %8s", "recording", "asked", "rows", "bridged",
		"gaps", "first %", "energy %", "rows %", "ends ms", "worst", "Hz off")
	for _, file := range files {
		truth := readTruth(t, file)
		offsets := []int{0}
		if !*recordingsReal {
			for at := 1000; at+2100 < len(truth.rows); at += 1000 {
				offsets = append(offsets, at)
			}
		}
		for _, offset := range offsets {
			part := truth.from(t, offset)
			t.Run(fmt.Sprintf("%s+%d", filepath.Base(file), offset), func(t *testing.T) {
				if *recordingsReal {
					t.Parallel()
				}
				part.judge(t)
			})
		}
	}
}

// logsIn returns the logs in a directory, or those of three links.
func logsIn(t *testing.T, dir string) []string {
	t.Helper()
	if dir == "" {
		return simulatedLogs(t)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		head, err := beginning(filepath.Join(dir, e.Name()))
		if err == nil && oldlog.Is(head) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if files == nil {
		t.Fatalf("no log of an older tool in %s", dir)
	}
	return files
}

// A recorded is a log with its truth: the windows between its first row and its
// last, with the mean of their neighbours in place of those that were left out.
type recorded struct {
	path    string
	rows    []oldlog.Row
	windows []trueWindow
}

type trueWindow struct {
	begin, end     float64 // s
	power, voltage float64
	row            oldlog.Row // zero: left out
	sure           bool
}

func readTruth(t *testing.T, path string) *recorded {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := oldlog.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorded{path: path}
	for {
		row, err := log.Next()
		if err != nil {
			break
		}
		r.rows = append(r.rows, row)
	}
	r.windows = windowsOf(r.rows)
	return r
}

// windowsOf returns the windows of rows, those without a place apart.
func windowsOf(rows []oldlog.Row) (all []trueWindow) {
	for _, row := range rows {
		if !row.Placed {
			continue
		}
		w := trueWindow{end: row.End.Seconds(), power: row.Power, voltage: row.Voltage, row: row, sure: row.Sure}
		if n := len(all); n > 0 {
			last := all[n-1]
			left := row.Window - last.row.Window - 1
			for i := range left {
				part := float64(i+1) / float64(left+1)
				all = append(all, trueWindow{
					end: last.end + part*(w.end-last.end), power: (last.power + w.power) / 2, voltage: (last.voltage + w.voltage) / 2, sure: last.sure && w.sure,
				})
			}
		}
		all = append(all, w)
	}
	for i := range all {
		all[i].begin = all[i].end - 0.02
		if i > 0 {
			all[i].begin = all[i-1].end
		}
	}
	return all
}

// from returns a log that begins with the row of a number, or r itself.
func (r *recorded) from(t *testing.T, row int) *recorded {
	t.Helper()
	if row == 0 {
		return r
	}
	part := &recorded{rows: r.rows[row:], path: filepath.Join(t.TempDir(), filepath.Base(r.path)+".tsv")}
	writeLog(t, part.path, part.rows)
	part.windows = windowsOf(part.rows)
	return part
}

// writeLog writes rows as an annotated log.
func writeLog(t *testing.T, path string, rows []oldlog.Row) {
	t.Helper()
	var b bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&b, "%.6f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", r.Arrival.Seconds(), r.Voltage, r.Current, r.Power, r.VoltagePeak, r.CurrentPeak)
		if r.Placed {
			sure := 0
			if r.Sure {
				sure = 1
			}
			fmt.Fprintf(&b, "\t%d\t%.6f\t%d\n", r.Window, r.End.Seconds(), sure)
		} else {
			b.WriteString("\t\t\t\n")
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// over returns what the load took between two times, by what is known of them,
// and the mean voltage.
func (r *recorded) over(from, to float64) (joules, volts float64) {
	i, _ := slices.BinarySearchFunc(r.windows, from, func(w trueWindow, at float64) int {
		if w.end <= at {
			return -1
		}
		return 1
	})
	var time float64
	for ; i < len(r.windows) && r.windows[i].begin < to; i++ {
		w := &r.windows[i]
		share := min(to, w.end) - max(from, w.begin)
		joules += share * w.power
		volts += share * w.voltage
		time += share
	}
	if time <= 0 {
		return 0, 0
	}
	return joules / time * (to - from), volts / time
}

// nearest returns the window whose end is nearest to a time.
func (r *recorded) nearest(at float64) *trueWindow {
	i, _ := slices.BinarySearchFunc(r.windows, at, func(w trueWindow, at float64) int {
		if w.end < at {
			return -1
		}
		return 1
	})
	i = min(i, len(r.windows)-1)
	if i > 0 && at-r.windows[i-1].end < r.windows[i].end-at {
		i--
	}
	return &r.windows[i]
}

// A csvRow is a reading as it was printed.
type csvRow struct {
	start, end, power, voltage, energy, frequency float64
	windows, bridged                              int
	partial                                       bool
}

func readRows(t *testing.T, out string) (rows []csvRow) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if i == 0 {
			continue
		}
		var r csvRow
		_, err := fmt.Sscanf(strings.ReplaceAll(line, ",", " "), "%g %g %g %g %g %g %d %d %t", &r.start, &r.end, &r.power, &r.voltage,
			&r.energy, &r.frequency, &r.windows, &r.bridged, &r.partial)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		rows = append(rows, r)
	}
	return rows
}

// judge measures the recording in every way that is asked, and reports what is
// not as it should be.
func (r *recorded) judge(t *testing.T) {
	constant := math.NaN()
	for _, a := range readingsAsked {
		truth, device := r, r.path
		if *recordingsReal {
			var stop func() *recorded
			device, stop = r.onTerminal(t)
			rows := r.measure(t, a, device)
			truth, constant = stop(), math.NaN()
			truth.check(t, a, rows, &constant)
			continue
		}
		r.check(t, a, r.measure(t, a, device), &constant)
	}
	if *recordingsReal {
		return
	}
	r.judgeOSCAR(t)
	r.judgeGMT(t, constant)
}

// A measured is what a measurement printed.
type measured struct {
	rows []csvRow
	errs string
}

func (r *recorded) measure(t *testing.T, a asked, device string) measured {
	t.Helper()
	out, errs, status := inProcess(t, nil, append(strings.Fields("measure --format csv --time s --fields start,end,power,voltage,energy,frequency,windows,bridged,partial --duration 40s "+a.args),
		"--device", device)...)
	if status != 0 {
		t.Errorf("%s: status %d: %s", a.name, status, errs)
	}
	return measured{readRows(t, out), errs}
}

// check compares a measurement with the truth. Without a constant, it is found.
func (r *recorded) check(t *testing.T, a asked, m measured, constant *float64) {
	t.Helper()
	rows := m.rows
	if len(rows) < 3 {
		t.Errorf("%s: %d rows", a.name, len(rows))
		return
	}
	fail := func(format string, args ...any) { t.Errorf("%s: "+format, append([]any{a.name}, args...)...) }
	if math.IsNaN(*constant) {
		*constant = r.constant(rows)
	}
	c := *constant
	var ends, powers []float64
	var energy, want float64
	partial, bridged := 0, 0
	offHertz := 0.
	for _, row := range rows {
		start, end := row.start-c, row.end-c
		joules, _ := r.over(start, end)
		energy, want = energy+row.energy, want+joules
		if row.partial {
			partial++
		}
		bridged += row.bridged
		if mean := joules / (end - start); end-start > a.step.Seconds()/10 { // not one that only corrects a time
			powers = append(powers, math.Abs(row.power-mean)/max(0.015*math.Abs(mean), 0.03))
		}
		if w := r.nearest(end); w.sure && w.row.Placed {
			ends = append(ends, 1e3*math.Abs(end-w.end))
		}
		if row.end-rows[0].start > 5 {
			if off := row.frequency - 50; math.Abs(off) > math.Abs(offHertz) {
				offHertz = off
			}
		}
	}
	slices.Sort(ends)
	slices.Sort(powers)
	first, volts := r.over(rows[0].start-c, rows[0].end-c)
	first /= rows[0].end - rows[0].start
	firstOff := rows[0].power/first - 1
	off := energy/want - 1
	gaps := strings.Count(m.errs, "nothing was measured from")
	e95 := quantile(ends, 0.95)
	t.Logf("%-22s %-10s %5d %7d %5d %8.2f %8.3f %8.2f %7.2f %7.2f %8.4f", filepath.Base(t.Name()), a.name, len(rows), bridged, gaps,
		100*firstOff, 100*off, quantile(powers, 0.95), e95, quantile(ends, 1), offHertz)
	// Mains of 49.95 Hz have fewer windows than intervals of 20 ms.
	windows := r.windows[len(r.windows)-1].end - r.windows[0].end
	intervals := replayed.Seconds() / max(a.step.Seconds(), windows/float64(len(r.windows)-1))
	if math.Abs(float64(len(rows))-intervals) >= a.rows+0.5 {
		fail("%d rows for %.1f intervals", len(rows), intervals)
	}
	if partial > 0 || gaps > 0 {
		fail("%d partial rows, %d gaps", partial, gaps)
	}
	if math.Abs(rows[0].power-first) > max(0.03*math.Abs(first), 0.05) || math.Abs(rows[0].voltage/volts-1) > 0.01 {
		fail("the first reading is %g W, %g V: want %g W, %g V", rows[0].power, rows[0].voltage, first, volts)
	}
	if !(math.Abs(off) < 0.003) {
		fail("energy off by %.3f %%", 100*off)
	}
	if p := quantile(powers, 0.95); !(p <= 1 || a.live()) {
		fail("95 %% of powers are within %.2f times what they may be off", p)
	}
	if !(e95 <= a.ends) {
		fail("95 %% of ends within %.2f ms, want %g", e95, a.ends)
	}
	if math.Abs(offHertz) > 0.06 {
		fail("frequency off by %.3f Hz", offHertz)
	}
}

// constant returns the median difference between the ends of rows and those of
// the windows that they end with. Which these are, power and voltage tell.
func (r *recorded) constant(rows []csvRow) float64 {
	best, off := math.NaN(), math.Inf(1)
	for shift := -0.06; shift <= 0.06; shift += 0.01 {
		var d []float64
		var wrong float64
		for _, row := range rows {
			w := r.nearest(row.end - shift)
			if w.sure {
				d = append(d, row.end-w.end)
			}
			from := r.nearest(row.start - shift).end
			if joules, volts := r.over(from, w.end); w.end > from {
				mean := joules / (w.end - from)
				wrong += math.Abs(mean-row.power)/max(row.power, 0.1) + 10*math.Abs(volts/row.voltage-1)
			}
		}
		if wrong < off && len(d) > 0 {
			slices.Sort(d)
			best, off = quantile(d, 0.5), wrong
		}
	}
	return best
}

func (r *recorded) judgeOSCAR(t *testing.T) {
	out, errs, status := inProcess(t, nil, "measure", "--format", "oscar", "--duration", "40s", "--device", r.path)
	if n := strings.Count(out, "\n") - 2; status != 0 || n != 40 {
		t.Errorf("OSCAR: status %d, %d rows, %s", status, n, errs)
	}
}

func (r *recorded) judgeGMT(t *testing.T, constant float64) {
	const interval = 250 * time.Millisecond
	out, errs, status := inProcess(t, nil, "gmt", "-i", "250", "-u", "uJ", "--device", r.path)
	if err := gmttest.Check(out, interval); err != nil || status != 0 || errs != "" {
		t.Errorf("GMT: status %d, %v, %s", status, err, errs)
		return
	}
	var energy float64
	var from, to int64
	for line := range strings.Lines(out) {
		var at, e int64
		if _, err := fmt.Sscan(line, &at, &e); err != nil {
			t.Fatal(err)
		}
		if from == 0 {
			from = at
		} else {
			energy += float64(e) / 1e6
		}
		to = at
	}
	joules, _ := r.over(float64(from)/1e6-constant, float64(to)/1e6-constant)
	if off := energy/joules - 1; !(math.Abs(off) < 0.005) {
		t.Errorf("GMT: energy off by %.3f %%", 100*off)
	}
}

// onTerminal streams the recording in real time from a pseudo-terminal, and
// returns its path, and what ends that and returns the truth.
func (r *recorded) onTerminal(t *testing.T) (path string, stop func() *recorded) {
	t.Helper()
	cfg, err := sim.ParseSpec("replay=" + r.path)
	if err != nil {
		t.Fatal(err)
	}
	m := sim.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	path, wait, err := m.ServePTY(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return path, func() *recorded {
		cancel()
		if err := wait(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		played := &recorded{path: r.path}
		lead := slices.IndexFunc(r.rows, func(row oldlog.Row) bool { return row.Placed })
		sure := map[int]bool{}
		for _, row := range r.rows[lead:] {
			sure[lead+row.Window-r.rows[lead].Window] = row.Sure
		}
		for i := 0; ; i++ {
			w, ok := m.StreamTruth(1, i)
			if !ok {
				break
			}
			played.windows = append(played.windows, trueWindow{
				begin: float64(w.Start.UnixMicro()) / 1e6, end: float64(w.End.UnixMicro()) / 1e6,
				power: w.Power, voltage: w.Voltage, sure: sure[i], row: oldlog.Row{Placed: !w.LeftOut},
			})
		}
		return played
	}
}

// quantile returns the value below which a share of sorted values lies.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
