package output

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
)

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 890123456, time.UTC)

func reading(power, energy float64) measure.Event {
	return measure.Event{Kind: measure.ReadingEvent, Reading: measure.Reading{
		Start: epoch.Add(-time.Second), End: epoch, Windows: 1,
		Power: power, Energy: energy, Voltage: 230.702292, Current: 0.783166072,
	}}
}

func sinkTo(t testing.TB, f Format, w io.Writer, o Options) Sink {
	t.Helper()
	sink, err := NewSink(f, w, o)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func allFormats() []Format {
	var all []Format
	for _, k := range formatKinds {
		all = append(all, k.format)
	}
	return all
}

func TestPlain(t *testing.T) {
	tests := []struct {
		unit          string
		power, energy float64
		want          string
	}{
		{"", 171.1404404, 0, "171140"},
		{"uW", 171.1404404, 0, "171140440"},
		{"mW", 171.1406, 0, "171141"},
		{"W", 171.1404404, 0, "171.140440"},
		{"W", 0, 0, "0.000000"},
		{"uJ", 0, 42.7851101, "42785110"},
		{"mJ", 0, 42.7851101, "42785"},
		{"J", 0, 42.7851101, "42.785110"},
		{"mW", -0.0871, 0, "-87"},
		{"W", -0.0871, 0, "-0.087100"},
		{"mW", -0.0004, 0, "0"},
		{"W", -0.0000004, 0, "0.000000"},
		{"uW", math.MaxUint32 * 4.5e-5, 0, "193273528275"},
	}
	for _, tt := range tests {
		var unit *Unit
		if tt.unit != "" {
			u, err := ParseUnit(tt.unit)
			if err != nil {
				t.Fatal(err)
			}
			unit = &u
		}
		var out bytes.Buffer
		if err := sinkTo(t, Plain, &out, Options{Unit: unit}).Event(new(reading(tt.power, tt.energy))); err != nil {
			t.Fatal(err)
		}
		want := "1772600767890123 " + tt.want + "\n"
		if out.String() != want {
			t.Errorf("%v W, %v J in %q: got %q, want %q", tt.power, tt.energy, tt.unit, &out, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	sink := sinkTo(t, Table, &out, Options{})
	silent := reading(-0.25, -0.25)
	silent.Reading.Current = 0
	for _, e := range []measure.Event{reading(171.14044, 171.2), {Kind: measure.GapEvent}, reading(3680.5, 3681), silent} {
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	want := `time              power/W voltage/V current/A  factor    energy/J       total/J
05:06:07.890      171.140    230.70    0.7832   0.947    171.2000       171.200
05:06:07.890     3680.500    230.70    0.7832  20.370   3681.0000      3852.200
05:06:07.890       -0.250    230.70    0.0000       -     -0.2500      3851.950
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("unexpected table (-want +got):\n%s", diff)
	}
}

func TestTableFitsEightyColumns(t *testing.T) {
	for _, name := range UnitNames() {
		unit, err := ParseUnit(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := sinkTo(t, Table, &out, Options{Unit: &unit}).Event(new(reading(-3680.123456, 3680.123456))); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 80 { // with its line feed
				t.Errorf("%s: %d columns: %q", name, len(line)-1, line)
			}
		}
	}
}

// countWriter counts calls of Write.
type countWriter struct{ calls int }

func (c *countWriter) Write(p []byte) (int, error) { c.calls++; return len(p), nil }

func TestOneWriteALine(t *testing.T) {
	for _, f := range allFormats() {
		var w countWriter
		sink := sinkTo(t, f, &w, Options{})
		for range 10 {
			if err := sink.Event(new(reading(1, 1))); err != nil {
				t.Fatal(err)
			}
		}
		if w.calls != 10 {
			t.Errorf("%s: %d writes for 10 readings", f, w.calls)
		}
	}
}

func TestSinksMakeNoGarbage(t *testing.T) {
	for _, f := range allFormats() {
		sink := sinkTo(t, f, io.Discard, Options{Meter: "rack 1"})
		e := reading(171.14044, 42.78)
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(1000, func() {
			if err := sink.Event(&e); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a reading", f, allocs)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestSinksPassWriteErrors(t *testing.T) {
	for _, f := range allFormats() {
		if err := sinkTo(t, f, brokenWriter{}, Options{}).Event(new(reading(1, 1))); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s: got %v, want EPIPE", f, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, name := range []string{"", "w", "MW", "kWh", "watt"} {
		if _, err := ParseUnit(name); err == nil || !strings.Contains(err.Error(), "uW, mW, W, uJ, mJ, J") {
			t.Errorf("unit %q: got %v, want an error that names the units", name, err)
		}
	}
	for _, name := range []string{"", "Plain", "xml"} {
		if _, err := ParseFormat(name); err == nil || !strings.Contains(err.Error(), "table, plain, csv, jsonl, influx, oscar") {
			t.Errorf("format %q: got %v, want an error that names the formats", name, err)
		}
	}
}

func BenchmarkSinks(b *testing.B) {
	for _, f := range allFormats() {
		b.Run(string(f), func(b *testing.B) {
			sink := sinkTo(b, f, io.Discard, Options{})
			e := reading(171.14044, 42.78)
			b.ReportAllocs()
			for b.Loop() {
				if err := sink.Event(&e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A reading of which a part is missing is marked, and one that was bridged, without
// a column that moves. A file of marked rows is still recognised.
func TestTableMarks(t *testing.T) {
	var out strings.Builder
	sink := sinkTo(t, Table, &out, Options{})
	for _, mark := range []func(*measure.Reading){
		func(*measure.Reading) {},
		func(r *measure.Reading) { r.Bridged = 1 },
		func(r *measure.Reading) { r.Bridged, r.Partial = 1, true },
	} {
		e := reading(171, 42)
		mark(&e.Reading)
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, mark := range []string{" ", "~", "!"} {
		row := lines[1+i]
		if row[12:13] != mark || len(row) != len(lines[0]) {
			t.Errorf("got %q, want the mark %q and %d characters", row, mark, len(lines[0]))
		}
		shape, err := NewShape(Table, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := shape.Check([]byte(lines[0]+"\n"), []byte(row), []byte(row[:14]), ""); err != nil {
			t.Error(err)
		}
	}
}

// The columns follow the terminal, with a header when they change; those that were
// asked for stay.
func TestTableWidth(t *testing.T) {
	var out strings.Builder
	width := 80
	sink := sinkTo(t, Table, &out, Options{Width: func() int { return width }})
	chosen := sinkTo(t, Table, io.Discard, Options{Width: func() int { return 10 }, Fields: []string{"end", "total"}})
	if got := len(chosen.Header()); got != 27 {
		t.Errorf("the header of chosen fields has %d characters", got)
	}
	e := reading(171, 42)
	for width = 120; width > 0; width-- {
		out.Reset()
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if len(line) >= max(width, 26) {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
	if got := string(sink.Header()); got != "time              power/W\n" {
		t.Errorf("the narrowest: %q", got)
	}
	width = 0
	out.Reset()
	if err := sink.Event(&e); err != nil || !strings.HasPrefix(out.String(), "time              power/W voltage/V current/A  factor    energy/J       total/J\n") {
		t.Errorf("no terminal: %q, %v", out.String(), err)
	}
}
