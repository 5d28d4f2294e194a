package main

import (
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
			if wrong := unknownWord(root, words[i+1:]); wrong != "" {
				t.Errorf("%s: %q is not known: %s", filepath.Base(page), wrong, line)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d command lines were found", checked)
	}
	for _, line := range []string{"mesure", "measure --outptu x"} {
		if unknownWord(root, strings.Fields(line)) == "" {
			t.Errorf("nothing was found wrong with %q", line)
		}
	}
}

// unknownWord returns the first command or flag that does not exist, "" if all
// do. What stands behind a pipe, a redirection or a comment is not looked at.
func unknownWord(root *cli.App, words []string) string {
	flags, commands, named := root.VisibleFlags(), root.Commands, false
	for _, w := range words {
		if strings.ContainsAny(w[:1], "|>&;#") {
			break
		}
		if name, ok := strings.CutPrefix(w, "-"); ok && name != "" {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
			if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
				return w
			}
			continue
		}
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(w) })
		switch {
		case i >= 0:
			flags, commands, named = commands[i].VisibleFlags(), commands[i].Subcommands, true
		case !named:
			return w
		}
	}
	return ""
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
