// Package reporttest has what tests of reports need: a recording with what is hard
// to show, names that are hard to bear, and the result of a bench.
package reporttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/report"
	"powerspy2/internal/result"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy"
	"powerspy2/record"
)

// What is in a recording of [Write].
const (
	Power     = 60.0  // W, about
	PeakPower = 300.0 // W, of one window
	PeakAt    = 0.55  // of its length
	GapAt     = 0.7   // of its length
	Gap       = 30 * time.Second
	Window    = 20 * time.Millisecond
)

// Start is when a recording of [Write] begins.
var Start = time.Date(2026, 3, 4, 13, 59, 30, 0, time.UTC)

// Hostile is a name that would do harm where it is not made harmless, or not escaped.
const Hostile = "</script><script>window.harmed=1</script><img src=x onerror=window.harmed=1> \"'`<!-- &amp;"

// Invisible has what a name of a command may hold and a page does not show: an
// escape, a line separator, an override of the direction and the end of a line.
const Invisible = "\x1b[31mred\u2028line\u202ereversed\nnext\x00"

// Write writes a recording of d with windows of 20 ms, a peak of one of them, a gap of
// half a minute, two phases that alternate, and a job whose names are hostile.
func Write(path string, d time.Duration) error {
	return Record(path, func(w *record.Writer) error { return write(w, d) })
}

// Record makes a recording that fill fills.
func Record(path string, fill func(w *record.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := record.NewWriter(f, true)
	calibration := powerspy.Calibration{Voltage: 0.025, Current: 0.001, Date: powerspy.Date{Year: 2024, Month: time.May, Day: 17}}
	err = w.Begin(record.Header{
		Start: Start, Frequency: 50, Tool: "v1.0.0", Host: "lab",
		Meter: record.Meter{
			Name: "PowerSpy <b>4567</b>" + Invisible, Device: "00:0B:CE:07:00:01", Address: [6]byte{0, 0x0b, 0xce, 7, 0, 1}, Serial: 4567, Hardware: 3, Firmware: 4,
			Calibrations: powerspy.Calibrations{Factory: calibration, Current: calibration},
		},
	})
	if err == nil {
		err = fill(w)
	}
	return errors.Join(err, w.End(), f.Close())
}

func write(w *record.Writer, d time.Duration) error {
	var err error
	check := func(e error) {
		if err == nil {
			err = e
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	windows := int(d / Window)
	peak, gap := int(PeakAt*float64(windows)), int(GapAt*float64(windows))
	at := Start
	job := record.Job{ID: "1", Command: []string{"sh", "-c", Hostile + Invisible}, Start: Start.Add(d / 10)}
	check(w.Job(job))
	for i := range windows {
		if i == gap {
			check(w.Event(&meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: at, To: at.Add(Gap), Reason: "the link <was> lost"}}))
			at = at.Add(Gap)
		}
		if i%(windows/8) == 0 {
			check(w.Mark(measure.Mark{Time: at.Add(7 * time.Millisecond), Name: []string{"compile", Hostile}[i/(windows/8)%2]}))
		}
		power := Power + random.NormFloat64()
		if i == peak {
			power = PeakPower
		}
		check(w.Event(&meter.Event{Kind: meter.WindowEvent, Window: meter.Window{
			Start: at, End: at.Add(Window), Length: Window, Error: 500 * time.Microsecond, Delay: 12 * time.Millisecond, Frequency: 50,
			Measurement: powerspy.Measurement{Power: power, Voltage: 230, Current: power / 230, VoltagePeak: 325, CurrentPeak: power / 163},
			Bridged:     i%1000 == 500,
		}}))
		at = at.Add(Window)
	}
	job.End = Start.Add(d * 9 / 10)
	check(w.Job(job))
	return err
}

// PeakTime returns when the peak of a recording of d begins.
func PeakTime(d time.Duration) time.Time {
	return Start.Add(time.Duration(int(PeakAt*float64(d/Window))) * Window)
}

// GapTime returns the middle of the gap of a recording of d.
func GapTime(d time.Duration) time.Time {
	return Start.Add(time.Duration(int(GapAt*float64(d/Window)))*Window + Gap/2)
}

// Read reads a recording as `powerspy report` does.
func Read(ctx context.Context, path string, how report.Reading) (*report.Recording, error) {
	notes, err := record.ReadNotes(ctx, path)
	if err != nil {
		return nil, err
	}
	rec, err := record.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return report.Read(ctx, rec, notes, how)
}

// Bench returns the result of three commands with so many runs each: the second takes
// 1 % more than the first, the third half as much, with a hostile name.
func Bench(runs int) *bench.Result {
	random := rand.New(rand.NewPCG(2, 2))
	r := &bench.Result{
		Order: bench.Interleaved, Tool: "v1.0.0", Host: "lab", Baseline: &bench.Baseline{Power: 40, Uncertainty: 0.1},
		Meter:    result.Meter{Name: "PowerSpy <b>4567</b>" + Invisible, Serial: 4567, Hardware: 3, Firmware: 4, Calibration: "2024-05-17"},
		Warnings: []string{"the machine was not calm: <load> 2.1" + Invisible},
	}
	for i, name := range []string{"gzip -9", "gzip -8", Hostile + Invisible} {
		s := bench.Series{Command: bench.Command{Name: name}}
		energy := []float64{500, 505, 250}[i]
		for k := range runs {
			drift := 1 + 0.03*float64(k)/float64(runs)
			run := bench.Run{
				Round: k, Start: Start.Add(time.Duration(3*k+i) * 10 * time.Second), Executions: 1, Duration: 8 * time.Second,
				User: 7 * time.Second, System: time.Second / 2, MaxRSS: 10 << 20, Energy: energy * drift * (1 + 0.01*random.NormFloat64()),
				Uncertainty: measure.Uncertainty{Edges: 0.2, Time: 0.1, Resolution: 0.01}, Coverage: 1, Windows: 400, Bridged: 2,
			}
			run.Power = run.Energy / 8
			run.Net = run.Energy - 40*8
			run.BaselineUncertainty = 0.8
			s.Runs = append(s.Runs, run)
		}
		r.Series = append(r.Series, s)
	}
	return r
}
