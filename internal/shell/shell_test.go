package shell

import (
	"os/exec"
	"testing"
)

// What is quoted is one word for a real shell.
func TestJoin(t *testing.T) {
	words := []string{"printf", "%s|", "plain/file.txt", "two words", "it's", "", "$HOME", "a\nb", "*"}
	out, err := exec.Command("sh", "-c", Join(words)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "plain/file.txt|two words|it's||$HOME|a\nb|*|"; string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
	if got := Join([]string{"make", "-j4"}); got != "make -j4" {
		t.Errorf("%q is quoted without need", got)
	}
}
