package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const benchPage = "../../docs/bench.md"

// shownBench is the example of the page: its commands, and what they print.
var shownBench = regexp.MustCompile("(?s)```sh\n(seq [^`]*)```\n\n```text\n([^`]*)```")

// TestBenchPage runs the example of docs/bench.md, whose output has the lines that the
// page shows. With -update that is put into the page.
func TestBenchPage(t *testing.T) {
	page, err := os.ReadFile(benchPage)
	if err != nil {
		t.Fatal(err)
	}
	found := shownBench.FindSubmatchIndex(page)
	if found == nil {
		t.Fatal("the page has no example")
	}
	script, shown := string(page[found[2]:found[3]]), string(page[found[4]:found[5]])
	if !*update {
		t.Parallel()
		// It need not take as long as for a person.
		script = strings.Replace(script, "sim:load=cpu", quickSim+",load=cpu --calm 0 -r 3", 1)
	}
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "POWERSPY_DEVICE=", "XDG_CONFIG_HOME=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	t.Logf("%s%s", stderr.String(), out)
	if *update {
		text := string(page[:found[4]]) + string(out) + string(page[found[5]:])
		if err := os.WriteFile(benchPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := linesOf(string(out)), linesOf(shown); got != want {
		t.Errorf("it printed %q, and the page shows %q", got, want)
	}
}

// linesOf returns what the lines of a report are about. Warnings depend on the machine.
func linesOf(report string) string {
	var list []string
	for line := range strings.Lines(report) {
		line = strings.TrimRight(line, "\n")
		if label := regexp.MustCompile(`^  (energy|power|time|range|runs|measuring) `).FindString(line); label != "" {
			list = append(list, strings.TrimSpace(label))
		} else if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "warning") {
			list = append(list, line)
		}
	}
	return strings.Join(list, "\n")
}
