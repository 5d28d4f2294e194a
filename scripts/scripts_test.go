// Package scripts tests the scripts that users and administrators run: real
// ones, in a world of stub commands that record their calls.
package scripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// stub is a command that records its call, and then does what the test says
// in a file named after it.
const stub = `#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
if [ -f "$STUBS/${0##*/}" ]; then . "$STUBS/${0##*/}"; fi
`

// stubs are the commands that change or ask the machine.
var stubs = []string{"systemctl", "rfkill", "usermod", "getent", "id", "loginctl", "systemd-escape", "systemd-run", "go", "powerspy", "sudo", "apt-get", "git", "qemu-system-x86_64"}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "called": called, "helps": helps},
	})
}

// setup makes the world of a test: a copy of this folder, so that a program which
// was built in the repository is not found, stubs, and nothing named powerspy
// but the stub: the user's own would look for a meter.
func setup(e *testscript.Env) error {
	work := func(name string) string { return filepath.Join(e.WorkDir, name) }
	path, err := withoutPowerspy(e.Getenv("PATH"), e.WorkDir)
	if err != nil {
		return err
	}
	for k, v := range map[string]string{
		"SCRIPTS": work("repository/scripts"), "HOME": work("home"), "STUBS": work("stubs"), "CALLS": work("calls"),
		"POWERSPY_SETUP_ROOT": work("root"), "XDG_RUNTIME_DIR": work("run"), "XDG_CACHE_HOME": work("cache"),
		"PATH": work("bin") + string(os.PathListSeparator) + path,
	} {
		e.Setenv(k, v)
	}
	for _, dir := range []string{"bin", "home", "run"} {
		if err := os.Mkdir(work(dir), 0o700); err != nil {
			return err
		}
	}
	for _, name := range stubs {
		if err := os.WriteFile(filepath.Join(work("bin"), name), []byte(stub), 0o700); err != nil {
			return err
		}
	}
	for dir, to := range map[string]string{".": "repository/scripts", "../.ci": "repository/.ci"} {
		if err := os.CopyFS(work(to), os.DirFS(dir)); err != nil {
			return err
		}
	}
	return os.WriteFile(work("repository/go.mod"), []byte("module powerspy2\n"), 0o600)
}

// withoutPowerspy returns the PATH without powerspy: a folder that has one is
// replaced by a copy, made of links in dir.
func withoutPowerspy(path, dir string) (string, error) {
	folders := filepath.SplitList(path)
	for i, folder := range folders {
		if _, err := os.Lstat(filepath.Join(folder, "powerspy")); err != nil {
			continue
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			return "", err
		}
		folders[i] = filepath.Join(dir, fmt.Sprint("path", i))
		if err := os.Mkdir(folders[i], 0o700); err != nil {
			return "", err
		}
		for _, e := range entries {
			if e.Name() == "powerspy" {
				continue
			}
			if err := os.Symlink(filepath.Join(folder, e.Name()), filepath.Join(folders[i], e.Name())); err != nil {
				return "", err
			}
		}
	}
	return strings.Join(folders, string(os.PathListSeparator)), nil
}

// helps checks that every script prints its usage when asked, and does nothing
// else.
func helps(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: helps")
	}
	scripts, err := filepath.Glob(filepath.Join(ts.Getenv("SCRIPTS"), "*.sh"))
	ts.Check(err)
	for _, name := range []string{"run", "setup", "test"} {
		scripts = append(scripts, filepath.Join(ts.Getenv("SCRIPTS"), "vm", name))
	}
	if len(scripts) < 10 {
		ts.Fatalf("scripts: %q", scripts)
	}
	for _, script := range scripts {
		for _, flag := range []string{"--help", "-h"} {
			ts.Check(ts.Exec(script, flag))
			want := "\nusage: scripts/" + strings.TrimPrefix(script, ts.Getenv("SCRIPTS")+"/")
			if got := ts.ReadFile("stdout"); !strings.Contains(got, want) || strings.Contains(got, "set -") {
				ts.Fatalf("%s %s prints %q, want it to have %q", script, flag, got, want)
			}
			if got := ts.ReadFile("stderr"); got != "" {
				ts.Fatalf("%s %s complains: %q", script, flag, got)
			}
		}
	}
}

// exits runs a script of the project that has to end with an exit status:
// exits STATUS SCRIPT [ARGUMENT...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS SCRIPT [ARGUMENT...]")
	}
	run := `"$@"; echo "exit status $?" >"$WORK/status"`
	ts.Check(ts.Exec("bash", append([]string{"-c", run, "bash", ts.Getenv("SCRIPTS") + "/" + args[1]}, args[2:]...)...))
	if got, want := strings.TrimSpace(ts.ReadFile("status")), "exit status "+args[0]; got != want {
		ts.Fatalf("%q: %s, want %s", args[1:], got, want)
	}
}

// called checks that these calls, and no others that change anything, were
// made since it was asked last: called [CALL]...
func called(ts *testscript.TestScript, neg bool, want []string) {
	if neg {
		ts.Fatalf("usage: called [CALL]...")
	}
	path := ts.MkAbs("calls")
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.RemoveAll(path))
	var got []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		asks := slices.ContainsFunc([]string{
			"id ", "getent ", "systemctl cat ", "systemctl is-", "systemctl --user is-", "loginctl show-", "systemd-escape ", "systemd-run ",
		}, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
		if !asks {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		ts.Fatalf("calls %q, want %q", got, want)
	}
}

// command makes a command whose absence is a failure that says what to do.
func command(t *testing.T, name, pkg string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; type `sudo apt-get install %s`, or run scripts/test.sh, which does", err, pkg)
	}
	return exec.Command(path, args...)
}

// verify returns what systemd has to say about a unit of a user, whose program
// is installed.
func verify(t *testing.T, unit string) string {
	t.Helper()
	home, run := t.TempDir(), t.TempDir()
	bin := filepath.Join(home, ".local/bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "powerspy"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "systemd-analyze", "systemd", "--user", "--man=no", "verify", unit)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+run, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error() + "\n" + string(out)
	}
	return string(out)
}

// exposure is how exposed a unit is, by `systemd-analyze security`: from 0 to 10.
func exposure(t *testing.T, unit string) float64 {
	t.Helper()
	cmd := command(t, "systemd-analyze", "systemd", "--user", "--no-pager", "--offline=true", "security", unit)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_RUNTIME_DIR="+t.TempDir(), "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, level, ok := strings.Cut(string(out), "Overall exposure level for ")
	fields := strings.Fields(level)
	if !ok || len(fields) < 2 {
		t.Fatalf("no exposure in %s", out)
	}
	v, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The service is left as little as it needs.
func TestUnitsExposure(t *testing.T) {
	const most = 3.0
	dir := t.TempDir()
	for _, unit := range []string{"powerspy.service", "powerspy@.service", "powerspy-serve.service"} {
		text := readFile(t, "systemd/"+unit)
		// An instance, which is what runs.
		path := filepath.Join(dir, strings.Replace(unit, "@.", "@meter.", 1))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := exposure(t, path); got >= most {
			t.Errorf("%s: exposure %v, want less than %v", unit, got, most)
		}
	}
	// What takes back the namespaces takes back all that needs them, and no more.
	for _, line := range settings(t, "systemd/no-namespaces.conf") {
		key, _, _ := strings.Cut(line, "=")
		if line != "[Service]" && !slices.ContainsFunc(settings(t, "systemd/powerspy.service"), func(s string) bool { return strings.HasPrefix(s, key+"=") }) {
			t.Errorf("no-namespaces.conf has %s, which the unit has not", key)
		}
	}
	for _, line := range settings(t, "systemd/powerspy.service") {
		key, _, _ := strings.Cut(line, "=")
		namespaced := strings.HasPrefix(key, "Protect") || strings.HasPrefix(key, "Private") || key == "CapabilityBoundingSet"
		if namespaced != slices.ContainsFunc(settings(t, "systemd/no-namespaces.conf"), func(s string) bool { return strings.HasPrefix(s, key+"=") }) {
			t.Errorf("no-namespaces.conf does not agree about %s", key)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, unit := range []string{"powerspy.service", "powerspy@.service", "powerspy-serve.service", "powerspy-serve.socket"} {
		if got := verify(t, filepath.Join("systemd", unit)); got != "" {
			t.Errorf("%s: %s", unit, got)
		}
	}
	// What verifies everything verifies nothing.
	bad := filepath.Join(t.TempDir(), "powerspy.service")
	text := strings.Replace(readFile(t, "systemd/powerspy.service"), "WatchdogSec=", "WatchdogSek=", 1)
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := verify(t, bad); !strings.Contains(got, "WatchdogSek") {
		t.Errorf("a bad unit passed: %q", got)
	}
}

// The unit of a named meter is the other one, but for the meter's name.
func TestUnitsAgree(t *testing.T) {
	plain, named := settings(t, "systemd/powerspy.service"), settings(t, "systemd/powerspy@.service")
	for i, line := range named {
		line = strings.Replace(line, ", %I", "", 1)
		line = strings.Replace(line, " --device %I", "", 1)
		named[i] = strings.Replace(line, "-%i.jsonl", ".jsonl", 1)
	}
	if !slices.Equal(plain, named) {
		t.Errorf("the units differ:\n%q\n%q", plain, named)
	}
	for _, want := range []string{
		"Type=notify", "NotifyAccess=main", "Restart=on-failure", "StartLimitIntervalSec=0", "KillSignal=SIGTERM",
		"ExecReload=/bin/kill -HUP $MAINPID", "WatchdogSec=5min", "UMask=0077",
	} {
		if !slices.Contains(plain, want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
	for _, line := range plain {
		if strings.HasPrefix(line, "RestrictAddressFamilies=") && (!strings.Contains(line, "AF_BLUETOOTH") || !strings.Contains(line, "AF_UNIX")) {
			t.Errorf("%s keeps the meter or BlueZ away", line)
		}
		if strings.HasPrefix(line, "PrivateNetwork=") || strings.HasPrefix(line, "RestartPreventExitStatus=") {
			t.Errorf("%s ends it for good", line)
		}
	}
}

// The server is kept in by what the measuring service is kept in by.
func TestServerUnitAgrees(t *testing.T) {
	server := settings(t, "systemd/powerspy-serve.service")
	own := []string{"Description", "Requires", "After", "Conflicts", "ExecStart", "ExecStartPre", "SuccessExitStatus", "TimeoutStartSec"}
	for _, line := range settings(t, "systemd/powerspy.service") {
		key, _, _ := strings.Cut(line, "=")
		if !slices.Contains(own, key) && !slices.Contains(server, line) {
			t.Errorf("the server's unit lacks %s", line)
		}
	}
}

// settings returns the lines of a unit that are no comments.
func settings(t *testing.T, path string) []string {
	t.Helper()
	return slices.DeleteFunc(strings.Split(readFile(t, path), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
