package harmless

import "testing"

func TestJSON(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"a": "Zähler ⚡ \n"}`, `{"a": "Zähler ⚡ \n"}`},
		{"{\n  \"a\": \"\x7f\"\n}\n", "{\n  \"a\": \"\\u007f\"\n}\n"},
		{"\"a\u202eb\u0085\"", `"a\u202eb\u0085"`},
		{"\"\U000e0041\"", `"\udb40\udc41"`},
	} {
		if got := string(JSON([]byte(tt.in))); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}
