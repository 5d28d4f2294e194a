package figures

import (
	"testing"
	"time"
)

func TestWithUncertainty(t *testing.T) {
	for _, tt := range []struct {
		v, u float64
		want string
	}{
		{208.1234, 0.2411, "208.12 J +- 0.24 J"},
		{0.0578101, 0.0000682, "0.057810 J +- 0.000068 J"},
		{12345.678, 150, "12346 J +- 150 J"},
		{1e6, 1e-6, "1000000 J +- 0 J"},
		{5, 0, "5.000 J +- 0.000 J"},
		{-1e-9, 0.0000078, "0.0000000 J +- 0.0000078 J"},
	} {
		if got := WithUncertainty(tt.v, tt.u, "J"); got != tt.want {
			t.Errorf("%g, %g: %q, want %q", tt.v, tt.u, got, tt.want)
		}
	}
}

func TestSignificant(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.2345: "1.23", 12345: "12345", 0.00001234: "0.0000123", -1234567: "-1234567", 1e12: "1e+12"} {
		if got := Significant(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1500 * time.Microsecond: "1.5 ms", 4132 * time.Millisecond: "4.132 s", 90 * time.Second: "90.0 s (1m30s)",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
