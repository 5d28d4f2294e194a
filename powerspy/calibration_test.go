package powerspy

import (
	"errors"
	"fmt"
	"math"
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

func TestClientCalibration(t *testing.T) {
	eeprom := [256]byte{
		0x02: 0x00, 0x00, 0xA0, 0x3D, 0x6F, 0x12, 0x03, 0x3A, 0xDB, 0x07, 0x0C, 0x1F,
		0x0E: 0x6C, 0x02, 0xA7, 0x3D, 0xCE, 0xDC, 0x0E, 0x3A, 0xDC, 0x07, 0x08, 0x1E,
	}
	steps := synced
	for at := 0x02; at < 0x1A; at++ {
		steps = script(steps, onWant(fmt.Sprintf("<V%02X>", at), fmt.Sprintf("<%02X>\n\r", eeprom[at])))
	}
	got, err := play(t, steps...).Calibration(t.Context())
	if err != nil {
		t.Fatalf("failed to read the calibration: %v", err)
	}
	want := Calibrations{
		Factory: Calibration{0.078125, float64(float32(0.0005)), Date{2011, time.December, 31}},
		Current: golden,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("unexpected calibrations (-want +got):\n%s", diff)
	}
}
