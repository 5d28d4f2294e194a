package harmless

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"PowerSpy 4567", "PowerSpy 4567"},
		{`a\b "c" 'd'`, `a\b "c" 'd'`},
		{"Zähler Küche 電力計 ⚡ e\u0301", "Zähler Küche 電力計 ⚡ e\u0301"},
		{"PowerSpy \x1b[2J\a\nroot:", `PowerSpy \x1b[2J\a\nroot:`},
		{"\x00\x7f\u0080\u009b", `\x00\x7f\u0080\u009b`},
		{"Power\xffSpy\xc3", `Power\xffSpy\xc3`},
		{"a\u202eb\u2066c\u200fd\u061c", `a\u202eb\u2066c\u200fd\u061c`},
		{"zero\u200bwidth\ufeff\u00ad", `zero\u200bwidth\ufeff\u00ad`},
		{"line\u2028paragraph\u2029", `line\u2028paragraph\u2029`},
		{"tag\U000e0041", `tag\U000e0041`},
		{"\ufffd", "\ufffd"},
	}
	for _, tt := range tests {
		got := Text(tt.in)
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
		if changed := got != tt.in; changed != (Check(tt.in) != nil) {
			t.Errorf("%q: Check says %v", tt.in, Check(tt.in))
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"PowerSpy \x1b[2J", "\xff\u202e", "\u00a0\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if err := Check(got); err != nil || Text(got) != got {
			t.Errorf("%q became %q: %v", s, got, err)
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\a\x00\u202e\u2028") {
			t.Errorf("%q became %q", s, got)
		}
	})
}
