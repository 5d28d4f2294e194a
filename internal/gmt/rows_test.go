package gmt

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"powerspy2/internal/output"
	"powerspy2/measure"
)

// reading lies in an interval, from and to milliseconds after second 1000, with
// a power.
func reading(interval int64, from, to int, power float64, ends bool) measure.Event {
	begin := time.Unix(1000, 0)
	length := time.Duration(to-from) * time.Millisecond
	return measure.Event{Kind: measure.ReadingEvent, Reading: measure.Reading{
		Start: begin.Add(time.Duration(from) * time.Millisecond), End: begin.Add(time.Duration(to) * time.Millisecond),
		Length: length, Windows: max(1, int(length/(20*time.Millisecond))),
		Interval: interval, Ends: ends,
		Power: power, Energy: power * length.Seconds(),
	}}
}

func TestRows(t *testing.T) {
	gap := measure.Event{Kind: measure.GapEvent}
	for _, tt := range []struct {
		name   string
		unit   output.Unit
		events []measure.Event
		want   string
	}{
		{
			"an interval, a row", output.Microjoule,
			[]measure.Event{reading(0, 0, 100, 20, true), reading(1, 100, 200, 30, true)},
			"1000100000 2000000\n1000200000 3000000\n",
		},
		{
			"interrupted, energy", output.Microjoule,
			[]measure.Event{reading(0, 0, 40, 20, false), gap, reading(0, 60, 100, 40, true)},
			"1000100000 2400000\n",
		},
		{
			"interrupted, power", output.Milliwatt,
			[]measure.Event{reading(0, 0, 20, 20, false), gap, reading(0, 40, 100, 40, true)},
			"1000100000 35000\n",
		},
		{
			"its end was lost", output.Microjoule,
			[]measure.Event{reading(0, 0, 100, 20, true), reading(1, 100, 160, 20, false), gap, reading(2, 220, 300, 20, true)},
			"1000100000 2000000\n1000200000 1200000\n1000300000 1600000\n",
		},
		{
			"its end was lost, and the time of it is in the next", output.Microjoule,
			[]measure.Event{reading(0, 0, 60, 20, false), gap, reading(1, 90, 200, 20, true)},
			"1000090000 1200000\n1000200000 2200000\n",
		},
		{
			"intervals were lost", output.Microjoule,
			[]measure.Event{reading(0, 0, 60, 20, false), gap, reading(7, 700, 800, 20, true)},
			"1000100000 1200000\n1000800000 2000000\n",
		},
		{
			"the clock stood still", output.Microjoule,
			[]measure.Event{reading(0, 0, 100, 20, true), reading(1, 100, 100, 20, true)},
			"1000100000 2000000\n1000100001 2\n",
		},
		{
			"the measurement ends", output.Microjoule,
			[]measure.Event{reading(0, 0, 100, 20, true), reading(1, 100, 160, 20, false)},
			"1000100000 2000000\n1000160000 1200000\n",
		},
		{
			"without load, energy", output.Microjoule,
			[]measure.Event{reading(0, 0, 100, 0, true), reading(1, 100, 200, -3, true), reading(2, 200, 300, 14e-6, true), reading(3, 300, 400, 30e-6, true)},
			"1000100000 2\n1000200000 2\n1000300000 2\n1000400000 3\n",
		},
		{
			"without load, power", output.Microwatt,
			[]measure.Event{reading(0, 0, 100, 0, true), reading(1, 100, 200, -3, true)},
			"1000100000 0\n1000200000 -3000000\n",
		},
		{
			"without load, millijoules", output.Millijoule,
			[]measure.Event{reading(0, 0, 100, 0, true), reading(1, 100, 200, -3, true)},
			"1000100000 0\n1000200000 -300\n",
		},
		{"nothing", output.Microjoule, []measure.Event{gap}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			rows := newRows(t, &out, tt.unit, 100*time.Millisecond)
			for _, e := range tt.events {
				if err := rows.Event(&e); err != nil {
					t.Fatal(err)
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("rows\n%swant\n%s", &out, tt.want)
			}
		})
	}
}

// full is a file system without space.
type full struct{}

var errFull = errors.New("no space")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestRowsAtOnce: a row is written with the reading that ends its interval, and
// a failure to write it is told.
func TestRowsAtOnce(t *testing.T) {
	rows := newRows(t, full{}, output.Microjoule, 100*time.Millisecond)
	if err := rows.Event(new(reading(0, 0, 60, 20, false))); err != nil {
		t.Error(err)
	}
	if err := rows.Event(new(reading(0, 60, 100, 20, true))); !errors.Is(err, errFull) {
		t.Errorf("unexpected error: %v", err)
	}
}

func newRows(t *testing.T, w io.Writer, unit output.Unit, interval time.Duration) *Rows {
	t.Helper()
	rows, err := NewRows(w, unit, interval)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
