package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// runResult reads a report in JSON.
func runResult(t *testing.T, file string) (r struct {
	ExitCode int      `json:"exit_code"`
	Signal   *int     `json:"signal"`
	Start    float64  `json:"start_s"`
	End      float64  `json:"end_s"`
	Duration float64  `json:"duration_s"`
	Energy   *float64 `json:"energy_J"`
	U        *float64 `json:"energy_uncertainty_J"`
	Net      *float64 `json:"net_energy_J"`
	NetU     *float64 `json:"net_energy_uncertainty_J"`
	Coverage float64  `json:"coverage"`
	Gaps     []struct {
		Start  float64 `json:"start_s"`
		End    float64 `json:"end_s"`
		Reason string  `json:"reason"`
	} `json:"gaps"`
	Phases []struct {
		Name     string   `json:"name"`
		Start    float64  `json:"start_s"`
		End      float64  `json:"end_s"`
		Energy   *float64 `json:"energy_J"`
		U        *float64 `json:"energy_uncertainty_J"`
		Coverage float64  `json:"coverage"`
	} `json:"phases"`
	Warnings []string `json:"warnings"`
}) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// shells are what commands are written in.
func shells(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{"sh": {"sh", "-c"}}
	for _, name := range []string{"dash", "bash"} {
		if _, err := exec.LookPath(name); err == nil {
			list[name] = []string{name, "-c"}
		}
	}
	return list
}

// TestRunPassesSignals: SIGTERM and SIGHUP reach the command, whose status is kept;
// powerspy reports. SIGINT does, too, where no terminal can have sent it.
func TestRunPassesSignals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		signal       syscall.Signal
		status       int
	}{
		{"TERM ends it", "echo ready; exec sleep 60", syscall.SIGTERM, 143},
		{"HUP ends it", "echo ready; exec sleep 60", syscall.SIGHUP, 129},
		{"INT ends it", "echo ready; exec sleep 60", syscall.SIGINT, 130},
		// bash itself ignores it, so it has to be another program that is ready.
		{"QUIT ends it", "ulimit -c 0; exec yes ready", syscall.SIGQUIT, 131},
		{"USR1 ends it", "echo ready; exec sleep 60", syscall.SIGUSR1, 138},
		{"TERM is handled", "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done", syscall.SIGTERM, 6},
		{"HUP is survived", "trap 'gone=1' HUP; echo ready; until [ \"$gone\" ]; do sleep 0.05; done; exit 4", syscall.SIGHUP, 4},
		{"INT is ignored", "trap '' INT; echo ready; sleep 0.3; exit 5", syscall.SIGINT, 5},
	}
	for shell, words := range shells(t) {
		for _, tt := range tests {
			t.Run(shell+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "run.json")
				cmd := exec.Command("powerspy", append([]string{"run", "-q", "-d", quickSim, "--format", "json", "-o", file}, append(words, tt.script)...)...)
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewReader(out)
				if l, err := lines.ReadString('\n'); err != nil || l != "ready\n" {
					t.Errorf("%q, %v", l, err)
				}
				if err := cmd.Process.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
				err = cmd.Wait()
				if got := cmd.ProcessState.ExitCode(); got != tt.status {
					t.Errorf("status %d, want %d: %v", got, tt.status, err)
				}
				if r := runResult(t, file); r.ExitCode != tt.status || r.Energy == nil || r.Coverage < 1 {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// onTerminalOf starts a command whose terminal the returned file is the far end of.
func onTerminalOf(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	master, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 99})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = master.Close()
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return master
}

// seenUntil reads what a terminal shows until a text has come.
func seenUntil(t *testing.T, master *os.File, text string) string {
	t.Helper()
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := master.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			t.Fatalf("the terminal showed %q, not %q: %v", seen.String(), text, err)
		}
	}
	return seen.String()
}

// drain reads what a terminal shows until nobody writes to it any more.
func drain(master *os.File) string {
	var seen bytes.Buffer
	_, _ = seen.ReadFrom(master) // ends with EIO
	return seen.String()
}

// TestRunCtrlC: Ctrl-C and Ctrl-\ on the terminal reach the command once, which may
// survive them, and powerspy reports in any case.
func TestRunCtrlC(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script, key string
		status            int
		phases            bool
	}{
		{"Ctrl-C ends it", "echo ready; exec sleep 60", "\x03", 130, false},
		{"Ctrl-C ends it, with phases", "echo ready; exec sleep 60", "\x03", 130, true},
		{"Ctrl-C is survived", "n=0; trap 'n=$((n+1))' INT; echo ready; until [ $n -gt 0 ]; do sleep 0.05; done; sleep 0.2; exit $((40+n))", "\x03", 41, false},
		{`Ctrl-\ is survived`, "n=0; trap 'n=$((n+1))' QUIT; echo ready; until [ $n -gt 0 ]; do sleep 0.05; done; sleep 0.2; exit $((40+n))", "\x1c", 41, false},
		{`Ctrl-\ ends it`, "ulimit -c 0; echo ready; exec sleep 60", "\x1c", 131, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"run", "-d", quickSim}
			if tt.phases {
				args = append(args, "--phases")
			}
			cmd := exec.Command("powerspy", append(args, "--", "sh", "-c", tt.script)...)
			master := onTerminalOf(t, cmd)
			seenUntil(t, master, "ready")
			if _, err := master.WriteString(tt.key); err != nil {
				t.Fatal(err)
			}
			seen := drain(master)
			err := cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d, want %d: %v, %q", got, tt.status, err, seen)
			}
			if strings.Count(seen, "\nenergy ") != 1 {
				t.Errorf("no report in %q", seen)
			}
		})
	}
}

// TestRunTerminal: a command on a terminal has one, also where its output is
// looked at, of the same size.
func TestRunTerminal(t *testing.T) {
	t.Parallel()
	for _, phases := range []string{"--phases=false", "--phases"} {
		t.Run(phases, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("powerspy", "run", "-q", "-d", quickSim, phases, "--", "sh", "-c", "for i in 0 1 2; do [ -t $i ] && echo $i; done; stty size <&1; echo __A__; sleep 0.1")
			master := onTerminalOf(t, cmd)
			seen := drain(master)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(seen, "0\r\n1\r\n2\r\n33 99\r\n__A__\r\n\r\nenergy ") {
				t.Errorf("it showed %q", seen)
			}
			if strings.Contains(seen, "\n  A ") != (phases == "--phases") {
				t.Errorf("phases in %q", seen)
			}
		})
	}
}

// TestRunStops: a job that is stopped by Ctrl-Z goes on when it is continued, and
// so does powerspy.
func TestRunStops(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs the job control of bash")
	}
	file := filepath.Join(t.TempDir(), "run.json")
	script := fmt.Sprintf(`set -m
powerspy run -q -d %s --format json -o %s -- sh -c 'echo ready; kill -TSTP 0; exit 5'
stopped=$?
kill -l $((stopped-128))
sleep 0.5
fg >/dev/null
echo "status $?"`, quickSim, file)
	cmd := exec.Command(bash, "-c", script)
	master := onTerminalOf(t, cmd)
	seen := drain(master)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(seen, "ready\r\n") || !strings.Contains(seen, "TSTP\r\n") || !strings.HasSuffix(seen, "status 5\r\n") {
		t.Errorf("%q", seen)
	}
	if r := runResult(t, file); r.ExitCode != 5 || r.Duration < 0.5 {
		t.Errorf("%+v", r)
	}
	// A command that only itself is stopped.
	c := exec.Command("powerspy", "run", "-q", "-d", quickSim, "--format", "json", "-o", file, "sh", "-c", "(until grep -q '^State:.T' /proc/$$/status; do sleep 0.05; done; kill -CONT $$) & kill -STOP $$; exit 7")
	if err := c.Run(); c.ProcessState.ExitCode() != 7 {
		t.Error(err)
	}
}

// TestRunNested: a run within a run is told who has the meter.
func TestRunNested(t *testing.T) {
	p := start(t, "sim", "--tcp", "link=ideal,first=clean,busy=wait")
	_, address, ok := strings.Cut(p.line(), "listens on ")
	if !ok {
		t.Fatal("no address")
	}
	device := "tcp://" + address
	cmd := exec.Command("powerspy", "run", "-q", "-d", device, "--", "powerspy", "run", "-d", device, "--", "echo", "inner")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != ownFailure {
		t.Errorf("status %d: %v", got, err)
	}
	if want := "it is in use by pid " + fmt.Sprint(cmd.Process.Pid) + " ("; !strings.Contains(stderr.String(), want) || !strings.Contains(stderr.String(), "`powerspy run -q -d tcp://") {
		t.Errorf("it told %q", stderr.String())
	}
	if stdout.Len() > 0 || strings.Count(stderr.String(), "\nenergy ") != 1 {
		t.Errorf("%q, %q", stdout.String(), stderr.String())
	}
}

// TestRunInterruptedBefore: Ctrl-C before the command has begun is an end without
// it.
func TestRunInterruptedBefore(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	p := start(t, "run", "-v", "-d", quickSim+",mute=?", "--", "touch", ran)
	p.told("> <?>")
	p.signal(os.Interrupt)
	p.told("powerspy: interrupted: the command was not started")
	if got := p.wait(); got.ExitCode() != ownFailure {
		t.Error(got)
	}
	if _, err := os.Stat(ran); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the command was run: %v", err)
	}
	p = start(t, "run", "-v", "-d", quickSim+",mute=?", "--duration", "1h")
	p.told("> <?>")
	p.signal(os.Interrupt)
	p.told("powerspy: interrupted before it began")
	if got := p.wait(); got.ExitCode() != ownFailure {
		t.Error(got)
	}
}

// TestRunLosesMeter: a command is not disturbed by a meter that falls silent, comes
// back or does not, and the report does not pretend.
func TestRunLosesMeter(t *testing.T) {
	t.Parallel()
	const script = `sleep 0.5; echo begun >begun; until [ -e enough ]; do sleep 0.05; done; sleep 0.2; exit 3`
	for _, back := range []bool{false, true} {
		t.Run(fmt.Sprintf("back %v", back), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "run.json")
			m := newLeaver(t, quickSim+",load=constant,watts=100,busy=wait")
			cmd := exec.Command("powerspy", "run", "-q", "-d", m.device, "--format", "json", "-o", file, "sh", "-c", script)
			cmd.Dir = dir
			began := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the command begins", func() bool { return written(filepath.Join(dir, "begun")) > 0 })
			before, _ := m.Stream()
			m.leave()
			if time.Sleep(500 * time.Millisecond); back {
				m.back()
				m.measures(t, before.Number+1, 25)
			}
			touch(t, dir, "enough")
			err := cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != 3 {
				t.Errorf("status %d: %v", got, err)
			}
			r := runResult(t, file)
			if r.Coverage >= 1 || r.Coverage <= 0 || len(r.Gaps) == 0 || r.Energy == nil {
				t.Fatalf("%+v", r)
			}
			last := r.Gaps[len(r.Gaps)-1]
			if ends := last.End < r.End-0.001; ends != back {
				t.Errorf("the meter is back: %v; %+v", ends, r)
			}
			if want := 100 * r.Coverage * r.Duration; *r.Energy < 0.99*want || *r.Energy > 1.01*want {
				t.Errorf("%g J, want %g J", *r.Energy, want)
			}
			if took := time.Since(began).Seconds(); took < r.Duration {
				t.Errorf("%g s", took)
			}
		})
	}
}
