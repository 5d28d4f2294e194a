package powerspy

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// golden is the calibration of a real meter.
var golden = decodeCalibration([calibrationSize]byte{
	0x6C, 0x02, 0xA7, 0x3D, // voltage scale
	0xCE, 0xDC, 0x0E, 0x3A, // current scale
	0xDC, 0x07, 0x08, 0x1E, // 2012, August, 30
})

func TestCalibrationGolden(t *testing.T) {
	want := Calibration{
		Voltage: 0.08154758810997009,
		Current: 0.0005449772579595447,
		Date:    Date{2012, time.August, 30},
	}
	if diff := cmp.Diff(want, golden); diff != "" {
		t.Fatalf("unexpected calibration (-want +got):\n%s", diff)
	}
	f, err := ParseFrame([]byte(goldenFrame))
	if err != nil {
		t.Fatalf("failed to parse: %v", err)
	}
	m := golden.Convert(f)
	got := fmt.Sprintf("%.6f V %.9f A %.6f W %.6f V %.9f A", m.Voltage, m.Current, m.Power, m.VoltagePeak, m.CurrentPeak)
	const text = "230.702292 V 0.783166072 A 171.140440 W 326.924281 V 1.493782664 A"
	if got != text {
		t.Fatalf("unexpected measurement: %s, want %s", got, text)
	}
}

func TestConvertNegativePower(t *testing.T) {
	m := golden.Convert(Frame{Power: -16})
	if want := -16 * golden.Voltage * golden.Current; m.Power != want || m.Voltage != 0 || m.Current != 0 {
		t.Fatalf("unexpected measurement: %+v, want power %g", m, want)
	}
}

func TestInForce(t *testing.T) {
	other := Calibration{Voltage: 0.08, Current: 0.0005}
	bad := func(voltage, current float64) Calibration { return Calibration{Voltage: voltage, Current: current} }
	tests := []struct {
		name    string
		current Calibration
		factory Calibration
		want    Calibration
		used    bool // the factory's
		err     error
	}{
		{name: "both", current: golden, factory: other, want: golden},
		{name: "no factory", current: golden, factory: bad(math.NaN(), math.NaN()), want: golden},
		{name: "blank current", current: bad(math.NaN(), math.NaN()), factory: other, want: other, used: true},
		{name: "zero", current: bad(0, 0), factory: other, want: other, used: true},
		{name: "one zero", current: bad(0.08, 0), factory: other, want: other, used: true},
		{name: "negative", current: bad(-0.08, 0.0005), factory: other, want: other, used: true},
		{name: "infinite", current: bad(0.08, math.Inf(1)), factory: other, want: other, used: true},
		{name: "denormal", current: bad(1.4e-45, 0.0005), factory: other, want: other, used: true},
		{name: "huge", current: bad(0.08, 1e30), factory: other, want: other, used: true},
		{name: "neither", current: bad(0, 0), factory: bad(0, 0), err: ErrUncalibrated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, used, err := Calibrations{Factory: tt.factory, Current: tt.current}.InForce()
			if got != tt.want || used != tt.used || !errors.Is(err, tt.err) {
				t.Fatalf("unexpected result: %+v, %v, %v, want %+v, %v, %v", got, used, err, tt.want, tt.used, tt.err)
			}
		})
	}
}

func TestDate(t *testing.T) {
	tests := []struct {
		date Date
		want string
	}{
		{Date{2012, time.August, 30}, "2012-08-30"},
		{Date{2012, time.February, 29}, "2012-02-29"},
		{Date{2013, time.February, 29}, "unknown"},
		{Date{2012, 13, 1}, "unknown"},
		{Date{0xFFFF, 0xFF, 0xFF}, "unknown"},
		{Date{}, "unknown"},
	}
	for _, tt := range tests {
		if got := tt.date.String(); got != tt.want {
			t.Errorf("%#v: %q, want %q", tt.date, got, tt.want)
		}
	}
}

// A digit that is damaged on the way makes no other calibration, whichever it
// is, and what is remembered spares the second readings.
func TestClientCalibration(t *testing.T) {
	eeprom := [256]byte{
		0x02: 0x00, 0x00, 0xA0, 0x3D, 0x6F, 0x12, 0x03, 0x3A, 0xDB, 0x07, 0x0C, 0x1F,
		0x0E: 0x6C, 0x02, 0xA7, 0x3D, 0xCE, 0xDC, 0x0E, 0x3A, 0xDC, 0x07, 0x08, 0x1E,
	}
	want := Calibrations{
		Factory: Calibration{0.078125, float64(float32(0.0005)), Date{2011, time.December, 31}},
		Current: golden,
	}
	other := Calibrations{Factory: golden, Current: golden}
	none := func(int, int) bool { return false }
	const bytes = 2 * calibrationSize
	tests := []struct {
		name       string
		remembered *Calibrations
		damaged    func(addr, reading int) bool // counted from 0
		reads      int
		err        error
	}{
		{"two readings", nil, none, 2 * bytes, nil},
		{"the byte that doubles the voltage", nil, func(addr, n int) bool { return addr == 0x11 && n == 0 }, 2*bytes + 1, nil},
		{"each first reading", nil, func(_, n int) bool { return n == 0 }, 3 * bytes, nil},
		{"each second reading", nil, func(_, n int) bool { return n == 1 }, 3 * bytes, nil},
		{"remembered", &want, none, bytes, nil},
		{"remembered, a reading damaged", &want, func(addr, n int) bool { return addr == 0x11 && n == 0 }, bytes + 1, nil},
		{"calibrated since", &other, none, 2*bytes - calibrationSize - 1 /* 0x07 of the year */ - 1 /* 0x3D */ - 1 /* 0x3A */, nil},
		{"every reading", nil, func(int, int) bool { return true }, readings, ErrNotUnderstood},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			count := map[int]int{}
			reads := 0
			c := respond(t, func(request string) string {
				if request == "<?>" {
					return "<" + v2Identity + ">\n\r"
				}
				v, ok := parseHex([]byte(request[2:4]))
				if request[:2] != "<V" || !ok {
					return "<Z>"
				}
				b := eeprom[v]
				if n := count[int(v)]; tt.damaged(int(v), n) {
					b ^= 1 << n
				}
				count[int(v)]++
				reads++
				return fmt.Sprintf("<%02X>\n\r", b)
			})
			got, err := c.Calibration(t.Context(), tt.remembered)
			if !errors.Is(err, tt.err) {
				t.Fatalf("unexpected error: %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(want, got); err == nil && diff != "" {
				t.Errorf("unexpected calibrations (-want +got):\n%s", diff)
			}
			if reads != tt.reads {
				t.Errorf("%d readings, want %d", reads, tt.reads)
			}
		})
	}
}

// What is remembered is remembered to the bit, also of blank EEPROM.
func TestCalibrationsText(t *testing.T) {
	for _, text := range []string{
		"0000a03d6f12033adb070c1f6c02a73dcedc0e3adc07081e",
		strings.Repeat("f", 48),
		strings.Repeat("0", 48),
	} {
		var cals Calibrations
		if err := cals.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, err := cals.MarshalText(); string(got) != text || err != nil {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "00", strings.Repeat("0", 46), strings.Repeat("0", 50), strings.Repeat("g", 48)} {
		cals := Calibrations{Current: golden}
		if err := cals.UnmarshalText([]byte(text)); !errors.Is(err, ErrNotUnderstood) || cals.Current != golden {
			t.Errorf("%q was read as %+v, %v", text, cals, err)
		}
	}
}

// The bounds of what is believed: no meter of the mains has other full scales.
func TestSane(t *testing.T) {
	for _, tt := range []struct {
		voltage, current float64
		want             bool
	}{
		{golden.Voltage, golden.Current, true},
		{2 * golden.Voltage, 2 * golden.Current, true}, // generation V2 has one of these
		{0.016, 0.00016, true}, {0.3, 0.006, true},
		{0.015, golden.Current, false}, {0.31, golden.Current, false},
		{golden.Voltage, 0.00015, false}, {golden.Voltage, 0.0062, false},
		{1e3, 1e3, false}, // 2 PW
		{1e-6, 1e-6, false},
	} {
		if got := (Calibration{Voltage: tt.voltage, Current: tt.current}).Sane(); got != tt.want {
			t.Errorf("%g V and %g A a count: %v", tt.voltage, tt.current, got)
		}
	}
}

// FuzzCalibrationsText reads arbitrary text: what is read is written again just so.
func FuzzCalibrationsText(f *testing.F) {
	f.Add([]byte("0000a03d6f12033adb070c1f6c02a73dcedc0e3adc07081e"))
	f.Add([]byte(strings.Repeat("f", 48)))
	f.Add([]byte("0100807f0100807f0000000001000080010080ff00000000")) // not numbers, denormal
	f.Fuzz(func(t *testing.T, text []byte) {
		var cals, again Calibrations
		if cals.UnmarshalText(text) != nil {
			return
		}
		written, err := cals.MarshalText()
		if err != nil || again.UnmarshalText(written) != nil {
			t.Fatalf("%q became %q, %v", text, written, err)
		}
		if cal, _, err := cals.InForce(); err == nil && !cal.Sane() {
			t.Errorf("%q: %+v", text, cal)
		}
	})
}
