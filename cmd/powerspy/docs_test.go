package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// Every command line that a page shows names commands and flags that exist.
func TestCommandLinesOfPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	root := newApp(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	root.Setup()
	checked := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shellLines(string(text)) {
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
// pipe, a redirection or a comment is not looked at.
func wrongIn(root *cli.App, words []string) string {
	flags, commands, usage := root.VisibleFlags(), root.Commands, ""
	args, countable, named := 0, true, false
	for i := 0; i < len(words); i++ {
		w := words[i]
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

// shellLines returns the lines of a page's sh blocks.
func shellLines(page string) []string {
	var lines []string
	inside := false
	for l := range strings.Lines(page) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "```") {
			inside = !inside && l == "```sh"
			continue
		}
		if inside {
			lines = append(lines, l)
		}
	}
	return lines
}
