package shell

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSplit: the words are those that a real shell makes, where it expands nothing.
func TestSplit(t *testing.T) {
	for _, line := range []string{
		`ls -l`, `  a	b  `, `'one word' two`, `"it's"`, `a'b'"c"d`, `''`, `"" x ''`, `a\ b`, `\'`, `"a\"b\\c\d"`, `'a\b'`, "a\\\nb", "\"a\\\nb\"", `é"ü"`, `a=b`, Quote("it's \"so\"\n"),
	} {
		got, err := Split(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		out, err := exec.Command("sh", "-c", `printf '%s\0' `+line).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	for line, want := range map[string]error{`'a`: ErrQuote, `a "b`: ErrQuote, ``: ErrNone, " \t\n": ErrNone} {
		if got, err := Split(line); !errors.Is(err, want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
	// What only a shell understands stands for itself.
	if got, err := Split(`echo $HOME > x; a|b #c`); err != nil || !slices.Equal(got, []string{"echo", "$HOME", ">", "x;", "a|b", "#c"}) {
		t.Errorf("%q, %v", got, err)
	}
}
