package field

import (
	"encoding"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"powerspy2/powerspy"
)

// A Stream is how a meter streams with windows of so many mains periods.
type Stream struct {
	Outcome
	Periods int     `json:"periods"`
	Hertz   float64 `json:"mains_hz"` // frequency that the frames tell, by the host's clock
	Figures Figures `json:"figures"`  // those of Frames, for people

	// Starts are the first two frames after J, each time that it was asked for;
	// the first of them begins Frames.
	Starts []Start `json:"starts"`
	Frames []Frame `json:"frames"` // all, the first one too
}

// Counts are those of a frame.
type Counts powerspy.Frame

// String writes counts as the meter does.
func (c Counts) String() string {
	text, _ := c.MarshalText() // it never fails
	return string(text)
}

// MarshalText implements [encoding.TextMarshaler].
func (c Counts) MarshalText() ([]byte, error) { return powerspy.Frame(c).AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Counts) UnmarshalText(text []byte) error {
	f, err := powerspy.ParseFrame(text)
	*c = Counts(f)
	return err
}

// A Start is how a stream began.
type Start struct {
	After  float64 `json:"first_after_ms"` // from the answer to J to the arrival of the first frame
	First  Counts  `json:"first"`
	Second Counts  `json:"second"`
}

// Factor returns by how much the mean square of the voltage in the first frame
// is larger than in the second; 0 if that can't be told. It is that of the
// mean power, too, and does not depend on the load.
func (s *Start) Factor() float64 {
	if s.Second.VoltageSquare == 0 {
		return 0
	}
	return float64(s.First.VoltageSquare) / float64(s.Second.VoltageSquare)
}

// PeakRight reports whether the voltage peak of the first frame is that of the
// second, to 5 %.
func (s *Start) PeakRight() bool {
	const tolerance = 0.05
	second := float64(s.Second.VoltagePeak)
	return math.Abs(float64(s.First.VoltagePeak)-second) <= tolerance*second
}

// A Frame is one that arrived.
type Frame struct {
	Window  int           // that it closes; those that no frame closes were left out
	Arrival time.Duration // since the answer to J
	Delay   time.Duration // since its window's end, as far as that is known
	Damaged int           // frames that came damaged since the one before
	Counts
}

var (
	_ encoding.TextMarshaler   = Frame{}
	_ encoding.TextUnmarshaler = (*Frame)(nil)
)

// MarshalText writes a frame in a line: window, arrival and delay in
// microseconds, damaged frames before it, counts. It implements
// [encoding.TextMarshaler].
func (f Frame) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d %d %d %d %v", f.Window, f.Arrival.Microseconds(), f.Delay.Microseconds(), f.Damaged, f.Counts), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *Frame) UnmarshalText(text []byte) error {
	var numbers [4]int64
	rest := string(text)
	for i := range numbers {
		end := 0
		for end < len(rest) && rest[end] != ' ' {
			end++
		}
		n, err := strconv.ParseInt(rest[:end], 10, 48)
		if err != nil || end == len(rest) {
			return fmt.Errorf("%q is no frame: window, arrival_us, delay_us, damaged and counts", text)
		}
		numbers[i], rest = n, rest[end+1:]
	}
	f.Window, f.Damaged = int(numbers[0]), int(numbers[3])
	f.Arrival, f.Delay = time.Duration(numbers[1])*time.Microsecond, time.Duration(numbers[2])*time.Microsecond
	return f.Counts.UnmarshalText([]byte(rest))
}

// Figures are the quality of a stream. Shares are of the windows from the
// first frame to the last.
type Figures struct {
	Frames       int     `json:"frames"` // that were received
	Seconds      float64 `json:"seconds"`
	Rate         float64 `json:"frames_per_s"`
	LeftOut      int     `json:"left_out"` // windows whose frames never came
	LeftOutShare float64 `json:"left_out_share"`
	Damaged      int     `json:"damaged"` // frames that came damaged
	DamagedShare float64 `json:"damaged_share"`
	Delay        Delays  `json:"delay_ms"`
}

// Delays are percentiles of the time from the end of a window to the arrival of
// its frame, in milliseconds.
type Delays struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// Measure makes the figures of s from its frames, and its first start. A damaged
// frame counts as damaged, and not as left out.
func (s *Stream) Measure() {
	s.Figures = Figures{}
	if len(s.Frames) == 0 || !(s.Hertz > 0) {
		return
	}
	f := &s.Figures
	first, last := s.Frames[0], s.Frames[len(s.Frames)-1]
	all := last.Window - first.Window + 1
	delays := make([]float64, len(s.Frames))
	for i, r := range s.Frames {
		delays[i] = milliseconds(r.Delay)
		if i > 0 {
			missing := r.Window - s.Frames[i-1].Window - 1
			f.Damaged += r.Damaged
			f.LeftOut += max(0, missing-r.Damaged)
		}
	}
	f.Frames = len(s.Frames)
	f.Seconds = round(float64(all*s.Periods)/s.Hertz, 3)
	f.Rate = round(float64(f.Frames)*s.Hertz/float64(all*s.Periods), 3)
	f.LeftOutShare = round(float64(f.LeftOut)/float64(all), 5)
	f.DamagedShare = round(float64(f.Damaged)/float64(all), 5)
	slices.Sort(delays)
	f.Delay = Delays{Median: quantile(delays, 0.5), P95: quantile(delays, 0.95), P99: quantile(delays, 0.99), Max: delays[len(delays)-1]}
}

func milliseconds(d time.Duration) float64 { return round(d.Seconds()*1000, 3) }

// quantile returns the smallest value that a share of a sorted list does not
// exceed.
func quantile(sorted []float64, share float64) float64 {
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// round keeps figures readable.
func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
