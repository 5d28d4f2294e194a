package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/progress"
)

// benchFile is what an export in JSON has, as far as these tests look.
type benchFile struct {
	Results []struct {
		Command string    `json:"command"`
		Mean    float64   `json:"mean"`
		Stddev  *float64  `json:"stddev"`
		Times   []float64 `json:"times"`
		Codes   []*int    `json:"exit_codes"`
		Energy  struct {
			Mean   float64    `json:"mean"`
			CI95   []float64  `json:"ci95"`
			Values []*float64 `json:"values"`
		} `json:"energy_J"`
		Coverage   []float64         `json:"coverage"`
		Parameters map[string]string `json:"parameters"`
	} `json:"results"`
	Interrupted bool `json:"interrupted"`
}

func readBenchFile(t *testing.T, name string) (f benchFile) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// thirdWaits is a command whose third run waits for a signal.
const thirdWaits = `[ "$HYPERFINE_ITERATION" -lt 2 ] || { echo ready; exec sleep 60; }`

// TestBenchSignals: the first SIGINT, SIGTERM or SIGHUP ends the command that runs and
// the bench; what there is by then is told and exported, and cleaned up after. The
// second one kills a command that has survived the first.
func TestBenchSignals(t *testing.T) {
	const survives = `[ "$HYPERFINE_ITERATION" -lt 2 ] || { trap '' INT TERM; echo ready; while :; do sleep 0.05; done; }`
	for _, tt := range []struct {
		name, command string
		signals       []syscall.Signal
	}{
		{"INT", thirdWaits, []syscall.Signal{syscall.SIGINT}},
		{"TERM", thirdWaits, []syscall.Signal{syscall.SIGTERM}},
		{"HUP", thirdWaits, []syscall.Signal{syscall.SIGHUP}},
		{"twice", survives, []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.Command("powerspy", "bench", "-q", "-d", quickSim+",load=constant,watts=100", "--calm", "0", "-w", "0", "-r", "9", "--show-output",
				"--cleanup", "touch clean", "--export-json", "bench.json", tt.command)
			cmd.Dir = dir
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
			pipe, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			out := bufio.NewReader(pipe)
			if l, err := out.ReadString('\n'); err != nil || l != "ready\n" {
				t.Fatalf("%q, %v", l, err)
			}
			for _, s := range tt.signals {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			var text strings.Builder
			_, _ = out.WriteTo(&text)
			err = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != interruptedStatus {
				t.Errorf("status %d: %v", got, err)
			}
			if !strings.Contains(text.String(), "interrupted") || !strings.Contains(text.String(), "runs        2\n") {
				t.Errorf("told %q", text.String())
			}
			if f := readBenchFile(t, filepath.Join(dir, "bench.json")); len(f.Results) != 1 || len(f.Results[0].Times) != 2 || slices.Contains(f.Results[0].Energy.Values, nil) {
				t.Errorf("exported %+v", f)
			}
			if _, err := os.Stat(filepath.Join(dir, "clean")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBenchKilled: of a bench that is killed there is what was known of its runs.
func TestBenchKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	if err := os.WriteFile(file, []byte("of an earlier one"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The meter may tell of a run only some runs later.
	const waits = `[ "$HYPERFINE_ITERATION" -lt 100 ] || { echo ready; exec sleep 9; }; sleep 0.02`
	p := start(t, "bench", "-q", "-d", quickSim+",load=constant,watts=100", "--calm", "0", "-w", "0", "-r", "200", "--show-output", "--export-json", file, waits)
	if l := p.line(); l != "ready" {
		t.Fatalf("%q", l)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f := readBenchFile(t, file)
	if len(f.Results) != 1 || len(f.Results[0].Times) == 0 || len(f.Results[0].Times) > 100 || f.Results[0].Coverage[0] != 1 || !f.Interrupted {
		t.Errorf("there is %+v", f)
	}
}

// TestBenchCtrlC: Ctrl-C on a terminal reaches the command and the bench, whose bar
// goes.
func TestBenchCtrlC(t *testing.T) {
	cmd := exec.Command("powerspy", "bench", "-d", quickSim, "--calm", "0", "-w", "0", "-r", "9", "--style", "nocolor", `[ "$HYPERFINE_ITERATION" -lt 2 ] || exec sleep 60`)
	cmd.Env = append(os.Environ(), "TERM=xterm")
	master := onTerminalOf(t, cmd)
	seenUntil(t, master, "2/9")
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	seen := drain(master)
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != interruptedStatus {
		t.Errorf("status %d: %v", got, err)
	}
	_, report, ok := strings.Cut(seen, progress.ClearLine+"mean +- ")
	if !ok || !strings.Contains(report, "interrupted") || strings.Contains(report, "\x1b") {
		t.Errorf("it showed %q", seen)
	}
}

// TestBenchInterruptedBefore: Ctrl-C before the first run is an end without one.
func TestBenchInterruptedBefore(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	p := start(t, "bench", "-v", "-d", quickSim+",mute=?", "touch "+ran)
	p.told("> <?>")
	p.signal(os.Interrupt)
	p.told("powerspy: interrupted before the first run")
	if got := p.wait(); got.ExitCode() != interruptedStatus {
		t.Error(got)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command was run")
	}
}

// TestBenchLosesMeter: runs that a lost meter has not measured are repeated when it is
// back; where it never comes back, what there is is told.
func TestBenchLosesMeter(t *testing.T) {
	const secondWaits = `echo >>runs; [ $(wc -l <runs) != 2 ] || until [ -e away ]; do sleep 0.05; done; sleep 0.2`
	for _, tt := range []struct {
		name, runs, patience string
		status               int
	}{
		{"and back", "4", "1m", 0},
		{"for good", "99", "2s", 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "bench.json")
			m := newLeaver(t, quickSim+",load=constant,watts=100,busy=wait")
			cmd := exec.Command("powerspy", "bench", "-q", "-d", m.device, "--calm", "0", "-w", "0", "-r", tt.runs,
				"--give-up-after", tt.patience, "--export-json", file, secondWaits)
			cmd.Dir = dir
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the second run begins", func() bool { return written(filepath.Join(dir, "runs")) >= 2 })
			// The windows of the first run have come by then.
			seen, _ := m.Stream()
			m.measures(t, seen.Number, seen.Windows+25)
			m.leave()
			touch(t, dir, "away")
			if time.Sleep(500 * time.Millisecond); tt.status == 0 {
				m.back()
			}
			err := cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d: %v, %s", got, err, &out)
			}
			f := readBenchFile(t, file)
			if len(f.Results) != 1 || len(f.Results[0].Times) == 0 {
				t.Fatalf("exported %+v, %s", f, &out)
			}
			r := &f.Results[0]
			for i, c := range r.Coverage {
				if e := r.Energy.Values[i]; c == 1 && (e == nil || *e < 99*r.Times[i] || *e > 101*r.Times[i]) {
					t.Errorf("run %d: %v J in %g s", i, e, r.Times[i])
				}
			}
			if back := !slices.ContainsFunc(r.Coverage, func(c float64) bool { return c < 1 }) && len(r.Times) == 4; back != (tt.status == 0) {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(out.String(), "repeated, since") {
				t.Errorf("told %s", &out)
			}
		})
	}
}
