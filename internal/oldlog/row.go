package oldlog

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"time"
)

// A Row is one line of a log.
type Row struct {
	// Arrival is when the frame arrived, by the clock of the host: since 1970, or
	// since some beginning of the log's own. It never decreases.
	Arrival time.Duration
	Voltage float64 // V rms; 0 in a log of power alone, as the following but Power.
	Current float64 // A rms
	Power   float64 // W, mean

	VoltagePeak float64 // V
	CurrentPeak float64 // A

	// Placed says that the log identifies the window.
	Placed bool
	Window int           // Of those from the first placed one on, with the ones left out.
	End    time.Duration // When it ended, on the clock of Arrival, but for a constant.
	Sure   bool          // The log is sure of Window and End.
}

// What can be wrong with a line.
var (
	errTorn      = errors.New("torn")
	errNotNumber = errors.New("not a number")
	errZeros     = errors.New("all zeros")
	errPower     = errors.New("power is impossible")
)

// maxTime bounds times: the year 2200, and a sum of two is still a Duration.
const maxTime = 230 * 365.25 * 24 * 3600

// cell reads a number; what is no number at all is torn.
func cell(b []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return 0, errNotNumber
	case err != nil:
		return 0, errTorn
	}
	return v, nil
}

// seconds reads a time, to the microsecond.
func seconds(b []byte) (time.Duration, error) {
	v, err := cell(b)
	if err != nil {
		return 0, err
	}
	if math.Abs(v) > maxTime {
		return 0, errTorn
	}
	return time.Duration(math.Round(v*1e6)) * time.Microsecond, nil
}

// parse reads a line of the layout.
func (l layout) parse(line []byte) (Row, error) {
	cells := bytes.Split(line, []byte{l.separator})
	if !l.fits(len(cells)) {
		return Row{}, errTorn
	}
	var r Row
	var err error
	if r.Arrival, err = seconds(cells[0]); err != nil {
		return Row{}, err
	}
	if r.Arrival < 0 {
		return Row{}, errTorn
	}
	if l.powerOnly {
		r.Power, err = cell(cells[1])
		return r, err
	}
	for i, v := range []*float64{&r.Voltage, &r.Current, &r.Power, &r.VoltagePeak, &r.CurrentPeak} {
		if *v, err = cell(cells[1+i]); err != nil {
			return Row{}, err
		}
		if *v < 0 && v != &r.Power {
			return Row{}, errTorn // Neither rms nor peak has a sign.
		}
	}
	if r == (Row{Arrival: r.Arrival}) {
		return Row{}, errZeros
	}
	if len(cells) == annotated {
		r.place(cells[plain:])
	}
	return r, nil
}

// place reads the inferred columns. Where they are empty nothing is known.
func (r *Row) place(cells [][]byte) {
	n, err := strconv.Atoi(string(bytes.TrimSpace(cells[0])))
	if err != nil || n < 0 {
		return
	}
	end, err := seconds(cells[1])
	if err != nil {
		return
	}
	r.Placed, r.Window, r.End = true, n, end
	r.Sure = string(bytes.TrimSpace(cells[2])) == "1"
}

// A layout is how the lines of a log are made.
type layout struct {
	separator byte
	powerOnly bool
}

// The numbers of columns.
const (
	plain     = 6
	annotated = 9
	short     = 2
)

var layouts = [...]layout{{'\t', false}, {';', true}, {'\t', true}}

func (l layout) fits(columns int) bool {
	if l.powerOnly {
		return columns == short
	}
	return columns == plain || columns == annotated
}

// An unwrapper puts power right that was read without its sign: a small
// negative mean power is sent as a number just below 2^32 counts.
//
// What a count is worth is not in a log, and differs from meter to meter. But
// the largest such power of a log is that of the counts just below zero, and
// counts as -0 W: what it lacks is at most the noise of a meter with nothing
// plugged in, some milliwatts. The others are as far below zero as they are
// below that one.
type unwrapper struct {
	largest float64
}

// A count of power is worth 43.5 uW on meters of the first generation and
// 87.5 uW on those of the second; scales of single meters differ by some
// percent.
const (
	smallestWrapped = 30e-6 * (1 << 32)
	largestWrapped  = 130e-6 * (1 << 32)
	// deepest bounds how far below zero such power can be: what a meter for
	// 230 V and 16 A measures the wrong way round.
	deepest = 4000
)

// undo returns the power that p stands for, and whether it was wrapped.
func (u *unwrapper) undo(p float64) (float64, bool, error) {
	switch {
	case math.Abs(p) < smallestWrapped/2:
		return p, false, nil
	case p < smallestWrapped || p > largestWrapped || u.largest-p > deepest || u.largest != 0 && p-u.largest > deepest:
		return 0, false, errPower
	}
	u.largest = max(u.largest, p)
	return p - u.largest, true, nil
}
