package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
	"powerspy2/internal/output"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// began is when recordings of tests begin.
var began = time.Unix(1772600707, 890123456)

func testHeader() Header {
	cal := powerspy.Calibration{Voltage: 0.07816, Current: 0.000489, Date: powerspy.Date{Year: 2024, Month: 3, Day: 4}}
	h := Header{
		Start: began, Averaging: 1, Frequency: 50.0125, Tool: "v1.2.3", Host: "lab3",
		Meter: Meter{
			Name: "PowerSpy 4567", Address: bdaddr.Address{0, 0x0b, 0xce, 7, 0x1d, 0x32}, Device: "00:0B:CE:07:1D:32",
			Serial: 4567, Hardware: 0x10, Firmware: 0x22,
		},
	}
	// As they come out of the EEPROM, in single precision.
	text, _ := powerspy.Calibrations{Factory: cal, Current: cal}.MarshalText()
	_ = h.Meter.Calibrations.UnmarshalText(text)
	return h
}

// testWindows returns n windows such as a meter measures, with a seed.
func testWindows(n int, seed uint64) []meter.Event {
	rnd := rand.New(rand.NewPCG(seed, 1))
	cal, _, _ := testHeader().Meter.Calibrations.InForce()
	events := make([]meter.Event, n)
	start := began
	for i := range events {
		f := 50 + 0.02*math.Sin(float64(i)/3000)
		length := time.Duration(1e9 / f)
		end := start.Add(length + time.Duration(rnd.Int64N(200)-100))
		power := 52 + 3*math.Sin(float64(i)/40) + rnd.NormFloat64()/2
		m := cal.Convert(powerspy.Frame{
			Power: int32(power / cal.Voltage / cal.Current), VoltageSquare: uint32(8.6e6 + 1e4*rnd.NormFloat64()),
			CurrentSquare: uint32(3e5 + 3e3*rnd.NormFloat64()), VoltagePeak: uint16(4150 + rnd.IntN(20)), CurrentPeak: uint16(1500 + rnd.IntN(100)),
		})
		events[i] = meter.Event{Kind: meter.WindowEvent, Window: meter.Window{
			Start: start, End: end, Length: length, Error: time.Duration(300_000 + rnd.IntN(2000)), Delay: time.Duration(rnd.IntN(40_000_000)),
			Frequency: f, Measurement: m,
		}}
		if rnd.IntN(100) == 0 {
			w := &events[i].Window
			w.Bridged, w.Delay = true, 0
		}
		start = end
	}
	return events
}

// testLines returns lines of all kinds.
func testLines() []Line {
	at := began.Add(time.Minute)
	lines := []Line{
		{Kind: HeaderLine, Header: testHeader()},
		{Kind: EventLine, Event: meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: at, Phase: meter.Streaming, Kind: meter.OtherWindows, Text: "\"it\" <said> \n\x1b so\u2028"}}},
		{Kind: EventLine, Event: meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: at, Phase: meter.Stalled, Text: ""}}},
		{Kind: EventLine, Event: meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: at, To: at.Add(time.Hour), Windows: 3, Reason: "the link broke"}}},
		{Kind: EventLine, Event: meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: at, To: at}}},
		{Kind: MarkLine, Mark: measure.Mark{Time: at.Add(1), Name: "warm up, \"é\""}},
		{Kind: MarkLine, Mark: measure.Mark{Time: at, End: true}},
		{Kind: JobLine, Job: Job{ID: "17", Command: []string{"make", "-j\n"}, Start: at}},
		{Kind: JobLine, Job: Job{ID: "17", Command: []string{"make", "-j"}, Start: at, End: at.Add(5), Result: json.RawMessage(`{"energy_J":3}`)}},
	}
	for _, e := range testWindows(100, 1) {
		lines = append(lines, Line{Kind: EventLine, Event: e})
	}
	odd := lines[len(lines)-1]
	w := &odd.Event.Window
	w.Power, w.Voltage, w.Current = math.SmallestNonzeroFloat64, math.MaxFloat64, math.Copysign(0, -1)
	w.Start, w.End, w.Length, w.Error = time.Unix(-1, 1), time.Unix(0, -1), 0x7fffffffffff, 1
	return append(lines, odd)
}

// same compares what was read with what was written.
func same(a, b any) string {
	return cmp.Diff(a, b, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }))
}

// What is written reads back to the nanosecond and the bit, and is JSON.
func TestLinesReadBack(t *testing.T) {
	for _, l := range testLines() {
		text, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(text) {
			t.Errorf("no JSON: %s", text)
		}
		var got Line
		if known, err := got.Parse(text); err != nil || !known {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := same(l, got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", text, diff)
		}
		// Another program may have written it again, with its keys in order.
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(text, &keys); err != nil {
			t.Fatal(err)
		}
		keys["later"] = json.RawMessage(`{"a":[1]}`)
		again, err := json.MarshalIndent(keys, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got = Line{}
		if known, err := got.Parse(again); err != nil || !known {
			t.Fatalf("%s: %v", again, err)
		}
		got.Job.Result = l.Job.Result // which has blanks now
		if diff := same(l, got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", again, diff)
		}
	}
}

// What can't be written is not.
func TestAppendRefuses(t *testing.T) {
	w := testWindows(1, 1)[0]
	w.Window.Power = math.NaN()
	for _, l := range []Line{
		{}, {Kind: EventLine}, {Kind: EventLine, Event: w},
		{Kind: MarkLine}, {Kind: MarkLine, Mark: measure.Mark{Name: "a\nb"}},
		{Kind: JobLine, Job: Job{Result: json.RawMessage(`{`)}},
		{Kind: JobLine, Job: Job{Command: []string{string(make([]byte, MaxLine))}}},
	} {
		if b, err := l.Append([]byte("x")); err == nil || string(b) != "x" {
			t.Errorf("%+v: %q, %v", l, b, err)
		}
	}
}

// Lines and keys that are not known are skipped; what is wrong is told with its
// line, and reading goes on; another version is refused.
func TestReaderSkips(t *testing.T) {
	header, err := (&Line{Kind: HeaderLine, Header: testHeader()}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	window := `{"type":"reading","start_s":1,"end_s":1.02,"power_W":50,"later":{"a":"}"},"windows":1}`
	text := string(header) + "\n" + `{"type":"later","x":1}` + "\n" + `{"type":"status","time_s":1,"phase":"later","text":""}` + "\n" + window + "\r\n" +
		"rubbish\n" + `{"type":"reading","start_s":1,"end_s":1.02}` + "\n" + `{"type":7}` + "\n" + `{"type":"mark","time_s":1,"name":"\u001b"}` + "\n" +
		`{"type":"later","x":"` + string(bytes.Repeat([]byte("x"), MaxLine)) + "\"}\n" + window + "\n" + window[:20]
	r, err := NewReader(bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	wrong := 0
	for {
		l, err := r.Next()
		if errors.Is(err, ErrFormat) {
			wrong++
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, l.Kind)
		if l.Kind == EventLine && (l.Event.Window.Power != 50 || l.Event.Window.Length != 20*time.Millisecond) {
			t.Errorf("got %+v", l.Event.Window)
		}
	}
	if diff := cmp.Diff([]Kind{HeaderLine, EventLine, EventLine}, kinds); diff != "" || wrong != 5 || !r.Torn() {
		t.Errorf("%d wrong, torn %v, %s", wrong, r.Torn(), diff)
	}

	later := bytes.Replace(header, []byte(`"version":1`), []byte(`"version":2`), 1)
	r, err = NewReader(bytes.NewReader(later))
	if err != nil {
		t.Fatal(err)
	}
	var version *VersionError
	if _, err := r.Next(); !errors.As(err, &version) || version.Version != 2 || !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
	for _, other := range []string{"", "x", "\n", window, "\x28\xb5\x2f\xfdxxxxx", "\x1f\x8bxxxxxxxxxxxx", `{"type":"reading"}`} {
		if _, err := NewReader(bytes.NewReader([]byte(other))); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

// The lines of `--format jsonl`, as a server sends them, are read too: a reading of
// several windows becomes one.
func TestParseJSONL(t *testing.T) {
	var text bytes.Buffer
	sink, err := output.NewSink(output.JSONL, &text, output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want []meter.Window
	readings := measure.Every{Interval: 100 * time.Millisecond, Out: func(e *measure.Event) error {
		r := &e.Reading
		want = append(want, meter.Window{
			Start: r.Start.Truncate(time.Microsecond), End: r.End.Truncate(time.Microsecond), Length: r.Length, Delay: r.Delay, Frequency: r.Frequency,
			Measurement: powerspy.Measurement{Power: r.Power, Voltage: r.Voltage, Current: r.Current, VoltagePeak: r.VoltagePeak, CurrentPeak: r.CurrentPeak},
		})
		return sink.Event(e)
	}}
	for _, e := range testWindows(50, 1) {
		if err := readings.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	var got []meter.Window
	for line := range bytes.Lines(text.Bytes()) {
		var l Line
		if known, err := l.Parse(line); err != nil || !known {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, l.Event.Window)
	}
	diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 2*time.Microsecond }),
		cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }))
	if diff != "" || len(got) != 10 {
		t.Errorf("%d readings: %s", len(got), diff)
	}
}

func FuzzReader(f *testing.F) {
	var all []byte
	for _, l := range testLines() {
		text, err := l.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, text...)
		f.Add(append(all[:0:0], all...))
	}
	f.Add(newEncoder().EncodeAll(all, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		defer r.Close()
		for range 1000 {
			l, err := r.Next()
			if errors.Is(err, ErrFormat) {
				continue
			}
			if err != nil {
				return
			}
			// What reads writes, and reads as the same.
			text, err := l.Append(nil)
			if errors.Is(err, ErrTooLong) {
				continue
			}
			if err != nil {
				t.Fatalf("%+v: %v", l, err)
			}
			var again Line
			if known, err := again.Parse(text); err != nil || !known {
				t.Fatalf("%s: %v", text, err)
			}
		}
	})
}
