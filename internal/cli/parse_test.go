package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testProgram has flags and commands of each kind. What it runs is written down
// in got.
func testProgram(out *strings.Builder, vars map[string]string, got *string) *Program {
	global := []*Flag{
		{Name: "device", Aliases: []string{"d"}, Env: "DEVICE", Takes: Text{}, Usage: "the `METER`"},
		{Name: "verbose", Aliases: []string{"v", "debug"}, Category: "Every command", Usage: "say more"},
		{Name: "quiet", Aliases: []string{"q"}, Category: "Every command", Usage: "say less"},
	}
	record := func(c *Context) error {
		var b strings.Builder
		b.WriteString(c.Command.Words())
		for _, f := range c.Command.Flags {
			if c.IsSet(f.Name) {
				fmt.Fprintf(&b, " %s=%v", f.Name, c.set[f.Name].values)
			}
		}
		for _, a := range c.Args() {
			fmt.Fprintf(&b, " %q", a)
		}
		*got = b.String()
		return nil
	}
	flags := func(own ...*Flag) []*Flag { return append(own, global...) }
	p := &Program{
		Name: "prog", Usage: "test", Version: "1", Flags: global, Stdout: out, Getenv: func(k string) string { return vars[k] },
		Unexpected: func(_ *Command, arg string) string {
			return map[bool]string{true: "give it as --device"}[arg == "sim:"]
		},
	}
	p.Commands = []*Command{
		{Name: "measure", Usage: "measure it", Action: record, Flags: flags(
			&Flag{Name: "interval", Aliases: []string{"i"}, Takes: Duration{Examples: "250ms, 1s, 10s"}, Usage: "every `TIME`"},
			&Flag{Name: "count", Aliases: []string{"n"}, Takes: Count{Min: 1}, Usage: "`N` times"},
			&Flag{Name: "unit", Takes: Choice{"W", "mW", "J"}, Usage: "in `UNIT`"},
			&Flag{Name: "summary", Usage: "sum up"},
			&Flag{Name: "tag", Aliases: []string{"t"}, Takes: Text{}, Repeats: true, Usage: "a `TAG`"},
		)},
		{Name: "get", Usage: "get it", Action: record, Flags: flags(),
			Args: []Arg{{Name: "NAME", What: "the name of a file"}, {Name: "FILE", What: "a file", Optional: true, Takes: File{}}}},
		{Name: "put", Usage: "put it", Action: record, Flags: flags(), Args: []Arg{{Name: "N", What: "numbers", Takes: Count{Min: 0, Max: 9}, Repeats: true}}},
		{Name: "wait", Usage: "wait", Action: record, Args: []Arg{{Name: "TIME", What: "a time", Takes: Duration{}}}},
		{Name: "run", Usage: "run it", Action: record, ArgsEndFlags: true, Flags: flags(),
			Args: []Arg{{Name: "COMMAND", What: "a command"}, {Name: "ARG", Optional: true, Repeats: true}}},
		{Name: "bench", Usage: "compare", Action: record, Args: []Arg{{Name: "COMMAND", What: "commands", Repeats: true}}, Flags: []*Flag{
			{Name: "parameter-scan", Aliases: []string{"P"}, Takes: Text{}, Values: 3, Usage: "`VAR MIN MAX`"},
			{Name: "ignore-failure", Aliases: []string{"i"}, Takes: Text{}, Optional: true, Usage: "`CODES`"},
			{Name: "runs", Aliases: []string{"r"}, Takes: Count{Min: 1}, Usage: "`N`"},
		}},
		{Name: "clock", Usage: "the clock", Category: "Functions", Flags: global, Commands: []*Command{
			{Name: "get", Usage: "get it", Action: record, Flags: flags()},
			{Name: "set", Usage: "set it", Action: record, Flags: flags()},
		}},
		{Name: "bare", Usage: "nothing", Action: record},
		p.HelpCommand(),
	}
	return p
}

func TestForms(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"measure", "measure"},
		{"measure -n 1", "measure count=[1]"},
		{"measure -n1", "measure count=[1]"},
		{"measure -n=1", "measure count=[1]"},
		{"measure --count 1", "measure count=[1]"},
		{"measure --count=1", "measure count=[1]"},
		{"measure -qn1", "measure count=[1] quiet=[true]"},
		{"measure -qvn 1 -i1s", "measure interval=[1s] count=[1] verbose=[true] quiet=[true]"},
		{"measure --summary=false -q=true", "measure summary=[false] quiet=[true]"},
		{"measure -t a --tag b -tc", "measure tag=[a b c]"},
		// Global flags on both sides.
		{"-d a measure", "measure device=[a]"},
		{"--device=a measure -q", "measure device=[a] quiet=[true]"},
		{"-qd a measure", "measure device=[a] quiet=[true]"},
		{"measure --debug", "measure verbose=[true]"},
		{"-v clock -q set -da", "clock set device=[a] verbose=[true] quiet=[true]"},
		{"-q bare", "bare"}, // where it means nothing
		// Arguments before, between and after.
		{"get NAME -q", `get quiet=[true] "NAME"`},
		{"get -q NAME FILE", `get quiet=[true] "NAME" "FILE"`},
		{"get NAME -d x FILE", `get device=[x] "NAME" "FILE"`},
		{"get -- -q", `get "-q"`},
		{"get NAME -- --", `get "NAME" "--"`},
		{"get -", `get "-"`},
		{"-- get -q", `get "-q"`},
		{"put 1 2 3 -q 4", `put quiet=[true] "1" "2" "3" "4"`},
		// The first argument ends the flags.
		{"run -q ls -l -q", `run quiet=[true] "ls" "-l" "-q"`},
		{"run -q -- ls -- -l", `run quiet=[true] "ls" "--" "-l"`},
		{"run ls --device x", `run "ls" "--device" "x"`},
		// Several values, and one that may be left out.
		{"bench -P n 1 10 sort -r 5", `bench parameter-scan=[n 1 10] runs=[5] "sort"`},
		{"bench -i cat", `bench ignore-failure=[] "cat"`},
		{"bench -i=1,2 cat", `bench ignore-failure=[1,2] "cat"`},
		{"bench cat --ignore-failure=1", `bench ignore-failure=[1] "cat"`},
		{"bench -ir5 cat", `bench ignore-failure=[] runs=[5] "cat"`},
	} {
		var got string
		if err := testProgram(&strings.Builder{}, nil, &got).Run(t.Context(), strings.Fields("prog "+tt.line)); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.line, got, err, tt.want)
		}
	}
}

// A group that does something without one of its commands needs none.
func TestGroupWithAction(t *testing.T) {
	ran := ""
	do := func(c *Context) error { ran += c.Command.Words() + "\n"; return nil }
	p := &Program{Name: "prog", Getenv: func(string) string { return "" }, Commands: []*Command{
		{Name: "meters", Action: do, Commands: []*Command{{Name: "list", Action: do}}},
	}}
	for _, args := range [][]string{{"prog", "meters"}, {"prog", "meters", "list"}} {
		if err := p.Run(t.Context(), args); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	if ran != "meters\nmeters list\n" {
		t.Errorf("ran %q", ran)
	}
	if err := p.Run(t.Context(), []string{"prog", "meters", "wat"}); err == nil {
		t.Error("an unknown command was taken")
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct{ line, text, help string }{
		{"mesure", `there is no command "mesure" (did you mean measure?)`, "prog help"},
		{"clock gte", `there is no command "clock gte" (did you mean get?)`, "prog clock --help"},
		{"clock", "clock needs one of get, set", "prog clock --help"},
		{"--colour measure", "there is no flag --colour", "prog --help"},
		{"measure --untt W", "there is no flag --untt (did you mean --unit?)", "prog measure --help"},
		{"measure --n 1", "there is no flag --n", "prog measure --help"},
		{"measure -x", "there is no flag -x", "prog measure --help"},
		{"measure -qx", "there is no flag -x", "prog measure --help"},
		{"measure -qé", "there is no flag -é", "prog measure --help"},
		{"bare -q", "there is no flag -q", "prog bare --help"},
		{"measure --unit", "--unit needs a value", "prog measure --help"},
		{"measure --unit --count 1", "--unit needs a value", "prog measure --help"},
		{"measure -qn", "-n needs a value", "prog measure --help"},
		{"bench -P n 1", "-P needs 3 values, VAR MIN MAX", "prog bench --help"},
		{"measure -debug", "write -debug with two dashes: --debug", "prog measure --help"},
		{"measure -count=1", "write -count with two dashes: --count", "prog measure --help"},
		// Twice.
		{"measure -n 1 -n 2", "-n is given twice", "prog measure --help"},
		{"measure -n 1 --count 1", "-n and --count are the same flag; give one of them", "prog measure --help"},
		{"-q measure -q", "-q is given twice", "prog measure --help"},
		{"-d a measure --device b", "-d and --device are the same flag; give one of them", "prog measure --help"},
		// Values.
		{"measure -i x", `invalid duration "x" for -i; use for example 250ms, 1s`, "prog measure --help"},
		{"measure --interval 20", `invalid duration "20" for --interval: its unit is missing; use for example 250ms, 1s`, "prog measure --help"},
		{"measure --interval -1s", `invalid duration "-1s" for --interval: it is negative; use for example 250ms, 1s`, "prog measure --help"},
		{"measure --interval 0s", `invalid duration "0s" for --interval: it is zero; use for example 250ms, 1s`, "prog measure --help"},
		{"measure --count few", `invalid number "few" for --count; use a whole number, 1 or more`, "prog measure --help"},
		{"measure --unit kW", `invalid value "kW" for --unit; use W, mW or J`, "prog measure --help"},
		{"measure --summary=maybe", `invalid value "maybe" for --summary; use true or false`, "prog measure --help"},
		{"measure --device=", "--device is empty; is the variable that it comes from set?", "prog measure --help"},
		// Arguments.
		{"measure now", `unexpected argument "now"`, "prog measure --help"},
		{"measure sim:", `unexpected argument "sim:"; give it as --device`, "prog measure --help"},
		{"get", "get needs the name of a file", "prog get --help"},
		{"get a b c", `unexpected argument "c"`, "prog get --help"},
		{"put", "put needs numbers", "prog put --help"},
		{"put 1 10", `invalid number "10" for N; use a whole number from 0 to 9`, "prog put --help"},
		{"put -5", `invalid number "-5" for N; use a whole number from 0 to 9`, "prog put --help"},
		{"wait -1s", `invalid duration "-1s" for TIME: it is negative; use for example 500ms, 10s`, "prog wait --help"},
		{"run", "run needs a command", "prog run --help"},
		{"help measure more", `unexpected argument "more"`, "prog help --help"},
		{"help nonsense", `there is no command or topic "nonsense"`, "prog help"},
	} {
		got := "nothing ran"
		out := &strings.Builder{}
		err := testProgram(out, nil, &got).Run(t.Context(), strings.Fields("prog "+tt.line))
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%s: got %v, %q", tt.line, err, got)
			continue
		}
		if usage.Text != tt.text || usage.Help != tt.help {
			t.Errorf("%s: got %q, %q, want %q, %q", tt.line, usage.Text, usage.Help, tt.text, tt.help)
		}
		if got != "nothing ran" || out.Len() > 0 {
			t.Errorf("%s: ran %q, printed %q", tt.line, got, out)
		}
	}
	var got string
	err := testProgram(&strings.Builder{}, nil, &got).Run(t.Context(), []string{"prog", "get", ""})
	if want := "get needs the name of a file, and NAME is empty"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A variable stands for a flag that was not given.
func TestVariable(t *testing.T) {
	vars := map[string]string{"DEVICE": "here"}
	for _, tt := range []struct{ line, want string }{
		{"measure", "measure device=[here]"},
		{"measure -d there", "measure device=[there]"},
		{"-d there measure", "measure device=[there]"},
		{"bare", "bare"},
	} {
		var got string
		if err := testProgram(&strings.Builder{}, vars, &got).Run(t.Context(), strings.Fields("prog "+tt.line)); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.line, got, err, tt.want)
		}
	}
	vars["DEVICE"] = "" // is none
	var got string
	if err := testProgram(&strings.Builder{}, vars, &got).Run(t.Context(), []string{"prog", "measure"}); err != nil || got != "measure" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTypes(t *testing.T) {
	for _, tt := range []struct {
		takes Type
		text  string
		want  any // nil: an error
	}{
		{Duration{}, "1m30s", 90 * time.Second},
		{Duration{}, "1.5h", 90 * time.Minute},
		{Duration{}, "10", nil},
		{Duration{}, "0", nil},
		{Duration{}, "NaN", nil},
		{Duration{}, "1e400h", nil},
		{Duration{Zero: true}, "0", time.Duration(0)},
		{Duration{Zero: true}, "0s", time.Duration(0)},
		{Duration{Bare: time.Millisecond}, "250", 250 * time.Millisecond},
		{Duration{Bare: time.Millisecond}, "0.5", 500 * time.Microsecond},
		{Duration{Bare: time.Millisecond}, "1s", time.Second},
		{Duration{Bare: time.Millisecond}, "-250", nil},
		{Count{Min: 1}, "5", 5},
		{Count{Min: 1}, "0", nil},
		{Count{Min: 1}, "1.5", nil},
		{Count{Max: 9}, "10", nil},
		{Count{Min: 1}, "99999999999999999999", nil},
		{Number{}, "2.5", 2.5},
		{Number{}, "0", nil},
		{Number{}, "NaN", nil},
		{Number{}, "Inf", nil},
		{Choice{"a", "b"}, "b", "b"},
		{Choice{"a", "b"}, "B", nil},
		{Text{}, "x", "x"},
		{Text{}, "", nil},
		{onOff{}, "false", false},
		{onOff{}, "maybe", nil},
	} {
		got, err := tt.takes.Parse(tt.text)
		if !cmp.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%#v of %q: got %v, %v, want %v", tt.takes, tt.text, got, err, tt.want)
		}
	}
}

func TestClosest(t *testing.T) {
	commands := []string{"measure", "setup", "scan", "info", "doctor", "sim", "completion"}
	for slip, want := range map[string]string{
		"mesure": "measure", "meas": "measure", "measrue": "measure", "Doctor": "doctor", "inf": "info",
		"setpu": "setup", "xyz": "", "": "", "reading": "", "scam": "scan",
	} {
		if got := closest(slip, commands); got != want {
			t.Errorf("%q: got %q, want %q", slip, got, want)
		}
	}
}
