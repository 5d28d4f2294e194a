package powerspy

import (
	"errors"
	"testing"
	"time"
)

func TestParseClock(t *testing.T) {
	tests := []struct {
		text string
		want string // empty if there is no such time
	}{
		{"0C081E101621", "2012-08-30 16:22:33"},
		{"0C081F101600", "2012-08-31 16:22:00"},
		{"000101000000", "2000-01-01 00:00:00"},
		{"FF0C1F173B3B", "2255-12-31 23:59:59"},
		{"10021D000000", "2016-02-29 00:00:00"},
		{"0D021D000000", ""}, // 2013-02-29
		{"0C000F000000", ""},
		{"0C0D0F000000", ""},
		{"0C0800000000", ""},
		{"0C081E180000", ""},
		{"0C081E003C00", ""},
		{"0C081E00003C", ""},
		{"FFFFFFFFFFFF", ""},
	}
	for _, tt := range tests {
		f, ok := parseClock([]byte(tt.text))
		if !ok {
			t.Errorf("%s was not understood", tt.text)
			continue
		}
		got, ok := f.in(time.UTC)
		if ok != (tt.want != "") || ok && got.Format(time.DateTime) != tt.want {
			t.Errorf("%s: unexpected time: %v, %t, want %s", tt.text, got, ok, tt.want)
		}
	}
	for _, text := range []string{"", "K", "0C081E10162", "0C081E1016210", "0c081e101621", "120906.DAT:0"} {
		if f, ok := parseClock([]byte(text)); ok {
			t.Errorf("%q was read as %v", text, f)
		}
	}
}

// A time that does not exist is an answer that was not understood, with its bytes.
func TestClockOdd(t *testing.T) {
	c := play(t, script(met, onWant("<G>", "<0D021D000000>"), onWant("<G>", "<0C081E101621>"))...)
	_, err := c.Clock(t.Context(), time.UTC)
	var answer *AnswerError
	if !errors.As(err, &answer) || string(answer.Answer) != "0D021D000000" {
		t.Errorf("unexpected error: %v", err)
	}
	loc := time.FixedZone("", 2*3600)
	if got, err := c.Clock(t.Context(), loc); err != nil || !got.Equal(time.Date(2012, 8, 30, 14, 22, 33, 0, time.UTC)) {
		t.Errorf("unexpected time: %v, %v", got, err)
	}
}

func TestLogPeriod(t *testing.T) {
	c := play(t, script(met, twice("<V1A>", "<88>"), twice("<V1B>", "<13>"), onWant("<M0000>", "<K.>"))...)
	if got, err := c.LogPeriod(t.Context()); got != 5000 || err != nil {
		t.Errorf("unexpected period: %d, %v", got, err)
	}
	if err := c.SetLogPeriod(t.Context(), 0); err != nil {
		t.Errorf("failed to set: %v", err)
	}
	if _, err := play(t, meets(V1)...).LogPeriod(t.Context()); !errors.Is(err, ErrNotSupported) {
		t.Errorf("unexpected error: %v, want %v", err, ErrNotSupported)
	}
}
