package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/gmt/gmttest"
)

// gmtProvider is the executable that the Green Metrics Tool starts.
const gmtProvider = "../../scripts/green-metrics-tool/powerspy2-machine-provider"

// TestProviderRun starts the provider as the tool does, on a meter whose link
// breaks again and again, and ends it as the tool does.
func TestProviderRun(t *testing.T) {
	t.Parallel()
	p := startProgram(t, "stdbuf", "-o0", "taskset", "-c", "0", gmtProvider,
		"-i", "20", "-u", "uJ", "--device", quickSim+",load=constant,watts=100,noise=0.05,drop=1s")
	var last, step int64
	for jumps := 0; jumps < 2; {
		var at, value int64
		l := p.line()
		if n, err := fmt.Sscanf(l, "%d %d", &at, &value); n != 2 || err != nil || fmt.Sprint(at, value) != l {
			t.Fatalf("row %q", l)
		}
		if at <= last || value < 1_900_000 || value > 2_100_000 {
			t.Fatalf("row %q after %d", l, last)
		}
		if step = at - last; last > 0 && step > 30_000 {
			jumps++
		}
		last = at
	}
	// What the tool looks for before another run.
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	if err != nil || !strings.HasPrefix(string(cmdline), gmtProvider+"\x00gmt\x00") {
		t.Errorf("the process is %q (%v)", cmdline, err)
	}
	p.signal(syscall.SIGTERM)
	rest, err := io.ReadAll(p.stdout)
	if err != nil || len(rest) > 0 && rest[len(rest)-1] != '\n' {
		t.Errorf("the last rows are %q (%v)", rest, err)
	}
	if told, err := io.ReadAll(p.stderr); err != nil || len(told) > 0 {
		t.Errorf("standard error: %q (%v)", told, err)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}

// TestProviderHalfMinute runs the provider for half a minute at the tool's usual
// rates, with one damaged frame in twenty and two seconds of silence: what it
// wrote passes every check of the tool.
func TestProviderHalfMinute(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, time.Second} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			p := startProgram(t, gmtProvider, "-i", fmt.Sprint(interval.Milliseconds()), "-u", "uJ",
				"--device", "sim:noise=0.05,silence=20s/2s,load=server")
			var rows strings.Builder
			var begun, at int64
			for at-begun < 30_000_000 {
				l := p.line()
				if _, err := fmt.Sscanf(l, "%d", &at); err != nil {
					t.Fatalf("row %q", l)
				}
				if begun == 0 {
					begun = at
				}
				rows.WriteString(l + "\n")
			}
			p.signal(syscall.SIGTERM)
			rest, err := io.ReadAll(p.stdout)
			if err != nil {
				t.Error(err)
			}
			if err := gmttest.Check(rows.String()+string(rest), interval); err != nil {
				t.Error(err)
			}
			if told, err := io.ReadAll(p.stderr); err != nil || len(told) > 0 {
				t.Errorf("standard error: %q (%v)", told, err)
			}
			if got := p.wait(); got.ExitCode() != 0 {
				t.Error(got)
			}
		})
	}
}

func TestProviderStopsTheMeter(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := startProgram(t, gmtProvider, "-i", "20", "--debug", "--device", quickSim)
		p.line()
		p.signal(s)
		p.told("> <Q>")
		p.stopped()
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%v: %v", s, got)
		}
	}
}

func TestProviderCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		ok   bool
		want string // in what it says
	}{
		{"a meter", []string{"-c", "-i", "100", "--device", quickSim}, true, "sim:"},
		{"no meter", []string{"-c", "--device", "tcp://127.0.0.1:1"}, false, "connection refused"},
		{"a short interval", []string{"-c", "-i", "17", "--device", quickSim}, false, "interval 17ms"},
		{"no such device", []string{"-c", "--device", "sim:load=cat"}, false, "cat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProgram(t, gmtProvider, tt.args...)
			out, err := io.ReadAll(p.stdout)
			if err != nil {
				t.Fatal(err)
			}
			told, err := io.ReadAll(p.stderr)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.wait(); got.Success() != tt.ok {
				t.Errorf("%v; it told %q", got, told)
			}
			lines, silent := told, out
			if tt.ok {
				lines, silent = out, told
			}
			if !strings.Contains(string(lines), tt.want) || bytes.Count(lines, []byte("\n")) != 1 || len(silent) > 0 {
				t.Errorf("it says %q and tells %q, want a sentence about %q", out, told, tt.want)
			}
		})
	}
}

// TestProviderFindsTheProgram: named by POWERSPY, beside the script, or in PATH.
func TestProviderFindsTheProgram(t *testing.T) {
	script, err := os.ReadFile(gmtProvider)
	if err != nil {
		t.Fatal(err)
	}
	program := func(dir, name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	name := filepath.Base(gmtProvider)
	alone, beside, path := t.TempDir(), t.TempDir(), t.TempDir()
	program(beside, name, string(script))
	program(beside, "powerspy", "#!/bin/sh\necho beside \"$*\"\n")
	program(path, "powerspy", "#!/bin/sh\necho path \"$*\"\n")
	own := program(path, "own", "#!/bin/sh\necho own \"$*\"\n")
	lonely := program(alone, name, string(script))
	for _, tt := range []struct{ script, powerspy, path, want string }{
		{filepath.Join(beside, name), "", path, "beside gmt -i 100\n"},
		{lonely, "", path, "path gmt -i 100\n"},
		{filepath.Join(beside, name), own, path, "own gmt -i 100\n"},
		{lonely, "", alone, ""},
		{lonely, "/nonexistent", path, ""},
	} {
		cmd := exec.Command(tt.script, "-i", "100")
		cmd.Env = []string{"PATH=" + tt.path + ":/usr/bin:/bin", "POWERSPY=" + tt.powerspy}
		var told bytes.Buffer
		cmd.Stderr = &told
		out, err := cmd.Output()
		if string(out) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q (%v)", tt, out, err)
		}
		if (told.Len() == 0) != (err == nil) || strings.Count(told.String(), "\n") > 1 {
			t.Errorf("%+v: it told %q", tt, &told)
		}
	}
}

// TestProviderPython tests provider.py with a stub of the tool.
func TestProviderPython(t *testing.T) {
	cmd := exec.Command("python3", "-B", "testdata/provider_test.py", filepath.Dir(gmtProvider))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRunIsLost: a meter that stays away for too long ends the run with one
// sentence; one that comes back in time does not even get that.
func TestRunIsLost(t *testing.T) {
	for _, tt := range []struct {
		device string
		ends   time.Duration // 0: only when told to
		status int
	}{
		{"sim:dead=10s", 90 * time.Second, 6},
		{"sim:away=10s/30s", 0, 0},
		{"sim:dead=10s/30s", 0, 0},
	} {
		t.Run(tt.device, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				begun := time.Now()
				var out, told bytes.Buffer
				status := run(ctx, env{
					args:   []string{"powerspy", "gmt", "-i", "250", "-u", "uJ", "--device", tt.device},
					stdout: &out, stderr: &told,
					getenv: func(string) string { return "" }, interrupt: cancel,
				})
				if status != tt.status {
					t.Errorf("exit status %d, want %d", status, tt.status)
				}
				rows := bytes.Count(out.Bytes(), []byte("\n"))
				if tt.status == 0 {
					if told.Len() > 0 || rows < 4*60 {
						t.Errorf("%d rows, and it told %q", rows, &told)
					}
					return
				}
				if strings.Count(told.String(), "\n") != 1 || !strings.HasPrefix(told.String(), "powerspy: measure with sim:") {
					t.Errorf("it told %q", &told)
				}
				if took := time.Since(begun); took > tt.ends || rows < 4*8 {
					t.Errorf("%d rows in %v", rows, took)
				}
			})
		})
	}
}
