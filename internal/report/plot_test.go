package report

import (
	"slices"
	"testing"
	"time"
)

// TestClockTicks: ticks are round times of the clock on the wall, also where that
// changes, and not more than there is room for.
func TestClockTicks(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", text, paris)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		from string
		d    time.Duration
		want []string
	}{
		{"2026-03-04 13:59:30", time.Hour, []string{"14:00", "14:10", "14:20", "14:30", "14:40", "14:50"}},
		{"2026-03-04 13:59:59", 4 * time.Second, []string{"13:59:59", "14:00:00", "14:00:01", "14:00:02", "14:00:03"}},
		{"2026-03-04 23:59:59", 20 * time.Millisecond, []string{"23:59:59.000", "23:59:59.005", "23:59:59.010", "23:59:59.015", "23:59:59.020"}},
		{"2026-03-28 21:00:00", 24 * time.Hour, []string{"21:00", "00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"}},
		{"2026-03-28 21:00:00", 5 * 24 * time.Hour, []string{"03-29", "03-30", "03-31", "04-01", "04-02"}},
	} {
		from := at(tt.from)
		var labels []string
		for _, tick := range (clockTicks{from}).Ticks(0, tt.d.Seconds()) {
			labels = append(labels, tick.Label)
			if tick.Value < 0 || tick.Value > tt.d.Seconds() {
				t.Errorf("%s, %v: a tick at %g", tt.from, tt.d, tick.Value)
			}
		}
		if !slices.Equal(labels, tt.want) {
			t.Errorf("%s, %v: %q, want %q", tt.from, tt.d, labels, tt.want)
		}
	}
}
