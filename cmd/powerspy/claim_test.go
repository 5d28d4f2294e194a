package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"powerspy2/internal/owner"
	"powerspy2/internal/progress"
	"powerspy2/meter"
)

// A second command does not disturb the first, and says who that is.
func TestMeterInUse(t *testing.T) {
	server := start(t, "sim", "--tcp", "127.0.0.1:0", "delay=0s,jitter=0s,stall=0")
	server.line()
	device, ok := strings.CutPrefix(server.line(), "try: powerspy measure --device ")
	if !ok {
		t.Fatal("the simulator does not say what to try")
	}
	first := start(t, "measure", "--device", device, "--pin", "4711", "--interval", "20ms")
	first.line()
	for _, command := range []string{"measure", "info"} {
		second := start(t, command, "-q", "--device", device)
		said, err := second.stderr.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`^powerspy: connect to %[2]s: it is in use by pid %[1]d \(user [^ ]+, `+"`powerspy measure --device %[2]s"+
			` --pin \*\*\* --interval 20ms`+"`"+`\) since [0-9: -]+; stop it, or wait\n$`, first.cmd.Process.Pid, regexp.QuoteMeta(device))
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("%s: got %q, want %s", command, said, want)
		}
		if got := second.wait(); got.ExitCode() != 6 {
			t.Errorf("%s: %v, want exit status 6", command, got)
		}
	}
	first.line() // it goes on
	first.signal(syscall.SIGKILL)
	first.wait()
	next := start(t, "measure", "-q", "--device", device, "--interval", "20ms", "--count", "1")
	next.line()
	if got := next.wait(); got.ExitCode() != 0 {
		t.Errorf("after the death of the first: %v", got)
	}
}

// Without a place for locks there is a word about it, and a measurement.
func TestNoPlaceForLocks(t *testing.T) {
	t.Setenv("TMPDIR", "/dev/null")
	var told strings.Builder
	s := &session{
		env:      env{args: []string{"powerspy"}, getenv: func(string) string { return "/dev/null" }},
		progress: &progress.Teller{Out: &told},
	}
	target := meter.Target{Kind: meter.TCP, Host: "no-place:1"}
	release, err := s.claim(target)
	switch {
	case err != nil:
		t.Error(err)
	case release != nil:
		// This user has a directory in /run/user, which is used instead.
		if err := release(); err != nil || told.Len() > 0 {
			t.Errorf("release: %v; said %q", err, told.String())
		}
	case !strings.HasPrefix(told.String(), "powerspy: continuing without a lock on the meter: lock directory "):
		t.Errorf("said %q", told.String())
	}
	if release, err := s.claim(meter.Target{Kind: meter.Simulated}); release != nil || err != nil {
		t.Errorf("a simulated meter was claimed: %v", err)
	}
}

// Whoever has to mend the directory of the locks is named.
func TestPlaceAdvice(t *testing.T) {
	for _, tt := range []struct {
		place owner.PlaceError
		want  string
	}{
		{owner.PlaceError{Path: "/tmp/powerspy-1", Owner: "mallory", Err: errors.New("it belongs to another user, mallory")},
			"lock directory /tmp/powerspy-1: it belongs to another user, mallory; ask mallory, or an administrator, to remove it, or set XDG_RUNTIME_DIR to a directory that only you may enter"},
		{owner.PlaceError{Path: "/tmp/powerspy-1", Err: syscall.EROFS},
			"lock directory /tmp/powerspy-1: read-only file system; set XDG_RUNTIME_DIR to a directory that only you may enter"},
	} {
		if got := sentence(&tt.place); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
