package field

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// example is a small field test with something of everything.
func example() *File {
	counts := Counts{VoltageSquare: 0x7A1FCA, CurrentSquare: 0x1F82FB, Power: -3, VoltagePeak: 0xFA9, CurrentPeak: 0xAB5}
	first := counts
	first.VoltageSquare *= 7
	s := Stream{
		Outcome: Outcome{Status: Done}, Periods: 1, Hertz: 50,
		Starts: []Start{{After: 32.5, First: first, Second: counts}},
	}
	for _, window := range []int{0, 1, 2, 4, 5, 9} {
		f := Frame{Window: window, Arrival: time.Duration(window+1) * 21 * time.Millisecond, Delay: time.Duration(window) * time.Millisecond, Counts: counts}
		if window == 9 {
			f.Damaged = 1
		}
		s.Frames = append(s.Frames, f)
	}
	s.Measure()
	return &File{
		Format: Format, Version: Version, Program: "test", Date: "2026-03-01", Seconds: 300,
		Meter:      Meter{Generation: 2, Serial: 4567, Firmware: 0x35, Hardware: 3, Status: "R", PLLLocked: true, Frequency: 50},
		RoundTrips: RoundTrips{Outcome{Status: Done}, []float64{20, 30}, 12},
		EEPROM:     EEPROM{Outcome{Status: Done}, bytes.Repeat([]byte{0xff}, EEPROMSize)},
		Mains:      Mains{Outcome{Status: Done}, []MainsAnswer{{0, 50, 20}, {2, 49.99, 21}}},
		Streams:    []Stream{s, {Outcome: Outcome{Refused, "no"}, Periods: 2}},
		Capture:    Capture{Outcome{Status: Done}, 2, Answer{Outcome{Status: Done}, []byte("200000")}, Answer{Outcome{Status: Silent}, nil}},
		Card:       Card{Outcome{Status: Done}, "120901.DAT:10/", []Log{{"120901.DAT", 16}}, Beginning{Outcome{Status: Done}, "120901.DAT", []byte{0, 1}}},
	}
}

func text(t *testing.T, f *File) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteRead(t *testing.T) {
	want := example()
	got, err := Read(strings.NewReader(text(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Transformer("bytes", func(b Bytes) string { return string(b) })); diff != "" {
		t.Errorf("unexpected file (-want +got):\n%s", diff)
	}
}

func TestFigures(t *testing.T) {
	s := example().Streams[0]
	// Ten windows: one left out, and three before the last frame, of which one
	// came damaged.
	want := Figures{
		Frames: 6, Seconds: 0.2, Rate: 30, LeftOut: 3, LeftOutShare: 0.3, Damaged: 1, DamagedShare: 0.1,
		Delay: Delays{Median: 2, P95: 9, P99: 9, Max: 9},
	}
	if diff := cmp.Diff(want, s.Figures); diff != "" {
		t.Errorf("unexpected figures (-want +got):\n%s", diff)
	}
	if start := s.Starts[0]; start.Factor() != 7 || !start.PeakRight() {
		t.Errorf("factor %g, peak right %t", start.Factor(), start.PeakRight())
	}
	start := Start{First: Counts{VoltageSquare: 1, VoltagePeak: 10}, Second: Counts{VoltagePeak: 9}}
	if start.Factor() != 0 || start.PeakRight() {
		t.Errorf("factor %g, peak right %t", start.Factor(), start.PeakRight())
	}
	var none Stream
	none.Measure()
	if none.Figures != (Figures{}) {
		t.Errorf("figures of nothing: %+v", none.Figures)
	}
}

// What is no field test, or none of this version, or torn, is told as that.
func TestReadBad(t *testing.T) {
	whole := text(t, example())
	change := func(f func(*File)) string {
		e := example()
		f(e)
		return text(t, e)
	}
	other := errors.New("")
	for name, tt := range map[string]struct {
		text string
		want error // other: neither
		says string
	}{
		"empty":          {"", ErrNoField, ""},
		"a log":          {"0.000\t230.1\t0.5\n", ErrNoField, ""},
		"a number":       {"17", other, "field test: "},
		"other JSON":     {`{"readings": []}`, ErrNoField, `its format is ""`},
		"torn":           {whole[:len(whole)/2], ErrTorn, "after "},
		"torn early":     {whole[:20], ErrTorn, ""},
		"damaged":        {strings.Replace(whole, `"streams": [`, `"streams": `, 1), ErrNoField, ""},
		"no frame":       {strings.Replace(whole, "0 21000 0 0 ", "0 21000 0 ", 1), other, "frame"},
		"no hexadecimal": {strings.Replace(whole, `"323030303030"`, `"zz"`, 1), other, "hexadecimal"},
		"short EEPROM":   {change(func(f *File) { f.EEPROM.Bytes = f.EEPROM.Bytes[:9] }), other, "9 bytes of EEPROM"},
		"generation":     {change(func(f *File) { f.Meter.Generation = 3 }), other, "generation 3"},
		"mains":          {change(func(f *File) { f.Meter.Frequency = 0 }), other, "0 Hz"},
		"answer":         {change(func(f *File) { f.Mains.Answers[0].Hertz = 400 }), other, "400 Hz"},
		"round trip":     {change(func(f *File) { f.RoundTrips.Milliseconds[0] = -1 }), other, "-1 ms"},
		"file":           {change(func(f *File) { f.Card.Files[0].Size = -5 }), other, "-5 bytes"},
		"two streams":    {change(func(f *File) { f.Streams[1].Periods = 1 }), other, "two of them"},
		"back":           {change(func(f *File) { f.Streams[0].Frames[2].Window = 1 }), other, "window 1 after window 1"},
		"early":          {change(func(f *File) { f.Streams[0].Frames[2].Delay = -time.Second }), other, "a delay of -1s"},
		"damaged frames": {change(func(f *File) { f.Streams[0].Frames[2].Damaged = -1 }), other, "-1 damaged"},
		"start":          {change(func(f *File) { f.Streams[0].Starts[0].After = 1e9 }), other, "ms after J"},
		"frequency":      {change(func(f *File) { f.Streams[0].Hertz = 5 }), other, "mains of 5 Hz"},
	} {
		_, err := Read(strings.NewReader(tt.text))
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		case tt.want == other && (errors.Is(err, ErrNoField) || errors.Is(err, ErrTorn)), tt.want != other && !errors.Is(err, tt.want):
			t.Errorf("%s: %v", name, err)
		case !strings.Contains(err.Error(), tt.says):
			t.Errorf("%s: %v, which does not say %q", name, err, tt.says)
		}
	}
	_, err := Read(strings.NewReader(change(func(f *File) { f.Version = 2 })))
	if version, ok := errors.AsType[*VersionError](err); !ok || version.Version != 2 || version.Error() != "a field test of version 2, where this program knows version 1" {
		t.Errorf("another version: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, example()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i := range file.Streams {
			file.Streams[i].Measure()
		}
		if err := Write(&bytes.Buffer{}, file); err != nil {
			t.Error(err)
		}
	})
}
