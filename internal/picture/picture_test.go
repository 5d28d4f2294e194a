package picture

import "testing"

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{
		"x.png": PNG, "a.b/x.SVG": SVG, "x.gif": "", "png": "", "": "", "x.png.": "",
	} {
		if got, err := FormatOf(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
}
