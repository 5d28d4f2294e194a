package bench

import (
	"errors"
	"io"
	"time"
)

// Version is that of the file of a result. It changes when a reader may no longer
// skip what it does not know.
const Version = 1

// A Result is a bench with all that is to be known about it.
type Result struct {
	Series    []Series
	Reference int // index of the series that others are compared with; -1: the one with the lowest mean energy

	Order       Order
	Seed        uint64
	Precision   float64       // that was asked for; 0: none
	MinTime     time.Duration // that a run had to last; 0: none
	Interrupted bool

	Baseline   *Baseline // nil: none
	Meter      Meter
	Accuracy   float64       // the meter's class, relative; 0: not given
	Delay      time.Duration // constant delay of frames
	DelayKnown bool          // Delay was given
	Tool       string        // version of the program
	Host       string        // name of its machine; may be empty
	Warnings   []string
}

// A Baseline is the power of the idle machine.
type Baseline struct {
	Power       float64 // W
	Uncertainty float64 // standard, W
}

// A Meter says which meter it was. Its keys are those of the report of a job.
type Meter struct {
	Name        string  `json:"name"`
	Address     *string `json:"address"` // nil: it was not reached by Bluetooth
	Serial      uint16  `json:"serial"`
	Hardware    uint8   `json:"hardware"`
	Firmware    uint8   `json:"firmware"`
	Calibration string  `json:"calibration"` // its date, ISO 8601
	Simulated   bool    `json:"simulated"`
}

// Errors of Read.
var (
	ErrOther   = errors.New("it is not the result of a bench")
	ErrVersion = errors.New("it is of another version")
	ErrSize    = errors.New("it is too large")
)

// Comparisons compares each series with the reference, which is left out. There is
// none of fewer than two series.
func (r *Result) Comparisons(q Quantity) []Comparison { return nil }

// Write writes a result as hyperfine's JSON, with energies beside its times.
func (r *Result) Write(w io.Writer) error { return nil }

// Read reads a result. Errors match ErrOther, ErrVersion or ErrSize, or are those of
// r.
func Read(r io.Reader) (Result, error) { return Result{}, ErrOther }
