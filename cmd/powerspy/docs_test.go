package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// pages returns the paths of the pages for users.
func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(list, "../../README.md", "../../scripts/green-metrics-tool/README.md")
}

// Every command line that a page shows names commands and flags that exist.
func TestCommandLinesOfPages(t *testing.T) {
	root := newApp(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	root.Setup()
	checked := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		shell, _ := blocks(string(text))
		for _, line := range shell {
			words := strings.Fields(line)
			i := slices.IndexFunc(words, func(w string) bool { return w == "powerspy" || strings.HasSuffix(w, "/powerspy") })
			switch {
			case i < 0, i+1 == len(words), // not named, or alone
				i > 0 && strings.HasPrefix(words[i-1], "-"), // the value of another program's flag
				words[0] == "go" && words[1] == "build":
				continue
			}
			checked++
			if wrong := wrongIn(root, words[i+1:]); wrong != "" {
				t.Errorf("%s: %s: %s", filepath.Base(page), wrong, line)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d command lines were found", checked)
	}
}

// So does every one that a help text or a topic shows.
func TestCommandLinesOfHelp(t *testing.T) {
	root := newApp(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	root.Setup()
	texts := map[string]string{"powerspy": root.Description}
	for _, topic := range topics {
		texts[topic.name] = topic.text()
	}
	var collect func(string, []*cli.Command)
	collect = func(under string, list []*cli.Command) {
		for _, c := range list {
			name := under + c.Name
			texts[name] = c.Description
			collect(name+" ", c.Subcommands)
		}
	}
	collect("", root.Commands)
	checked := 0
	for name, text := range texts {
		found := false
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			if !strings.HasPrefix(line, "  ") || words[0] != "powerspy" {
				continue
			}
			found = true
			checked++
			if wrong := wrongIn(root, words[1:]); wrong != "" {
				t.Errorf("help of %s: %s: %s", name, wrong, strings.TrimSpace(line))
			}
		}
		if !found && name != "completion" && name != "version" {
			t.Errorf("help of %s has no example", name)
		}
	}
	if checked < 30 {
		t.Errorf("only %d command lines were found", checked)
	}
}

func TestWrongIn(t *testing.T) {
	root := newApp(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	root.Setup()
	for line, want := range map[string]string{
		"mesure":                                "there is no command mesure",
		"measure --outptu x":                    "there is no flag --outptu",
		"measure --output":                      "--output has no value",
		"measure --output x -q > y":             "",
		"measure x":                             "1 arguments, not 0",
		"clock gte":                             "there is no command gte",
		"clock get --periods 1":                 "there is no flag --periods",
		"-q clock set --device=sim: 2026-01-01": "",
		"clock set":                             "0 arguments, not 1",
		"clock":                                 "a command is missing",
		"clock --help":                          "",
		"files get NAME FILE MORE":              "3 arguments, not 1 to 2",
		"files get NAME # comment":              "",
		"eeprom write 40 1 2 3":                 "",
		"eeprom write 40":                       "1 arguments, not from 2 on",
		"sim --tcp load=wave":                   "",
		"sim --link 'a b":                       "",
	} {
		if got := wrongIn(root, strings.Fields(line)); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// wrongIn says what is wrong with a command line: a command or a flag that does
// not exist, or the number of arguments; "" if nothing is. What stands behind a
// pipe, a redirection, a comment or a substitution is not looked at.
func wrongIn(root *cli.App, words []string) string {
	flags, commands, usage := root.VisibleFlags(), root.Commands, ""
	args, countable, named := 0, true, false
	for i := 0; i < len(words); i++ {
		w := words[i]
		if strings.HasPrefix(w, "$(") {
			countable = false
			break
		}
		if strings.ContainsAny(w[:1], "|>&;#<") || strings.HasPrefix(w, "2>") {
			break
		}
		if w == `\` || w == "--help" || strings.ContainsAny(w, `'"`) {
			countable = false
		}
		if name, ok := strings.CutPrefix(w, "-"); ok && name != "" {
			name, _, given := strings.Cut(strings.TrimPrefix(name, "-"), "=")
			f := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
			if f < 0 {
				return "there is no flag " + w
			}
			_, alone := flags[f].(*cli.GenericFlag)
			if d, ok := flags[f].(cli.DocGenerationFlag); ok && d.TakesValue() && !alone && !given {
				if i++; i == len(words) {
					return w + " has no value"
				}
				countable = countable && !strings.ContainsAny(words[i], `'"`)
			}
			continue
		}
		c := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(w) })
		switch {
		case c >= 0:
			flags, usage, commands = commands[c].VisibleFlags(), commands[c].ArgsUsage, commands[c].Subcommands
			named = true
		case len(commands) > 0 && countable:
			return "there is no command " + w
		default:
			args++
		}
	}
	switch {
	case !countable, !named:
		return ""
	case len(commands) > 0:
		return "a command is missing"
	}
	return wrongCount(args, usage)
}

// wrongCount says whether a command with this usage takes so many arguments.
func wrongCount(n int, usage string) string {
	least, most := 0, len(strings.Fields(usage))
	for w := range strings.FieldsSeq(usage) {
		if !strings.HasPrefix(w, "[") && !strings.HasSuffix(w, "]") && w != "|" {
			least++
		}
	}
	switch open := strings.Contains(usage, "..."); {
	case open && n < least:
		return fmt.Sprintf("%d arguments, not from %d on", n, least)
	case open || n >= least && n <= most:
		return ""
	case least == most:
		return fmt.Sprintf("%d arguments, not %d", n, least)
	}
	return fmt.Sprintf("%d arguments, not %d to %d", n, least, most)
}

// A page that begins with a simulated meter works as it is typed, and prints
// what it says. Here the meter has a quick link.
func TestPagesWork(t *testing.T) {
	ran := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		shell, shown := blocks(string(text))
		const simulated = "export POWERSPY_DEVICE=sim:"
		script := strings.Join(shell, "\n")
		if !strings.Contains(script, simulated) {
			continue
		}
		script = strings.Replace(script, simulated, strings.Replace(simulated, "sim:", quickSim+",", 1), 1)
		ran++
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("sh", "-eu", "-c", script)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			printed := strings.Split(string(out), "\n")
			for _, l := range shown {
				if !slices.Contains(printed, l) {
					t.Errorf("%q was not printed; got %q", l, printed)
				}
			}
		})
	}
	if ran < 2 {
		t.Errorf("%d pages were tried", ran)
	}
}

// blocks returns the lines of a page's sh blocks and those of its blocks
// without a language, which show what is printed.
func blocks(page string) (shell, shown []string) {
	const outside = "-"
	language := outside
	for l := range strings.Lines(page) {
		l = strings.TrimSpace(l)
		if now, ok := strings.CutPrefix(l, "```"); ok {
			if language == outside {
				language = now
			} else {
				language = outside
			}
			continue
		}
		switch language {
		case "sh":
			shell = append(shell, l)
		case "":
			shown = append(shown, l)
		}
	}
	return shell, shown
}
