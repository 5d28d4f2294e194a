package main

import (
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
// do. What stands behind a pipe, a redirection, a comment or a substitution is
// not looked at.
func unknownWord(root *cli.App, words []string) string {
	flags, commands, named := root.VisibleFlags(), root.Commands, false
	for _, w := range words {
		if strings.ContainsAny(w[:1], "|>&;#$") {
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
