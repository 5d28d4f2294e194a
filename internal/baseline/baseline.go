// Package baseline is the power of an idle machine: measured, kept in a file, and
// subtracted from the energy of a job.
package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// A Baseline is the mean power of an idle machine.
type Baseline struct {
	Power       float64 // W
	Uncertainty float64 // standard uncertainty of Power, W
	Drift       float64 // slope of power, W/h
	DriftError  float64 // standard error of Drift, W/h; infinite where it is not known
	Low, High   float64 // lowest and highest mean of a second, W
	Start       time.Time
	Duration    time.Duration // that was measured
	Meter       Meter
	Tool        string // version of what measured it
}

// A Meter tells which meter it was.
type Meter struct {
	Name   string `json:"name"`
	Serial uint16 `json:"serial"`
}

// MeterOf tells which meter a source reads.
func MeterOf(src measure.Source) Meter {
	return Meter{Name: src.Target().Label(), Serial: src.Info().Identity.Serial}
}

// Fixed returns a baseline that somebody knows, without an uncertainty.
func Fixed(power float64) Baseline {
	return Baseline{Power: power, Low: power, High: power, DriftError: math.Inf(1)}
}

// Net returns the energy of a job above its baseline over the covered time, in J,
// and its standard uncertainty. It is negative for a job that drew less. The
// meter's class, which job and baseline share, counts for the net.
func (b *Baseline) Net(s *measure.Span) (energy, uncertainty float64) {
	covered := s.Covered.Seconds()
	energy = s.Energy - b.Power*covered
	u := s.Uncertainty
	if s.Energy != 0 {
		u.Meter *= math.Abs(energy / s.Energy)
	}
	return energy, math.Hypot(u.Standard(), covered*b.Uncertainty)
}

// Drifts says whether the power went up or down: by more than twice its standard
// error and by a hundredth over the time.
func (b *Baseline) Drifts() bool {
	change := math.Abs(b.Drift) * b.Duration.Hours()
	return math.Abs(b.Drift) > 2*b.DriftError && change > 0.01*math.Abs(b.Power)
}

// calm is the spread of seconds that an idle machine has: a twentieth of its power.
const calm = 0.05

// Calm says whether no second was far from the mean.
func (b *Baseline) Calm() bool {
	limit := math.Max(calm*math.Abs(b.Power), 0.5)
	return b.High-b.Power <= limit && b.Power-b.Low <= limit
}

// Warnings says where the machine was not idle.
func (b *Baseline) Warnings() (list []string) {
	if !b.Calm() {
		list = append(list, fmt.Sprintf("the machine was not calm: means of a second went from %.2f to %.2f W", b.Low, b.High))
	}
	if b.Drifts() {
		list = append(list, fmt.Sprintf("the power of the idle machine drifted by %+.2f W over %v", b.Drift*b.Duration.Hours(), b.Duration.Round(time.Second)))
	}
	return list
}

// A Collector is a sink that makes a baseline of what it is given, until it has
// measured for long enough.
type Collector struct {
	duration time.Duration
	enough   chan struct{}
	finished bool
	seconds  []point
	now      point
	length   float64 // of now, s
	measured time.Duration
	first    time.Time
}

// A point is a second.
type point struct{ at, power float64 }

// NewCollector returns a collector for so long.
func NewCollector(d time.Duration) *Collector {
	return &Collector{duration: d, enough: make(chan struct{})}
}

// Enough is closed when it has measured for long enough.
func (c *Collector) Enough() <-chan struct{} { return c.enough }

// Event implements measure.Sink.
func (c *Collector) Event(e *meter.Event) error {
	if e.Kind != meter.WindowEvent || c.finished {
		return nil
	}
	w := &e.Window
	if c.first.IsZero() {
		c.first = w.Start
	}
	l := w.Length.Seconds()
	c.now.power += w.Energy()
	c.now.at += l * (w.Start.Sub(c.first).Seconds() + l/2)
	c.length += l
	c.measured += w.Length
	if c.length >= 1-l/2 {
		c.seconds = append(c.seconds, point{c.now.at / c.length, c.now.power / c.length})
		c.now, c.length = point{}, 0
	}
	if c.measured >= c.duration-w.Length/2 {
		c.finished = true
		close(c.enough)
	}
	return nil
}

// End implements measure.Sink.
func (c *Collector) End() error { return nil }

// batches is of how many means the uncertainty is made. The power of one second
// says much of that of the next one; of a batch it says little.
const batches = 10

// ErrShort says that too little was measured for a baseline.
var ErrShort = errors.New("less than two seconds were measured")

// Baseline returns what was collected. It may be called when the measurement has
// ended, or Enough is closed. The error is ErrShort.
func (c *Collector) Baseline() (Baseline, error) {
	n := len(c.seconds)
	if n < 2 {
		return Baseline{}, ErrShort
	}
	b := Baseline{Start: c.first, Duration: c.measured, Low: math.Inf(1), High: math.Inf(-1)}
	var powers []float64
	for _, s := range c.seconds {
		powers = append(powers, s.power)
		b.Low, b.High = min(b.Low, s.power), max(b.High, s.power)
	}
	b.Power = mean(powers)
	k := min(batches, n)
	var means, times []float64
	for i := range k {
		part := c.seconds[i*n/k : (i+1)*n/k]
		var p, t float64
		for _, s := range part {
			p, t = p+s.power, t+s.at
		}
		means, times = append(means, p/float64(len(part))), append(times, t/float64(len(part)))
	}
	b.Uncertainty = deviation(means) / math.Sqrt(float64(k)) * student(k-1)
	b.Drift, b.DriftError = slope(times, means)
	return b, nil
}

// student widens the standard uncertainty of a mean of few values, for twice of it
// to be 95 % (JCGM 100:2008, table G.2).
func student(freedom int) float64 {
	table := []float64{12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26}
	return table[min(freedom, len(table))-1] / 2
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func deviation(v []float64) float64 {
	m := mean(v)
	var sum float64
	for _, x := range v {
		sum += (x - m) * (x - m)
	}
	return math.Sqrt(sum / float64(len(v)-1))
}

// slope returns the slope of the line through points and its standard error, both
// per hour of seconds.
func slope(x, y []float64) (b, err float64) {
	const hour = 3600
	mx, my := mean(x), mean(y)
	var xx, xy float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	b = xy / xx
	if len(x) < 3 {
		return b * hour, math.Inf(1)
	}
	var rest float64
	for i := range x {
		d := y[i] - my - b*(x[i]-mx)
		rest += d * d
	}
	return b * hour, math.Sqrt(rest/float64(len(x)-2)/xx) * hour
}

// kind and version tell the file of a baseline.
const (
	kind    = "powerspy-baseline"
	version = 1
)

// file is a Baseline in a file, JSON.
type file struct {
	Type        string   `json:"type"`
	Version     int      `json:"version"`
	Power       *float64 `json:"power_W"`
	Uncertainty float64  `json:"power_uncertainty_W"` // standard
	Drift       float64  `json:"drift_W_per_h"`
	DriftError  *float64 `json:"drift_uncertainty_W_per_h"`
	Low         float64  `json:"power_min_W"`
	High        float64  `json:"power_max_W"`
	Start       float64  `json:"start_s"`
	Duration    float64  `json:"duration_s"`
	Meter       Meter    `json:"meter"`
	Tool        struct {
		Version string `json:"version"`
	} `json:"tool"`
}

// Write writes the file of a baseline.
func (b *Baseline) Write(w io.Writer) error {
	f := file{
		Type: kind, Version: version, Power: &b.Power, Uncertainty: b.Uncertainty, Drift: b.Drift,
		Low: b.Low, High: b.High, Start: float64(b.Start.UnixMicro()) / 1e6, Duration: b.Duration.Seconds(), Meter: b.Meter,
	}
	if !math.IsInf(b.DriftError, 0) {
		f.DriftError = &b.DriftError
	}
	f.Tool.Version = b.Tool
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(&f)
}

// ErrOther says that a file is no baseline.
var ErrOther = errors.New("it is not the file of a baseline")

// maxFile bounds what is read of a file, in bytes.
const maxFile = 1 << 20

// Read reads the file of a baseline. Errors match ErrOther, or are those of r.
func Read(r io.Reader) (Baseline, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return Baseline{}, err
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil || f.Type != kind {
		return Baseline{}, ErrOther
	}
	switch {
	case f.Version != version:
		return Baseline{}, fmt.Errorf("%w of version %d, but of version %d", ErrOther, version, f.Version)
	case f.Power == nil || math.IsNaN(*f.Power) || math.IsInf(*f.Power, 0):
		return Baseline{}, fmt.Errorf("%w: power_W is missing", ErrOther)
	case !(f.Uncertainty >= 0):
		return Baseline{}, fmt.Errorf("%w: power_uncertainty_W is negative", ErrOther)
	}
	b := Baseline{
		Power: *f.Power, Uncertainty: f.Uncertainty, Drift: f.Drift, DriftError: math.Inf(1), Low: f.Low, High: f.High,
		Start: time.UnixMicro(int64(f.Start * 1e6)), Duration: time.Duration(f.Duration * float64(time.Second)),
		Meter: f.Meter, Tool: f.Tool.Version,
	}
	if f.DriftError != nil {
		b.DriftError = *f.DriftError
	}
	return b, nil
}
