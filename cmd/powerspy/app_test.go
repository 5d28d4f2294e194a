package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/config"
	"powerspy2/meter"
)

// inProcess runs the command in this process.
func inProcess(t *testing.T, vars map[string]string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), env{
		args: append([]string{"powerspy"}, args...), stdout: &out, stderr: &errs,
		getenv: func(k string) string { return vars[k] }, interrupt: func() {},
	})
	return out.String(), errs.String(), status
}

func TestExitStatus(t *testing.T) {
	kind := func(k error) error {
		return fmt.Errorf("around: %w", &meter.Error{Kind: k, Op: "x", Err: errors.New("y")})
	}
	tests := []struct {
		err     error
		status  int
		message string
	}{
		{nil, 0, ""},
		{errors.New("boom"), 1, "boom"},
		{&stdoutError{syscall.EPIPE}, 0, ""},
		{&stdoutError{&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}}, 1, "standard output: no space left on device"},
		{fmt.Errorf("link: %w", syscall.EPIPE), 1, "link: broken pipe"},
		{&usageError{text: "no", help: "powerspy help"}, 2, "no; type `powerspy help`"},
		{&config.Error{File: "f", Line: 3, Err: errors.New("bad")}, 2, "f:3: bad"},
		{kind(meter.ErrUsage), 2, "around: x: y"},
		{kind(meter.ErrInterval), 2, "around: x: y; give an interval such as 20ms, 250ms or 1s"},
		{kind(meter.ErrNotFound), 3, "around: x: y"},
		{kind(meter.ErrNotReady), 4, "around: x: y"},
		{kind(meter.ErrPairing), 5, "around: x: y"},
		{kind(meter.ErrNoAnswer), 6, "around: x: y"},
		{&toldError{kind(meter.ErrNotReady)}, 4, ""},
		{&gapsError{count: 1, total: 1500 * time.Millisecond}, 7, "finished, but with a gap: 1.5s was not measured"},
		{&gapsError{count: 2, total: time.Second, silent: true}, 7, ""},
		{fmt.Errorf("find: %w", context.Canceled), 1, "interrupted"},
	}
	for _, tt := range tests {
		if got := exitStatus(tt.err); got != tt.status {
			t.Errorf("%v: status %d, want %d", tt.err, got, tt.status)
		}
		if got := message(tt.err); got != tt.message {
			t.Errorf("%v: message %q, want %q", tt.err, got, tt.message)
		}
	}
}

// A flag set before or after the subcommand counts, and the one after wins.
func TestGlobalFlagsOnBothSides(t *testing.T) {
	tests := []struct {
		args          string
		device        string
		verbose, both bool
	}{
		{"measure", "", false, false},
		{"--device a measure", "a", false, false},
		{"-d a measure", "a", false, false},
		{"measure --device b", "b", false, false},
		{"measure -d b", "b", false, false},
		{"--device a measure -d b", "b", false, false},
		{"--verbose measure", "", true, false},
		{"-v measure", "", true, false},
		{"--debug measure -q", "", true, true},
		{"measure --debug", "", true, false},
		{"-q measure -v", "", true, true},
		{"--verbose measure --verbose=false", "", false, false},
	}
	for _, tt := range tests {
		app := newApp(env{getenv: func(string) string { return "" }})
		var device string
		var verbose, quiet bool
		app.Command("measure").Action = func(c *cli.Context) error {
			device, verbose, quiet = stringFlag(c, deviceFlag), boolFlag(c, verboseFlag), boolFlag(c, quietFlag)
			return nil
		}
		if err := app.RunContext(t.Context(), append([]string{"powerspy"}, strings.Fields(tt.args)...)); err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		if device != tt.device || verbose != tt.verbose || quiet != tt.both {
			t.Errorf("%s: device %q, verbose %v, quiet %v", tt.args, device, verbose, quiet)
		}
	}
}

// Every command explains itself with an example, in lines that fit a terminal.
func TestHelp(t *testing.T) {
	app := newApp(env{getenv: func(string) string { return "" }})
	for _, c := range app.Commands {
		if c.Name == "help" {
			continue
		}
		out, _, status := inProcess(t, nil, c.Name, "--help")
		if status != 0 {
			t.Errorf("%s --help: status %d", c.Name, status)
		}
		if !strings.Contains(c.Description, "Example") || !strings.Contains(c.Description, "    powerspy "+c.Name) && !strings.Contains(c.Description, "(powerspy "+c.Name) {
			t.Errorf("%s: no example in %q", c.Name, c.Description)
		}
		for line := range strings.Lines(out) {
			if len(strings.TrimRight(line, "\n")) > 120 {
				t.Errorf("%s --help: %d columns: %s", c.Name, len(line)-1, line)
			}
		}
		same, _, _ := inProcess(t, nil, "help", c.Name)
		if same != out {
			t.Errorf("help %s differs from %s --help", c.Name, c.Name)
		}
	}
}

func TestClosest(t *testing.T) {
	commands := []string{"measure", "setup", "scan", "info", "doctor", "sim", "completion"}
	for slip, want := range map[string]string{
		"mesure": "measure", "meas": "measure", "measrue": "measure", "Doctor": "doctor", "inf": "info",
		"setpu": "setup", "xyz": "", "": "", "reading": "", "scam": "scan",
	} {
		if got := closest(slip, commands); got != want {
			t.Errorf("%q: got %q, want %q", slip, got, want)
		}
	}
}

func TestDescribeBuild(t *testing.T) {
	built := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}},
	}
	tests := []struct {
		info            *debug.BuildInfo
		version, commit string
		want            string
	}{
		{&debug.BuildInfo{}, "", "", "(devel), unknown commit, go"},
		{built, "", "", "v1.2.3, commit 0123456789ab, modified, go"},
		{built, "v2.0.0", "feed", "v2.0.0, commit feed, go"},
	}
	for _, tt := range tests {
		if got := describeBuild(tt.info, tt.version, tt.commit); !strings.HasPrefix(got, tt.want) {
			t.Errorf("got %q, want %q...", got, tt.want)
		}
	}
}

func TestScanList(t *testing.T) {
	var out bytes.Buffer
	s := &session{env: env{stdout: &out}, progress: &progress{quiet: true}}
	paired, err := meter.ParseTarget("00:0B:CE:07:1D:32")
	if err != nil {
		t.Fatal(err)
	}
	named := paired
	named.Name = "PowerSpy 4567"
	other := paired
	other.Name = "Headset"
	l := &scanList{session: s, stop: func() {}}
	l.add(meter.Candidate{Target: paired, RSSI: -60, InRange: true})
	l.add(meter.Candidate{Target: named, RSSI: -60, InRange: true, PowerSpy: true})
	l.add(meter.Candidate{Target: other, InRange: true})
	l.add(meter.Candidate{Target: named, Paired: true, Trusted: true, PowerSpy: true})
	want := `ADDRESS              SIGNAL  STATE                     NAME
00:0B:CE:07:1D:32   -60 dBm  new                       PowerSpy 4567
00:0B:CE:07:1D:32         -  paired,trusted            PowerSpy 4567
`
	if out.String() != want || l.lines != 2 {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	out.Reset()
	l = &scanList{session: s, all: true, stop: func() {}}
	l.add(meter.Candidate{Target: paired, RSSI: -60, InRange: true})
	if !strings.Contains(out.String(), "(no name yet)") {
		t.Errorf("got %q", &out)
	}
}

func TestCheckLine(t *testing.T) {
	for want, c := range map[string]meter.Check{
		"ok   kernel: alive":    {Name: "kernel", OK: true, Detail: "alive"},
		"--   reach: not tried": {Name: "reach", Skipped: true, Detail: "not tried"},
		"FAIL power: it is off; next: type `bluetoothctl power on`": {Name: "power", Detail: "it is off", Err: meter.ErrAdapterOff},
	} {
		if got := checkLine(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
