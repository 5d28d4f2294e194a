package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"powerspy2/internal/field"
)

// A Field is how a real meter behaved in a field test, for a simulated one to
// behave alike. It is not changed once it is read.
type Field struct {
	file    *field.File
	manners []manner // By length, of the lengths of window that were tried.
	load    load
}

// A manner is how a meter streams windows of some length.
type manner struct {
	periods         int
	refused, silent bool
	slots           []slot        // What became of windows, one after the other; nil if that is not known.
	factors         []float64     // Of first frames.
	after           time.Duration // The first window begins so long after J.
}

// A slot is what became of a window.
type slot struct {
	delay   float64 // Seconds from its end to the arrival of its frame; NaN for one left out.
	damaged bool
}

// ReadField reads the file of a field test, as powerspy fieldtest writes it.
// Errors say what is wrong with the file: it is no such file, of another
// version, or torn, or contains no stream.
func ReadField(r io.Reader) (*Field, error) {
	file, err := field.Read(r)
	if err != nil {
		return nil, err
	}
	f := &Field{file: file}
	for i := range file.Streams {
		if m, ok := newManner(&file.Streams[i], file.Meter.Frequency); ok {
			f.manners = append(f.manners, m)
		}
	}
	if len(f.manners) == 0 {
		return nil, errors.New("the field test has no stream")
	}
	slices.SortFunc(f.manners, func(a, b manner) int { return a.periods - b.periods })
	return f, nil
}

// OpenField is ReadField of a file. It has to be a plain one.
func OpenField(path string) (f *Field, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f, err = ReadField(r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// newManner returns the manner that a stream shows; ok is false if it shows
// none, as one that was not tried.
func newManner(s *field.Stream, frequency float64) (m manner, ok bool) {
	m.periods = s.Periods
	switch s.Status {
	case field.Refused:
		m.refused = true
		return m, true
	case field.Silent:
		m.silent = true
		return m, true
	}
	if len(s.Frames) < 2 {
		return m, false
	}
	leftOut := slot{delay: math.NaN()}
	for i, f := range s.Frames {
		if i > 0 {
			missing := f.Window - s.Frames[i-1].Window - 1
			damaged := min(f.Damaged, missing)
			m.slots = append(m.slots, slices.Repeat([]slot{leftOut}, missing-damaged)...)
			m.slots = append(m.slots, slices.Repeat([]slot{{f.Delay.Seconds(), true}}, damaged)...)
		}
		m.slots = append(m.slots, slot{delay: f.Delay.Seconds()})
	}
	length := time.Duration(float64(s.Periods) / frequency * float64(time.Second))
	var late []time.Duration
	for _, start := range s.Starts {
		if factor := start.Factor(); factor > 0 {
			m.factors = append(m.factors, factor)
		}
		late = append(late, time.Duration(start.After*float64(time.Millisecond))-length)
	}
	// A link's delay and the wait for a zero crossing are no lateness.
	const ordinary = 250 * time.Millisecond
	if len(late) > 0 {
		if least := slices.Min(late); least > ordinary {
			m.after = least
		}
	}
	return m, true
}

// manner returns how the meter streams windows of so many periods: as the
// longest that were tried and are not longer, or else as the shortest.
func (f *Field) manner(periods int) *manner {
	best := &f.manners[0]
	for i := range f.manners {
		if f.manners[i].periods <= periods {
			best = &f.manners[i]
		}
	}
	return best
}

// slot returns what becomes of window i of a stream, each of which begins
// somewhere else in what was seen.
func (m *manner) slot(rnd random, stream uint64, i int) slot {
	n := uint64(len(m.slots))
	if n == 0 {
		return slot{}
	}
	at := (rnd.bits(forField, stream, 0) + uint64(i)) % n
	if i == 0 {
		// The first frame that was seen was never left out.
		for math.IsNaN(m.slots[at].delay) || m.slots[at].damaged {
			at = (at + 1) % n
		}
	}
	return m.slots[at]
}

// spoil says in t by how much the frame of the first window is too large.
func (m *manner) spoil(t *Truth, rnd random, stream uint64) {
	if len(m.factors) == 0 {
		return
	}
	t.Factor = m.factors[rnd.bits(forFirst, stream, 0)%uint64(len(m.factors))]
	t.K = min(max(int(math.Round(t.Factor*float64(m.periods))), 1), block)
}

// configure makes c a meter as the field test found it.
func (f *Field) configure(c *Config) {
	file := f.file
	c.Field = f
	c.Generation, c.Serial = Generation(file.Meter.Generation), file.Meter.Serial
	c.Firmware, c.Hardware = file.Meter.Firmware, file.Meter.Hardware
	c.Files, c.LogPeriod = nil, 0
	if e := file.EEPROM.Bytes; len(e) == len(EEPROM{}) {
		c.Factory, c.Current = calibrationAt(e, addrFactory), calibrationAt(e, addrCurrent)
	}
	c.First, c.Drift = First{Law: FirstClean}, 0
	c.Frequency = file.Meter.Frequency
	scale := c.Current
	if !scale.sane() {
		scale = c.Factory
	}
	for i := range file.Streams {
		// The shortest windows tell most of the load.
		if s := &file.Streams[i]; len(s.Frames) > 1 {
			c.Frequency = s.Hertz
			f.load = newRecordedLoad(s, scale, c)
			break
		}
	}
	if f.load != nil {
		c.Load = LoadField
	}
	c.Faults.Refuse, c.Faults.Mute = f.letters(field.Refused), f.letters(field.Silent)
}

// letters are those of the requests that had an outcome. ?, V and F are none of
// them: a meter that does not answer these has no field test.
func (f *Field) letters(status field.Status) string {
	var letters string
	for _, q := range []struct {
		letter  string
		outcome field.Outcome
	}{
		{"S", f.file.Capture.Outcome}, {"A", f.file.Capture.Text.Outcome}, {"B", f.file.Capture.Binary.Outcome},
		{"U", f.file.Card.Outcome}, {"X", f.file.Card.First.Outcome},
	} {
		if q.outcome.Status == status {
			letters += q.letter
		}
	}
	return letters
}

func calibrationAt(e []byte, addr int) Calibration {
	scale := func(at int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(e[at:])) }
	return Calibration{
		Voltage: scale(addr), Current: scale(addr + 4),
		Year: binary.LittleEndian.Uint16(e[addr+8:]), Month: e[addr+10], Day: e[addr+11],
	}
}

// newRecordedLoad returns the load that the frames of a stream show, again and
// again, and makes c's voltage and power those of it. A window that was left out
// is as the one before.
func newRecordedLoad(s *field.Stream, scale Calibration, c *Config) load {
	us, is := float64(scale.Voltage), float64(scale.Current)
	frames := s.Frames[1:] // The first is no measurement.
	var voltage, apparent, power float64
	for _, f := range frames {
		u, i := us*math.Sqrt(float64(f.VoltageSquare)), is*math.Sqrt(float64(f.CurrentSquare))
		voltage += u / float64(len(frames))
		apparent += u * i / float64(len(frames))
		power += us * is * float64(f.Power) / float64(len(frames))
	}
	const leastPF = 0.05
	c.Voltage = min(max(voltage, 80), 300)
	c.Power, c.LowPower = min(max(power, -maxPower), maxPower), 0
	c.PF = 1
	if apparent > 0 {
		c.PF = min(max(math.Abs(power)/apparent, leastPF), 1)
	}
	// In Truth, currents follow from powers by the power factor.
	crest := newShape(c.PF).crest
	levels := make([]drawn, frames[len(frames)-1].Window-frames[0].Window+1)
	for n, f := range frames {
		i := is * math.Sqrt(float64(f.CurrentSquare)) * c.Voltage * c.PF
		d := drawn{
			mean: us * is * float64(f.Power), square: i * i,
			peak: is * float64(f.CurrentPeak) * c.Voltage * c.PF / crest,
		}
		end := len(levels)
		if n+1 < len(frames) {
			end = frames[n+1].Window - frames[0].Window
		}
		for at := f.Window - frames[0].Window; at < end; at++ {
			levels[at] = d
		}
	}
	count := int64(len(levels))
	return steps{width: float64(s.Periods) / s.Hertz, level: func(i int64) drawn {
		return levels[(i%count+count)%count]
	}}
}

// mainsAnswer returns the frequency that F tells at a time, in seconds since the
// meter was made: what was answered in the field test, again and again.
func (f *Field) mainsAnswer(seconds float64) (hertz float64, ok bool) {
	answers := f.file.Mains.Answers
	if len(answers) == 0 {
		return 0, false
	}
	period := answers[len(answers)-1].At + 1
	at := math.Mod(max(seconds, 0), period)
	n := 0
	for n+1 < len(answers) && answers[n+1].At <= at {
		n++
	}
	return answers[n].Hertz, true
}

// trip returns how long an answer takes to come.
func (f *Field) trip(rnd random, answer uint64) time.Duration {
	trips := f.file.RoundTrips.Milliseconds
	n := uint64(len(trips)) + 1
	ms := f.file.RoundTrips.Shortest
	if drawn := rnd.bits(forAnswer, answer, 0) % n; drawn < n-1 {
		ms = trips[drawn]
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// captured returns what A or B answered after a capture of so many periods, with
// its letter.
func (f *Field) captured(letter byte, periods int) (answer string, ok bool) {
	a := f.file.Capture.Text
	if letter == 'B' {
		a = f.file.Capture.Binary
	}
	if f.file.Capture.Periods != periods || len(a.Raw) == 0 {
		return "", false
	}
	return string(letter) + string(a.Raw), true
}

// card returns what was on the SD card: of all files names and sizes, of one how
// it begins. The rest is random.
func (f *Field) card() *card {
	c := &card{}
	first := f.file.Card.First
	for i, log := range f.file.Card.Files {
		made := &file{name: log.Name, size: int(log.Size), seed: uint64(i)}
		if log.Name == first.Name && int(log.Size) >= len(first.Bytes) {
			made.begins = first.Bytes
		}
		c.files = append(c.files, made)
	}
	return c
}
