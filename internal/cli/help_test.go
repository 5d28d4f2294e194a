package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func printed(t *testing.T, args ...string) string {
	t.Helper()
	out, got := &strings.Builder{}, ""
	if err := testProgram(out, nil, &got).Run(t.Context(), append([]string{"prog"}, args...)); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	if got != "" {
		t.Errorf("%q: ran %s", args, got)
	}
	return out.String()
}

func TestHelp(t *testing.T) {
	want := `NAME:
   prog get - get it

USAGE:
   prog get [options] NAME [FILE]

OPTIONS:
   -d, --device METER         the METER [$DEVICE]
   -h, --help                 show help

EVERY COMMAND:
   -v, --verbose, --debug     say more
   -q, --quiet                say less
`
	for _, args := range [][]string{{"get", "--help"}, {"get", "-h"}, {"get", "NAME", "-qh"}, {"help", "get"}} {
		if diff := cmp.Diff(want, printed(t, args...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
	for _, args := range [][]string{{"clock", "help", "get"}, {"help", "clock", "get"}, {"clock", "get", "--help"}} {
		if got := printed(t, args...); !strings.HasPrefix(got, "NAME:\n   prog clock get - get it\n") {
			t.Errorf("%q: got %s", args, got)
		}
	}
	if got := printed(t); got != printed(t, "help") || !strings.Contains(got, "GLOBAL OPTIONS:\n   -d") {
		t.Errorf("got %s", got)
	}
	if got := printed(t); !strings.Contains(got, "   bare     nothing\n   help     list the commands, or explain one, or a topic\n\n   Functions:\n   clock    the clock\n\n") {
		t.Errorf("got %s", got)
	}
	if got := printed(t, "--version"); got != "prog 1\n" {
		t.Errorf("got %s", got)
	}
	if got := printed(t, "run", "--help"); !strings.Contains(got, "prog run [options] [--] COMMAND [ARG...]\n") {
		t.Errorf("got %s", got)
	}
}

func TestFilled(t *testing.T) {
	b := &strings.Builder{}
	entry(b, "   -x, --long-name VALUE", "one two three", 12, 20)
	entry(b, "   -y", "four five six", 12, 20)
	b.WriteString(indented("a b\nc\n\n    as typed\nd\n"))
	want := `   -x, --long-name VALUE
            one two
            three
   -y       four
            five six
   a b c

       as typed
   d
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{[]string{"mea"}, "measure get put wait run bench clock bare help"},
		{[]string{"clock", ""}, "get set"},
		{[]string{"-q", "-d", "x", "clock", ""}, "get set"},
		{[]string{"clock", "frob", ""}, ""},
		{[]string{"measure", "--uni"}, "--unit"},
		{[]string{"measure", "--unit", ""}, "W mW J"},
		{[]string{"measure", "--unit=m"}, "--unit=mW"},
		{[]string{"measure", "-qi", ""}, "250ms 1s 10s"},
		{[]string{"measure", "--summary="}, "--summary=true --summary=false"},
		{[]string{"measure", "--summary", ""}, ""},
		{[]string{"measure", "--count", "x", "--uni"}, "--unit"}, // what is wrong is told later
		{[]string{"measure", "--", "-"}, ""},
		{[]string{"bench", "-P", "n", "1", ""}, ""},
		{[]string{"bench", "-P", "n", "1", "2", "-r"}, "-r"},
		{[]string{"wait", ""}, "500ms 10s 1h"},
		{[]string{"wait", "1s", ""}, ""},
		{[]string{"help", ""}, "measure get put wait run bench clock bare help"},
		{[]string{"help", "clock", ""}, "get set"},
		{[]string{"clock", "help", ""}, "get set"},
		{[]string{"run", "ls", "--devi"}, ""},
	} {
		got := strings.Join(strings.Fields(printed(t, append(tt.words, completeFlag)...)), " ")
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.words, got, tt.want)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Whatever is printed, an error of printing it is told.
func TestPrintFails(t *testing.T) {
	full := errors.New("full")
	for _, args := range [][]string{nil, {"--help"}, {"--version"}, {"help", "get"}, {"clock", "", completeFlag}, {"measure", "--unit", "", completeFlag}} {
		got := ""
		p := testProgram(nil, nil, &got)
		p.Stdout = failing{full}
		if err := p.Run(t.Context(), append([]string{"prog"}, args...)); !errors.Is(err, full) {
			t.Errorf("%q: got %v, want %v", args, err, full)
		}
	}
}
