package screen_test

import (
	"testing"

	"powerspy2/internal/screen"
)

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"powerspy", 0, "powerspy"},
		{"powerspy", 8, "powerspy"},
		{"powerspy", 7, "powe..."},
		{"powerspy", 2, ".."},
		{"功率計", 6, "功率計"},
		{"功率計", 5, "功..."},
		{"e\u0301e\u0301e\u0301e\u0301", 4, "e\u0301e\u0301e\u0301e\u0301"},
	} {
		if got := screen.Fit(tt.text, tt.columns); got != tt.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
	if got := screen.FitLines("a long line\nshort\n", 9); got != "a lon...\nshort\n" {
		t.Errorf("lines: %q", got)
	}
}
