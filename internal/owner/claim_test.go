package owner

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
	"powerspy2/meter"
)

const key = "00:0B:CE:07:1D:32"

var alice = Holder{PID: 123, User: "alice", Command: "powerspy measure", Since: time.Date(2026, 11, 25, 12, 3, 0, 0, time.UTC)}

// testPlace is a place of the test's own, with a runtime directory.
func testPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return place{
		getenv: func(k string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[k] },
		run:    filepath.Join(dir, "none"), temp: t.TempDir(), uid: os.Getuid(),
	}
}

func TestClaim(t *testing.T) {
	p := testPlace(t)
	release, err := p.claim(key, alice)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.claim(key, Holder{PID: 9})
	var held *HeldError
	if !errors.Is(err, ErrHeld) || !errors.As(err, &held) {
		t.Fatalf("got %v, want ErrHeld", err)
	}
	if diff := cmp.Diff(alice, held.Holder); diff != "" {
		t.Errorf("unexpected holder (-want +got):\n%s", diff)
	}
	other, err := p.claim("tcp://host:1", alice)
	if err != nil {
		t.Fatalf("another meter: %v", err)
	}
	if err := errors.Join(release(), other()); err != nil {
		t.Fatal(err)
	}
	// The next holder has a shorter name, of which nothing of the last is left.
	bob := Holder{PID: 9, User: "b", Command: "x", Since: alice.Since}
	release, err = p.claim(key, bob)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	defer release()
	if _, err = p.claim(key, alice); !errors.As(err, &held) || held.Holder != bob {
		t.Errorf("got %v, want %v", err, bob)
	}
}

// What a dead process left behind, or somebody wrote, keeps nobody out.
func TestStaleFile(t *testing.T) {
	p := testPlace(t)
	dir := filepath.Join(p.getenv("XDG_RUNTIME_DIR"), "powerspy")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fileName(key)), []byte("{\"pid\":1"), 0o644); err != nil {
		t.Fatal(err)
	}
	release, err := p.claim(key, alice)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	info, err := os.Stat(filepath.Join(dir, fileName(key)))
	if err != nil {
		t.Fatal(err)
	}
	if want := 0o600 | fs.ModeSticky; info.Mode() != want {
		t.Errorf("mode %v, want %v", info.Mode(), want)
	}
}

// A text that can't be read still is somebody.
func TestDamagedText(t *testing.T) {
	p := testPlace(t)
	release, err := p.claim(key, alice)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	file := filepath.Join(p.getenv("XDG_RUNTIME_DIR"), "powerspy", fileName(key))
	if err := os.WriteFile(file, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.claim(key, alice); !errors.Is(err, ErrHeld) || err.Error() != "it is in use by another process" {
		t.Errorf("got %v", err)
	}
}

// A lock file that was removed is none: the claim is of the one with the name.
func TestRemovedFile(t *testing.T) {
	p := testPlace(t)
	release, err := p.claim(key, alice)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	root, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Remove(fileName(key)); err != nil {
		t.Fatal(err)
	}
	f, current, err := lock(root, fileName(key), os.O_CREATE)
	if err != nil || !current {
		t.Fatalf("a new file: %v, %v", current, err)
	}
	f.Close()
}

// lockFiles are the names of the lock files in a place.
func lockFiles(t *testing.T, p place) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(p.getenv("XDG_RUNTIME_DIR"), "powerspy", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		names[i] = filepath.Base(name)
	}
	return names
}

// Lock files go with their holders: with those that end, and, at the next claim,
// with those that were killed. Others stay.
func TestFilesAreRemoved(t *testing.T) {
	p := testPlace(t)
	release, err := p.claim(key, Self([]string{"powerspy"}))
	if err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(p.getenv("XDG_RUNTIME_DIR"), "powerspy")
	for name, text := range map[string]string{
		"killed.lock":  fmt.Sprintf(`{"pid":%d}`, dead.ProcessState.Pid()),
		"damaged.lock": `{"pid":`,
		"tty":          fmt.Sprintf(`{"pid":%d}`, dead.ProcessState.Pid()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := p.claim("tcp://localhost:1", alice)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{fileName(key), "damaged.lock", fileName("tcp://localhost:1"), "tty"}
	if diff := cmp.Diff(want, lockFiles(t, p)); diff != "" {
		t.Errorf("while two are held (-want +got):\n%s", diff)
	}
	if err := errors.Join(release(), other()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"damaged.lock", "tty"}, lockFiles(t, p)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

// Claims and releases of many at once never let two hold one key.
func TestClaimsAtOnce(t *testing.T) {
	p := testPlace(t)
	var holders atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				release, err := p.claim(key, Self([]string{"powerspy"}))
				if err != nil {
					continue
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				holders.Add(-1)
				if err := release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := lockFiles(t, p); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

// TestMain lets this test binary be a process that holds a meter.
func TestMain(m *testing.M) {
	if os.Getenv("OWNER_TEST_CLAIM") == "" {
		os.Exit(m.Run())
	}
	if _, err := Claim(os.Getenv, key, Self(os.Args)); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("claimed\n")
	select {}
}

func TestKilledProcessReleases(t *testing.T) {
	p := testPlace(t)
	cmd := exec.Command(os.Args[0], "measure", "--pin", "4711", "--output", "power.csv")
	cmd.Env = append(os.Environ(), "OWNER_TEST_CLAIM=1", "XDG_RUNTIME_DIR="+p.getenv("XDG_RUNTIME_DIR"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "claimed\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	var held *HeldError
	if _, err := p.claim(key, alice); !errors.As(err, &held) {
		t.Fatalf("got %v, want a HeldError", err)
	}
	if held.Holder.PID != cmd.Process.Pid || held.Holder.Command != "owner.test measure --pin *** --output power.csv" {
		t.Errorf("the holder is %v", held.Holder)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatal(err)
	}
	release, err := p.claim(key, alice)
	if err != nil {
		t.Fatalf("after the death of the holder: %v", err)
	}
	release()
}

func TestKey(t *testing.T) {
	dir := t.TempDir()
	tty := filepath.Join(dir, "tty")
	if err := os.WriteFile(tty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tty", filepath.Join(dir, "by-id")); err != nil {
		t.Fatal(err)
	}
	tty, err := filepath.EvalSymlinks(tty)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		target meter.Target
		want   string
	}{
		{meter.Target{Kind: meter.Bluetooth, Name: "PowerSpy 4567", Address: bdaddr.Address{0, 0x0B, 0xCE, 7, 0x1D, 0x32}}, key},
		{meter.Target{Kind: meter.Serial, Path: filepath.Join(dir, "by-id")}, tty},
		{meter.Target{Kind: meter.Serial, Path: filepath.Join(dir, "./x/../tty")}, tty},
		{meter.Target{Kind: meter.Serial, Path: "/no/such"}, "/no/such"},
		{meter.Target{Kind: meter.TCP, Host: "Lab:4000"}, "tcp://lab:4000"},
		{meter.Target{Kind: meter.TCP, Host: "lab.:04000"}, "tcp://lab:4000"},
		{meter.Target{Kind: meter.TCP, Host: "localhost:4000"}, "tcp://localhost:4000"},
		{meter.Target{Kind: meter.TCP, Host: "127.0.0.1:4000"}, "tcp://localhost:4000"},
		{meter.Target{Kind: meter.TCP, Host: "[::1]:4000"}, "tcp://localhost:4000"},
		{meter.Target{Kind: meter.TCP, Host: "[::ffff:127.0.0.1]:4000"}, "tcp://localhost:4000"},
		{meter.Target{Kind: meter.TCP, Host: "127.0.0.2:4000"}, "tcp://127.0.0.2:4000"}, // perhaps another bridge
		{meter.Target{Kind: meter.Simulated, Sim: "load=wave"}, ""},
		{meter.Target{Kind: meter.Any}, ""},
	}
	for _, tt := range tests {
		if got := Key(tt.target); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.target, got, tt.want)
		}
	}
}

func TestFileName(t *testing.T) {
	seen := map[string]string{}
	for _, k := range []string{
		key, "/dev/rfcomm0", "/dev%2Frfcomm0", "tcp://[::1]:4000", "..", "a/../../b",
		"/" + strings.Repeat("x", 300), "/" + strings.Repeat("x", 301),
	} {
		name := fileName(k)
		if strings.Contains(name, "/") || len(name) > 255 || filepath.Base(name) != name {
			t.Errorf("%q: the name %q", k, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q share %q", k, other, name)
		}
		seen[name] = k
	}
}
