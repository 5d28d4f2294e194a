package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A zone that can't be loaded would count as UTC.
func TestZone(t *testing.T) {
	for tz, known := range map[string]bool{
		"": true, ":": true, "UTC": true, "Europe/Berlin": true, ":Europe/Berlin": true, "EST5EDT": true,
		"Europe/Berln": false, "CET-1CEST,M3.5.0,M10.5.0/3": false, "/no/such/zone": false, ":/dev/null": false, "../etc/passwd": false,
	} {
		err := checkZone(func(string) string { return tz })
		if (err == nil) != known {
			t.Errorf("TZ=%q: %v", tz, err)
		}
	}
	vars := map[string]string{"TZ": "Europe/Berln", "HOME": t.TempDir()}
	for _, args := range []string{"measure -n 1 -d " + quickSim, "clock get -d " + quickSim} {
		stdout, stderr, status := inProcess(t, vars, strings.Fields(args)...)
		const want = `powerspy: the environment variable TZ is "Europe/Berln", which is not a known time zone; set it to one such as Europe/Berlin`
		if stdout != "" || !strings.HasPrefix(stderr, want) || status != 2 {
			t.Errorf("%s: %q, %q, exit status %d", args, stdout, stderr, status)
		}
	}
	// Where no local time is written, it does not matter.
	if _, stderr, status := inProcess(t, vars, "info", "-d", quickSim); status != 0 {
		t.Errorf("info: %q, exit status %d", stderr, status)
	}
}

// The zones are in the program, not only on the machine.
func TestZonesAreEmbedded(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(string(deps)), "time/tzdata") {
		t.Error("package time/tzdata is not linked")
	}
	p := startProgram(t, "env", "TZ=Pacific/Chatham", "powerspy", "measure", "-q", "-n", "1", "-f", "oscar", "-d", quickSim)
	if title := p.line(); !strings.Contains(title, "UTC+12:45") && !strings.Contains(title, "UTC+13:45") {
		t.Errorf("got %q", title)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}
