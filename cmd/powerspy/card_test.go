package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"powerspy2/internal/progress"
	"powerspy2/powerspy/sim"
)

// entries lists what is in a directory, hidden or not.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// measures reports whether the meter does.
func measures(t *testing.T, device string) {
	t.Helper()
	if got := printed(t, "measure", "--device", device, "--interval", "20ms", "--count", "1"); strings.Count(got, "\n") != 1 {
		t.Errorf("measure printed %q", got)
	}
}

// Ctrl-C and SIGTERM in the middle of a file leave nothing of it, and a meter
// that works; get-all goes on from there.
func TestInterruptedTransfer(t *testing.T) {
	t.Parallel()
	// The link needs a moment to close, in which the next client waits.
	device := serveSim(t, "delay=5ms,jitter=0s,stall=0,busy=wait,files=5000/200000/300")
	const middle = "> <X120902 0003>"
	dir := t.TempDir()
	interrupt := func(s os.Signal, args ...string) {
		t.Helper()
		p := start(t, append([]string{"files", args[0], "-v", "--device", device}, args[1:]...)...)
		p.told(middle) // and nobody reads on, so that it can't get to the end
		p.signal(s)
		p.told("powerspy: interrupted")
		if got := p.wait(); got.ExitCode() != 1 {
			t.Errorf("%q: %v, want exit status 1", args, got)
		}
	}

	interrupt(os.Interrupt, "get", "120902.DAT", filepath.Join(dir, "got.dat"))
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("get left %q", left)
	}
	measures(t, device)
	old := filepath.Join(dir, "old.dat")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	interrupt(syscall.SIGTERM, "get", "--force", "120902.DAT", old)
	if got, err := os.ReadFile(old); string(got) != "old" {
		t.Errorf("the older file is %q, %v", got, err)
	}

	logs := filepath.Join(dir, "logs")
	interrupt(os.Interrupt, "get-all", logs)
	if left := entries(t, logs); !slices.Equal(left, []string{"120901.DAT"}) {
		t.Errorf("get-all left %q", left)
	}
	measures(t, device)

	p := start(t, "files", "get-all", "-v", "--device", device, logs)
	said, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Error(err)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Errorf("get-all again: %v", got)
	}
	for text, want := range map[string]int{
		"powerspy: file 1 of 3, 120901.DAT: already there\n":                                                1,
		"powerspy: file 2 of 3, 120902.DAT: 200000 bytes written to " + filepath.Join(logs, "120902.DAT\n"): 1,
		"> <X120901 0001>": 0, // the first block was enough to know it
		"> <X120902 0061>": 1,
		"> <X120903 0000>": 1,
	} {
		if got := strings.Count(string(said), text); got != want {
			t.Errorf("%q was told %d times, not %d", text, got, want)
		}
	}
	if got := entries(t, logs); len(got) != 3 || sizeOf(filepath.Join(logs, "120902.DAT")) != 200000 {
		t.Errorf("in the end there are %q", got)
	}
}

// A full disk, as far as a limit on the size of files shows it, in the middle of
// a file.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	device := serveSim(t, "delay=0s,jitter=0s,stall=0,busy=wait,files=5000")
	dir := t.TempDir()
	for _, args := range [][]string{{"get", "120901.DAT", filepath.Join(dir, "got")}, {"get-all", dir}} {
		p := startProgram(t, "bash", append([]string{"-c", `ulimit -f 2; exec powerspy files "$1" --device "$2" "${@:3}"`, "bash", args[0], device}, args[1:]...)...)
		said, err := io.ReadAll(p.stderr)
		if got := p.wait(); got.ExitCode() != 1 || err != nil || !strings.Contains(string(said), "powerspy: fetch 120901.DAT to "+dir) || !strings.Contains(string(said), ": file too large\n") {
			t.Errorf("%s: %v, %q", args[0], got, said)
		}
		if left := entries(t, dir); len(left) > 0 {
			t.Errorf("%s left %q", args[0], left)
		}
		measures(t, device)
	}
}

// A name that is not on the card makes no file, and the meter goes on.
func TestNoSuchFile(t *testing.T) {
	t.Parallel()
	device := serveSim(t, "delay=0s,jitter=0s,stall=0,busy=wait,files=100")
	dir := t.TempDir()
	for _, args := range [][]string{{"get", "NONE00.DAT", filepath.Join(dir, "got")}, {"remove", "--yes", "NONE00.DAT"}} {
		p := start(t, append([]string{"files", args[0], "--device", device}, args[1:]...)...)
		p.told(`powerspy: find "NONE00.DAT" on ` + device + ": no such file on the SD card; `powerspy files list` lists them")
		if got := p.wait(); got.ExitCode() != 2 {
			t.Errorf("%s: %v, want exit status 2", args[0], got)
		}
		if left := entries(t, dir); len(left) > 0 {
			t.Errorf("%s left %q", args[0], left)
		}
		measures(t, device)
	}
}

// The bar of a transfer on a terminal, and that Ctrl-C clears it.
func TestTransferThenCtrlC(t *testing.T) {
	t.Parallel()
	device := serveSim(t, "delay=50ms,jitter=0s,stall=0,busy=wait,files=0/1000000")
	person, cmd := startOnTerminal(t, "files", "get", "--device", device, "120902.DAT", filepath.Join(t.TempDir(), "got"))
	person.until("120902.DAT")
	person.until("/1.0 MB")
	person.typeIn("\x03")
	person.until(progress.ClearLine + "powerspy: interrupted")
	go person.drain()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("got %v, want exit status 1", err)
	}
}

// A log of the same day and size that is not the one fetched before: both are
// kept.
func TestAnotherLog(t *testing.T) {
	dir := t.TempDir()
	for _, seed := range []string{"seed=1", "seed=2", "seed=2"} {
		printed(t, "files", "get-all", "--device", quickSim+",files=5000,"+seed, dir)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"120901.DAT", "120901.DAT.1"}) {
		t.Errorf("there are %q", got)
	}
}

// A kill -9 in the middle of a file leaves half of it under a hidden name, which
// the next run removes.
func TestKilledTransfer(t *testing.T) {
	t.Parallel()
	device := serveSim(t, "delay=5ms,jitter=0s,stall=0,busy=wait,files=5000/200000")
	dir := t.TempDir()
	p := start(t, "files", "get-all", "-v", "--device", device, dir)
	p.told("> <X120902 0003>") // and nobody reads on, so that it can't get to the end
	p.signal(syscall.SIGKILL)
	p.wait()
	if left := entries(t, dir); len(left) != 2 || !strings.HasPrefix(left[0], ".120902.DAT") || left[1] != "120901.DAT" {
		t.Fatalf("left are %q", left)
	}
	printed(t, "files", "get-all", "-q", "--device", device, dir)
	if left := entries(t, dir); !slices.Equal(left, []string{"120901.DAT", "120902.DAT"}) {
		t.Errorf("there are %q", left)
	}
}

// serveMeter serves a simulated meter for the time of the test.
func serveMeter(t *testing.T, m *sim.Meter) (device string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- m.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the simulator: %v", err)
		}
	})
	return "tcp://" + l.Addr().String()
}

// What a card says can't reach outside of the directory, nor the terminal.
func TestHostileCard(t *testing.T) {
	m := sim.New(sim.Config{})
	bad := []string{"..", ".bashrc", "../../x.DAT", "\x1b[2J\a.DAT", "a\x00b.DAT", "120901.dat", "120901.TXT", "......DAT", "\u202e9876.DAT", "120901.DAT\n"}
	files := []sim.File{{Name: "120901.DAT", Content: []byte("good")}}
	for _, name := range bad {
		files = append(files, sim.File{Name: name, Content: []byte("bad")})
	}
	m.SetFiles(files)
	device := serveMeter(t, m)
	outside := t.TempDir()
	dir := filepath.Join(outside, "logs")
	if err := os.WriteFile(filepath.Join(outside, ".bashrc"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "files", "get-all", "--device", device, dir)
	said, err := io.ReadAll(p.stderr)
	if got := p.wait(); got.ExitCode() != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"120901.DAT"}) {
		t.Errorf("in the directory there are %q", got)
	}
	if got := entries(t, outside); !slices.Equal(got, []string{".bashrc", "logs"}) {
		t.Errorf("outside there are %q", got)
	}
	if strings.ContainsFunc(string(said), func(r rune) bool { return r != '\n' && r < ' ' || r > '~' }) || !strings.Contains(string(said), `skipped an entry of the list that is not a log: "..:3"`) {
		t.Errorf("it told %q", said)
	}
	for _, args := range [][]string{{"get", "..", "-o", "x"}, {"get", ".bashrc"}, {"remove", "--yes", "../../x.DAT"}} {
		p := start(t, append([]string{"files", args[0], "--device", device}, args[1:]...)...)
		if got := p.wait(); got.ExitCode() != 2 {
			t.Errorf("%q: %v", args, got)
		}
	}
	if got := len(m.Files()); got != len(files) {
		t.Errorf("%d of %d files are left on the card", got, len(files))
	}
}
