package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"powerspy2/powerspy/sim"
)

// The programs of these tests change the simulated load by writing its power to a
// file, and mark a phase in each of the three ways.
const (
	pythonPhases = `
import os, subprocess, time
def load(watts):
    with open("watts", "w") as f:
        f.write(str(watts))
load(80); print("__PRINTED__"); time.sleep(0.5)
load(140); subprocess.run(["powerspy", "mark", "command"], check=True); time.sleep(0.5)
load(60)
with open(os.environ["POWERSPY_MARKS"], "w") as f:
    f.write("pipe\n")
time.sleep(0.5)
load(20); subprocess.run(["powerspy", "mark", "--end"], check=True); time.sleep(0.2)
`

	shellPhases = `
load() { echo $1 >watts; }
load 80; echo __PRINTED__; sleep 0.5
load 140; powerspy mark command; sleep 0.5
load 60; echo pipe >$POWERSPY_MARKS; sleep 0.5
load 20; powerspy mark --end; sleep 0.2
`

	cPhases = `
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void load(int watts) {
	FILE *f = fopen("watts", "w");
	fprintf(f, "%d", watts);
	fclose(f);
}
int main(void) {
	FILE *marks;
	load(80); puts("__PRINTED__"); fflush(stdout); usleep(500000);
	load(140); if (system("powerspy mark command")) return 1; usleep(500000);
	load(60);
	if (!(marks = fopen(getenv("POWERSPY_MARKS"), "w"))) return 1;
	fputs("pipe\n", marks); fclose(marks); usleep(500000);
	load(20); if (system("powerspy mark --end")) return 1; usleep(200000);
	return 0;
}
`
)

// aWindow is the energy in J of a window at the largest step of these loads. U is of
// about 95 %, and of links, not of a machine that leaves a process waiting: whether
// it holds is tested in simulated time.
const aWindow = 80 * 0.02

// loadedMeter serves a simulated meter whose load is in the file watts of a directory. It
// tells what that drew from one moment to another, in UNIX seconds: as the meter has seen
// it, which a busy machine may leave waiting.
func loadedMeter(t *testing.T, dir, spec, watts string) (device string, drew func(from, to float64) float64) {
	t.Helper()
	file := filepath.Join(dir, "watts")
	if err := os.WriteFile(file, []byte(watts), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := sim.ParseSpec(spec + ",load=file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	m := sim.New(cfg)
	moment := func(unix float64) time.Time { return time.Unix(0, int64(unix*1e9)) }
	return serveMeter(t, m), func(from, to float64) float64 { return m.Energy(moment(from), moment(to)) }
}

// TestRunPhases: programs in three languages mark phases in three ways, and each
// phase has the energy that it drew, within its uncertainty.
func TestRunPhases(t *testing.T) {
	tests := []struct{ name, file, source, build, command string }{
		{"Python", "phases.py", pythonPhases, "python3 --version", "python3 -u phases.py"},
		{"shell", "phases.sh", shellPhases, "true", "sh phases.sh"},
		{"C", "phases.c", cPhases, "cc -o phases phases.c", "./phases"},
	}
	tried := 0
	for _, tt := range tests {
		if _, err := exec.LookPath(strings.Fields(tt.build)[0]); err != nil {
			t.Logf("%s: %v", tt.name, err)
			continue
		}
		tried++
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			device, drew := loadedMeter(t, dir, "link=b", "30")
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.source), 0o600); err != nil {
				t.Fatal(err)
			}
			do := func(words ...string) string {
				cmd := exec.Command(words[0], words[1:]...)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%q: %v: %s", words, err, out)
				}
				return string(out)
			}
			do(strings.Fields(tt.build)...)
			out := do(append([]string{"powerspy", "run", "-q", "-d", device, "--phases", "--format", "json", "-o", "run.json"}, strings.Fields(tt.command)...)...)
			if out != "__PRINTED__\n" {
				t.Errorf("it printed %q", out)
			}
			r := runResult(t, filepath.Join(dir, "run.json"))
			var names []string
			for _, p := range r.Phases {
				names = append(names, p.Name)
				if p.Energy == nil {
					t.Fatalf("%s was not measured: %+v", p.Name, p)
				}
				truth := drew(p.Start, p.End)
				if off := math.Abs(*p.Energy - truth); off > *p.U+aWindow || p.Coverage < 1 {
					t.Errorf("%s: %g J +- %g J, drew %g J", p.Name, *p.Energy, *p.U, truth)
				}
				if *p.U > 0.1*truth+2 {
					t.Errorf("%s: +- %g J of %g J", p.Name, *p.U, truth)
				}
			}
			slices.Sort(names) // what is printed is as late as powerspy reads it
			if got := strings.Join(names, " "); got != "PRINTED command pipe" {
				t.Errorf("phases %q", got)
			}
			if truth := drew(r.Start, r.End); math.Abs(*r.Energy-truth) > *r.U+aWindow {
				t.Errorf("%g J +- %g J, drew %g J", *r.Energy, *r.U, truth)
			}
		})
	}
	if tried < 2 {
		t.Errorf("only %d languages are there", tried)
	}
}

// TestRunNet: what is above the idle machine, which was measured before.
func TestRunNet(t *testing.T) {
	dir := t.TempDir()
	device, drew := loadedMeter(t, dir, "link=c", "50")
	cmd := exec.Command("powerspy", "run", "-q", "-d", device, "--baseline", "measure:3s", "--format", "json", "-o", "run.json", "sh", "-c", "echo 80 >watts; sleep 1; echo 50 >watts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := runResult(t, filepath.Join(dir, "run.json"))
	want := drew(r.Start, r.End) - 50*(r.End-r.Start)
	if off := math.Abs(*r.Net - want); off > *r.NetU+aWindow || want < 25 {
		t.Errorf("%g J +- %g J above the idle machine, drew %g J", *r.Net, *r.NetU, want)
	}
}

// TestRunLeavesDescriptors: without phases no byte of the command's output goes
// through powerspy.
func TestRunLeavesDescriptors(t *testing.T) {
	if err := exec.Command("strace", "-o", os.DevNull, "true").Run(); err != nil {
		t.Skip("strace does not work here: the script run.txtar looks at descriptors all the same")
	}
	for _, phases := range []bool{false, true} {
		trace := filepath.Join(t.TempDir(), "trace")
		args := []string{"-f", "-o", trace, "-e", "trace=write,read,splice,sendfile,execve", "-s", "64", "powerspy", "run", "-q", "-d", quickSim, "-o", filepath.Join(t.TempDir(), "report")}
		if phases {
			args = append(args, "--phases")
		}
		out, err := exec.Command("strace", append(args, "--", "sh", "-c", "echo IT-IS-$((6*7)); sleep 0.1")...).Output()
		if err != nil || string(out) != "IT-IS-42\n" {
			t.Errorf("%q, %v", out, err)
		}
		text, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		calls := regexp.MustCompile(`(?m)^.*"IT-IS-42.*$`).FindAllString(string(text), -1)
		want := 1 // the command's own write
		if phases {
			want = 3 // and a read and a write of powerspy
		}
		if len(calls) != want {
			t.Errorf("phases %v: %q", phases, calls)
		}
	}
}
