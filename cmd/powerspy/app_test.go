package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/config"
	"powerspy2/internal/harmless"
	"powerspy2/internal/progress"
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
		{&cli.UsageError{Text: "no", Help: "powerspy help"}, 2, "no; type `powerspy help`"},
		{&config.Error{File: "f", Line: 3, Err: errors.New("bad")}, 4, "f:3: bad"},
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

// Every command explains itself with an example, in lines that fit a terminal.
func TestHelp(t *testing.T) {
	p := newProgram(env{getenv: func(string) string { return "" }})
	var commands []string
	for _, c := range p.Commands {
		commands = append(commands, c.Name)
		for _, sub := range c.Commands {
			commands = append(commands, c.Name+" "+sub.Name)
		}
	}
	for _, name := range append(commands, "") {
		words := strings.Fields(name)
		c := p.Find(words...)
		out, _, status := inProcess(t, nil, append(words, "--help")...)
		if status != 0 {
			t.Errorf("%s --help: status %d", name, status)
		}
		if c != nil && (!strings.Contains(c.Description, "Example") || !strings.Contains(c.Description, "powerspy "+name)) {
			t.Errorf("%s: no example in %q", name, c.Description)
		}
		for line := range strings.Lines(out) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 79 {
				t.Errorf("%s --help: %d columns: %s", name, n, line)
			}
		}
		same, _, _ := inProcess(t, nil, append([]string{"help"}, words...)...)
		if same != out {
			t.Errorf("help %s differs from %s --help", name, name)
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
	s := &session{env: env{stdout: &out}, progress: &progress.Teller{Quiet: true}}
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

// newProgram returns the command line without running it.
func newProgram(e env) *cli.Program { return (&app{env: e}).program() }

// What is told on standard error can't drive a terminal, whatever a file is called.
func TestToldIsHarmless(t *testing.T) {
	name := "evil\x1b[2J\a\u202e.jsonl"
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte("no recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"convert", name}, {"convert", file}, {"report", name}, {"measure", "--device", name}, {"measure", name},
		{"measure", "--device", "sim:", "--record", file}, {"run", "--baseline", file, "--device", "sim:", "true"}, {name}, {"scan", "--" + name},
	} {
		var errs bytes.Buffer
		status := run(t.Context(), env{
			args: append([]string{"powerspy"}, args...), stdout: io.Discard, stderr: &errs,
			getenv: func(string) string { return "" }, interrupt: func() {},
		})
		if text := errs.String(); status == 0 || !strings.Contains(text, "evil") || harmless.Check(strings.ReplaceAll(text, "\n", "")) != nil {
			t.Errorf("%q: status %d, %q", args, status, text)
		}
	}
	var told bytes.Buffer
	p := &progress.Teller{Out: &told}
	p.Line("first\nsecond %s", name)
	p.Report(meter.Status{Phase: meter.Noticed, Text: name})
	if want := "powerspy: first\nsecond evil\\x1b[2J\\a\\u202e.jsonl\npowerspy: evil\\x1b[2J\\a\\u202e.jsonl\n"; told.String() != want {
		t.Errorf("%q", told.String())
	}
}
