package main

import (
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"powerspy2/internal/cli"
)

// blockWith returns the sh block of a page that has a line with this text in it.
func blockWith(t *testing.T, page, text string) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(content), "```sh\n") {
		if block, _, ok := strings.Cut(part, "```"); ok && strings.Contains(block, text) {
			return block
		}
	}
	t.Fatalf("%s has no block with %q", page, text)
	return ""
}

// typed runs the lines of a page as they stand there.
func typed(t *testing.T, shell, dir, home, block string, vars ...string) string {
	t.Helper()
	cmd := exec.Command(shell, "-c", block)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "XDG_CONFIG_HOME="), vars...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", shell, err, out)
	}
	return string(out)
}

// The job of first-measurement.md is measured, in the shells that people have.
func TestFirstMeasurement(t *testing.T) {
	t.Parallel()
	block := blockWith(t, "../../docs/first-measurement.md", "run -- make")
	for _, shell := range []string{"sh", "bash"} {
		dir := t.TempDir()
		// A stand-in for make, which a machine may not have.
		if err := os.WriteFile(filepath.Join(dir, "make"), []byte("#!/bin/sh\nsleep 0.1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		out := typed(t, shell, dir, dir, block, "POWERSPY_DEVICE="+quickSim, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		if !strings.Contains(out, "\nenergy ") {
			t.Errorf("%s: %s", shell, out)
		}
	}
	typed(t, "sh", t.TempDir(), t.TempDir(), blockWith(t, "../../docs/first-measurement.md", "sim:load=cpu"))
}

// The load of simulator.md that a script changes is what is measured.
func TestFollowedLoad(t *testing.T) {
	t.Parallel()
	out := typed(t, "sh", t.TempDir(), t.TempDir(), blockWith(t, "../../docs/simulator.md", "load=file:watts"))
	if !strings.Contains(out, "highest 80.00 W") {
		t.Error(out)
	}
}

// The provider gets to where the Green Metrics Tool looks for it, from where the
// page says that its commands are typed.
func TestProviderIsCopied(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, "green-metrics-tool/metric_providers/psu/energy/ac/powerspy2/machine")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	typed(t, "sh", "../..", home, blockWith(t, "../../scripts/green-metrics-tool/README.md", "cp "))
	for _, name := range []string{"provider.py", "powerspy2-machine-provider"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// The commands that serve.md shows for the API do what it says.
func TestServePage(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	p := start(t, "serve", "--device", quickSim, "--listen", "unix:"+socket)
	p.told("powerspy: sim: measuring")
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	_, api, ok := strings.Cut(string(text), "\n## The API\n")
	if !ok {
		t.Fatal("the page has no such part")
	}
	shell, _ := blocks(api)
	out := typed(t, "sh", dir, dir, "set -e\n"+strings.Join(shell, "\n"), "SOCKET="+socket)
	for _, want := range []string{
		`"name":"sim"`, `"boot_id":`, `"openapi": "3.1.0"`, `"status":"healthy"`, `"status":"ready"`,
		`{"type":"header"`, `{"type":"reading","version":1`, `"error_s":`, "event: reading\n", `"coverage":1`, `"name":"load"`, `"end":true`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s was not printed:\n%s", want, out)
		}
	}
	if n := strings.Count(out, `"energy_uncertainty_J":`); n < 2 {
		t.Errorf("%d energies were printed", n)
	}
}

// homeFile finds a command that writes a file in a home.
var homeFile = regexp.MustCompile(`(?: > |powerspy .* -o )(~/\S+)`)

// A file that a help text or a page has written into a home is in a directory
// that the line before has made.
func TestDirectoriesAreMade(t *testing.T) {
	texts := map[string]string{}
	program := newProgram(env{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	program.Walk(func(c *cli.Command) { texts["help of "+c.Words()] = c.Description })
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		texts[page] = string(text)
	}
	found := 0
	for name, text := range texts {
		before := ""
		for line := range strings.Lines(text) {
			if f := homeFile.FindStringSubmatch(line); f != nil {
				found++
				if want := "mkdir -p " + path.Dir(f[1]); strings.TrimSpace(before) != want {
					t.Errorf("%s: before %q stands %q, want %q", name, strings.TrimSpace(line), strings.TrimSpace(before), want)
				}
			}
			before = line
		}
	}
	if found < 3 {
		t.Errorf("%d lines were looked at", found)
	}
}
