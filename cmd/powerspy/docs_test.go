package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"powerspy2/internal/cli"
)

// pages returns the paths of the pages for users.
func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(list, "../../README.md", "../../scripts/green-metrics-tool/README.md", "../../scripts/prometheus/README.md")
}

// Every command line that a page shows is one that the command takes.
func TestCommandLinesOfPages(t *testing.T) {
	p := newProgram(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	checked := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		shell, _ := blocks(string(text))
		for _, line := range shell {
			words := shellWords(line)
			i := slices.IndexFunc(words, func(w string) bool { return w == "powerspy" || strings.HasSuffix(w, "/powerspy") })
			switch {
			case i < 0, i+1 == len(words), // not named, or alone
				i > 0 && strings.HasPrefix(words[i-1], "-"), // the value of another program's flag
				words[0] == "go" && words[1] == "build":
				continue
			}
			checked++
			if wrong := wrongIn(p, words[i+1:]); wrong != "" {
				t.Errorf("%s: %s: %s", filepath.Base(page), wrong, line)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d command lines were found", checked)
	}
}

// So is every one that a help text or a topic shows.
func TestCommandLinesOfHelp(t *testing.T) {
	p := newProgram(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	texts := map[string]string{"powerspy": p.Description}
	for _, topic := range topics {
		texts[topic.Name] = topic.Text()
	}
	p.Walk(func(c *cli.Command) { texts[c.Words()] = c.Description })
	checked := 0
	for name, text := range texts {
		found := false
		for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
			words := shellWords(line)
			if !strings.HasPrefix(line, "  ") || words[0] != "powerspy" {
				continue
			}
			found = true
			checked++
			if wrong := wrongIn(p, words[1:]); wrong != "" {
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
	p := newProgram(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	for line, want := range map[string]string{
		"mesure":                                `there is no command "mesure" (did you mean measure?)`,
		"measure --outptu x":                    "there is no flag --outptu (did you mean --output?)",
		"measure --output":                      "--output needs a value",
		"measure --output x -q > y":             "",
		"measure x":                             `unexpected argument "x"`,
		"clock get --periods 1":                 "there is no flag --periods",
		"-q clock set --device=sim: 2026-01-01": "",
		"clock set":                             "clock set needs a time, such as 2026-03-01T12:00:00",
		"clock set $(date)":                     "",
		"clock":                                 "clock needs one of get, set, sync",
		"clock --help":                          "",
		"files get NAME # comment":              "",
		"sim --tcp load=wave":                   "",
		"setup --device 'PowerSpy 4567' x":      `unexpected argument "x"`,
	} {
		if got := wrongIn(p, shellWords(line)); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// wrongIn says what is wrong with a command line; "" if nothing is. What stands
// behind a pipe, a redirection, a comment or a line's end is not looked at, and
// after a substitution no argument is missing.
func wrongIn(p *cli.Program, words []string) string {
	whole := true
	for i, w := range words {
		if w == "" {
			continue
		}
		open := strings.HasPrefix(w, "$(") || w == `\`
		if open || strings.ContainsAny(w[:1], "|>&;#<") || strings.HasPrefix(w, "2>") {
			words, whole = words[:i], !open
			break
		}
	}
	err := p.Check(words...)
	if err == nil || !whole && strings.Contains(err.Error(), " needs ") {
		return ""
	}
	return err.Error()
}

// shellWords splits a line at blanks outside of quotes.
func shellWords(line string) []string {
	var words []string
	word, quote, begun := "", rune(0), false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && unicode.IsSpace(r):
			if begun {
				words = append(words, word)
			}
			word, begun = "", false
		default:
			word += string(r)
			begun = true
		}
	}
	return words
}

// A page that begins with a simulated meter works as it is typed, and prints
// what it says. Here the meter has a quick link.
func TestPagesWork(t *testing.T) {
	t.Parallel()
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
