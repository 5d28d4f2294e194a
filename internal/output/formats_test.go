package output

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/meter"
)

var update = flag.Bool("update", false, "rewrite the examples in docs/formats.md")

// run is what the examples show: two readings, a gap, the rest of a reading
// that the gap cut short, and another reading.
func run() []measure.Event {
	began := time.Date(2026, 3, 4, 5, 6, 7, 100123456, time.UTC)
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	r := func(start, end, power float64, partial bool) measure.Event {
		return measure.Event{Kind: measure.ReadingEvent, Reading: measure.Reading{
			Start: at(start), End: at(end), Length: at(end).Sub(at(start)), Windows: int(math.Round((end - start) * 50)), Partial: partial,
			Power: power, PowerMin: power - 2.5, PowerMax: power + 4.25, Voltage: 230.702, Current: (power + 9) / 230.702,
			VoltagePeak: 325.1, CurrentPeak: 1.34, Energy: power * (end - start), Frequency: 49.985, Delay: 12345 * time.Microsecond,
		}}
	}
	idle := r(3.7, 4.7, -0.0871, false)
	idle.Reading.PowerMin, idle.Reading.PowerMax = -0.0902, -0.0846
	idle.Reading.Current, idle.Reading.CurrentPeak = 0, 0
	return []measure.Event{
		r(0, 1, 171.14044, false),
		r(1, 2.0003, 168.25, false),
		r(2.0003, 2.5003, 170, true),
		{Kind: measure.StatusEvent, Status: meter.Status{Time: at(3.5), Phase: meter.Stalled, Text: "the meter was silent for 1.2 s"}},
		{Kind: measure.GapEvent, Gap: meter.Gap{From: at(2.5003), To: at(3.7), Windows: 60, Reason: "the meter was silent for 1.2 s"}},
		{Kind: measure.StatusEvent, Status: meter.Status{Time: at(3.75), Phase: meter.Streaming, Text: "measuring again (step 1, drain)"}},
		idle,
	}
}

func example(t *testing.T, f Format, o Options) string {
	t.Helper()
	var out bytes.Buffer
	sink := sinkTo(t, f, &out, o)
	for _, e := range run() {
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func fieldList() string {
	var b strings.Builder
	b.WriteString("| `--fields` | in csv | Unit | What it is |\n| --- | --- | --- | --- |\n")
	for i := range fields {
		f := &fields[i]
		unit := f.unit
		switch {
		case f.time != nil:
			unit = "see `--time`"
		case unit == "":
			unit = "-"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", f.name, f.key(TimeISO), unit, f.doc)
	}
	return b.String()
}

// The document shows what the code writes: `go test ./internal/output -update`
// makes it so.
func TestDocument(t *testing.T) {
	const name = "../../docs/formats.md"
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	block := func(s string) string { return "```text\n" + s + "```\n" }
	mJ := Millijoule
	for _, e := range []struct{ name, text string }{
		{"fields", fieldList()},
		{"table", block(example(t, Table, Options{}))},
		{"plain", block(example(t, Plain, Options{}))},
		{"plain-mJ", block(example(t, Plain, Options{Unit: &mJ, Time: TimeISO}))},
		{"csv", block(example(t, CSV, Options{}))},
		{"csv-fields", block(example(t, CSV, Options{Fields: []string{"end", "power", "energy", "partial"}, Time: TimeSecond}))},
		{"jsonl", block(example(t, JSONL, Options{}))},
		{"influx", block(example(t, Influx, Options{Meter: "rack 1"}))},
		{"oscar", block(example(t, OSCAR, Options{Meter: "rack 1", Began: epoch}))},
	} {
		begin, end := "<!-- made by a test: "+e.name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(doc, begin)
		_, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			t.Fatalf("%s has no place for %s", name, e.name)
		}
		doc = before + begin + "\n" + e.text + "\n" + end + after
	}
	if *update {
		if err := os.WriteFile(name, []byte(doc), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(b), doc); diff != "" {
		t.Errorf("%s differs from what the formats are (go test ./internal/output -update rewrites it):\n%s", name, diff)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		format Format
		o      Options
		want   string // in the error; empty: none
	}{
		{CSV, Options{Unit: &Watt}, "table and plain"},
		{JSONL, Options{Fields: []string{"end"}}, "table and csv"},
		{OSCAR, Options{Time: TimeISO}, "plain and csv"},
		{OSCAR, Options{Interval: 2 * time.Second}, "1s, not 2s"},
		{OSCAR, Options{Interval: time.Second}, ""},
		{CSV, Options{Fields: []string{"end", "wat"}}, `"wat" is not one of start, end, `},
		{CSV, Options{Fields: []string{"end_us"}}, `"end_us" is not one of`},
		{CSV, Options{Fields: []string{"end_us"}, Time: TimeMicro}, ""},
		{CSV, Options{Fields: []string{}}, "no field"},
		{Format("xml"), Options{}, "not one of"},
	}
	for _, tt := range tests {
		_, err := NewSink(tt.format, nil, tt.o)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s %+v: got %v, want %q", tt.format, tt.o, err, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		format TimeFormat
		time   time.Time
		want   string
	}{
		{TimeMicro, epoch, "1772600767890123"},
		{TimeMilli, epoch, "1772600767890"},
		{TimeSecond, epoch, "1772600767.890123"},
		{TimeISO, epoch.In(time.FixedZone("", 3600)), "2026-03-04T05:06:07.890123Z"},
		{TimeSecond, time.UnixMicro(42), "0.000042"},
		{TimeSecond, time.UnixMicro(-1500000), "-1.500000"},
	} {
		if got := string(tt.format.append(nil, tt.time)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.format, got, tt.want)
		}
	}
}

func TestAppendFixed(t *testing.T) {
	for _, tt := range []struct {
		v        float64
		decimals int
		want     string
	}{
		{0, 0, "0"}, {0, 3, "0.000"}, {-0.0004, 3, "0.000"}, {-0.0006, 3, "-0.001"},
		{0.05, 1, "0.1"}, {12.3456, 2, "12.35"}, {-12.5, 0, "-13"}, {999.9996, 3, "1000.000"},
		{1e12, 6, "1000000000000.000000"}, {-1e22, 1, "-10000000000000000000000.0"},
	} {
		if got := string(appendFixed(nil, tt.v, tt.decimals)); got != tt.want {
			t.Errorf("%v with %d decimals: got %s, want %s", tt.v, tt.decimals, got, tt.want)
		}
	}
}

func TestHeaderApart(t *testing.T) {
	for _, f := range allFormats() {
		var whole, apart bytes.Buffer
		sink := sinkTo(t, f, &apart, Options{HeaderApart: true})
		for _, s := range []Sink{sinkTo(t, f, &whole, Options{}), sink} {
			if err := s.Event(new(reading(5, 5))); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(sink.Header()) + apart.String(); got != whole.String() {
			t.Errorf("%s: got %q, want %q", f, got, &whole)
		}
	}
}

// Readings that end a hair before or after the second of the clock have each
// their own second; after a gap the clock counts again.
func TestOSCARSeconds(t *testing.T) {
	var out bytes.Buffer
	sink := sinkTo(t, OSCAR, &out, Options{HeaderApart: true, Began: epoch})
	second := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	for _, ms := range []int{9999, 11001, 11999, -1, 20500, 21499, 22501} {
		e := reading(1, 1)
		e.Reading.End = second.Add(time.Duration(ms) * time.Millisecond)
		if ms < 0 {
			e = measure.Event{Kind: measure.GapEvent}
		}
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Split(line, ";")[1])
	}
	var want []string
	for _, s := range []int{9, 10, 11, 20, 21, 22} {
		want = append(want, fmt.Sprintf("04.03.26, 05:06:%02d", s))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
