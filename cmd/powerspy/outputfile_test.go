package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"powerspy2/powerspy/sim"
)

// wholeLines matches output that has nothing but whole lines in it.
var wholeLines = regexp.MustCompile(`\A(\d{16} \d+\n)*\z`)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func linesIn(b []byte) int { return bytes.Count(b, []byte("\n")) }

// kill -9 at a hundred random moments: a whole line is never lost, and a torn
// one is gone after the next start. The kernel writes a line of some bytes whole
// or not at all, so that every other time half a line is put in its place, as
// a power failure leaves it.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	const files, kills = 4, 25
	for seed := range uint64(files) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			killWhileWriting(t, rand.New(rand.NewPCG(seed, 9)), kills)
		})
	}
}

// killWhileWriting kills so many commands that write to the same file, one after
// the other.
func killWhileWriting(t *testing.T, random *rand.Rand, kills int) {
	path := filepath.Join(t.TempDir(), "out")
	var whole []byte // what has to be at the start of the file
	torn := 0        // bytes to be cut off by the next start
	home := "HOME=" + t.TempDir()
	for i := range kills {
		var stderr bytes.Buffer
		cmd := exec.Command("powerspy", "measure", "--device", quickSim, "--interval", "20ms", "--unit", "uW", "--output", path)
		cmd.Env = append(os.Environ(), home, "XDG_CONFIG_HOME=", "POWERSPY_DEVICE=")
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		after := func(d time.Duration) {
			select {
			case err := <-ended:
				t.Fatalf("kill %d: %v before it was killed:\n%s", i, err, stderr.Bytes())
			case <-time.After(d):
			}
		}
		// Now and then it is still starting; else it has written some lines.
		if i%4 > 0 {
			lines := linesIn(whole) + 1 + random.IntN(3)
			for got, _ := os.ReadFile(path); linesIn(got) < lines; got, _ = os.ReadFile(path) {
				after(time.Millisecond)
			}
		}
		after(time.Duration(random.IntN(40_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-ended
		got, err := os.ReadFile(path)
		if os.IsNotExist(err) && whole == nil {
			continue // killed before it began
		} else if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(got, whole) {
			t.Fatalf("kill %d: whole lines were lost:\n%s", i, stderr.Bytes())
		}
		if torn > 0 && bytes.Equal(got[len(whole):], tear[:torn]) {
			continue // killed before the file was opened
		}
		if torn > 0 && !strings.Contains(stderr.String(), fmt.Sprintf("%d bytes", torn)) {
			t.Fatalf("kill %d: does not say that %d bytes were cut off:\n%s", i, torn, stderr.Bytes())
		}
		// The new lines, the last of which the kill may have torn.
		end := bytes.LastIndexByte(got, '\n') + 1
		if !wholeLines.Match(got[:end]) {
			t.Fatalf("kill %d: torn lines in %q", i, got[len(whole):end])
		}
		whole, torn = got[:end:end], len(got)-end
		if torn == 0 && i%2 == 0 && len(whole) > 0 {
			torn = 1 + random.IntN(len(tear))
			if err := os.WriteFile(path, append(whole, tear[:torn]...), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := start(t, "measure", "--device", quickSim, "--interval", "20ms", "--unit", "uW", "--count", "1", "--output", path)
	if got := p.wait(); got.ExitCode() != 0 {
		t.Fatal(got)
	}
	got := readFile(t, path)
	if !bytes.HasPrefix(got, whole) || !wholeLines.Match(got) || linesIn(got[len(whole):]) != 1 {
		t.Errorf("after the last start: %q behind %d bytes", got[min(len(whole), len(got)):], len(whole))
	}
}

// tear is what a power failure may leave of a line.
var tear = []byte("1764100000000000 12345678\x00\x00\x00\x00\x00\x00\x00\x00")

// frames waits until so many more frames have come from the meter; the command
// is verbose.
func (p *process) frames(n int) {
	p.t.Helper()
	for n > 0 {
		l, err := p.stderr.ReadString('\n')
		if err != nil {
			p.t.Fatalf("standard error ended with %d frames to come: %v", n, err)
		}
		if len(l) > 30 && strings.HasPrefix(l, "< <0") {
			n--
		}
	}
}

// sizeOf returns the size of a file, -1 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

// logrotate: files are moved away while readings come, and SIGHUP opens a new
// one. No reading is lost or written twice.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	p := start(t, "measure", "-v", "--device", quickSim, "--interval", "20ms", "--live", "--summary", "--output", path, "--sync", "50ms")
	const rotations = 5
	var files []string
	for i := range rotations {
		// A reading comes some frames after its last window.
		for p.frames(5); sizeOf(path) <= 0; {
			p.frames(1)
		}
		old := fmt.Sprintf("%s.%d", path, i)
		if err := os.Rename(path, old); err != nil {
			t.Fatal(err)
		}
		files = append(files, old)
		p.signal(syscall.SIGHUP)
		// It is there as soon as the signal has been handled; frames go on.
		for sizeOf(path) < 0 {
			p.frames(1)
		}
	}
	p.frames(5)
	p.signal(os.Interrupt)
	told, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Fatal(got)
	}
	var want int
	if m := regexp.MustCompile(`(?m)^measured .*, (\d+) readings$`).FindSubmatch(told); m != nil {
		want, _ = strconv.Atoi(string(m[1]))
	}
	var all []byte
	for _, f := range append(files, path) {
		part := readFile(t, f)
		if len(part) == 0 {
			t.Errorf("%s is empty", f)
		}
		all = append(all, part...)
	}
	if n := linesIn(all); n != want || n < rotations || !wholeLines.Match(all) {
		t.Errorf("%d lines of %d readings:\n%s", n, want, all)
	}
	last := ""
	for line := range strings.Lines(string(all)) {
		if line[:16] <= last[:min(16, len(last))] {
			t.Errorf("%q after %q", line, last)
		}
		last = line
	}
}

// A file that can't be reopened is told, also when quiet, and the old one
// gets the readings.
func TestRotationFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out")
	p := start(t, "measure", "-q", "--device", quickSim, "--interval", "20ms", "--output", path)
	for sizeOf(path) <= 0 {
		<-time.After(time.Millisecond)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.told("powerspy: output " + path + ": reopening it on SIGHUP: no such file or directory; make its directory first: `mkdir -p " + dir + "`")
	p.signal(os.Interrupt)
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
	if got := readFile(t, filepath.Join(dir+".old", "out")); !wholeLines.Match(got) {
		t.Errorf("the old file holds %q", got)
	}
}

// Without --output SIGHUP means what it always means, but not before the meter
// has been told to stop.
func TestHangupWithoutOutput(t *testing.T) {
	for _, args := range [][]string{{"measure", "--interval", "20ms"}, {"gmt", "-i", "20"}} {
		t.Run(args[0], func(t *testing.T) {
			m := sim.New(sim.Config{})
			p := start(t, append(args, "--device", serveMeter(t, m))...)
			p.line()
			p.signal(syscall.SIGHUP)
			got := p.wait()
			if ws, ok := got.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGHUP {
				t.Errorf("got %v, want an end by SIGHUP", got)
			}
			if m.Measuring() {
				t.Error("the meter still measures")
			}
		})
	}
}

// A terminal that goes away ends the command as Ctrl-C does, whatever the
// output.
func TestTerminalGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	person, cmd := startOnTerminal(t, "measure", "--device", quickSim, "--interval", "20ms", "--output", path)
	for sizeOf(path) <= 0 {
		<-time.After(time.Millisecond)
	}
	if err := person.master.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := readFile(t, path); !wholeLines.Match(got) {
		t.Errorf("the file holds %q", got)
	}
}

// Under nohup a terminal that goes away changes nothing.
func TestTerminalGoesAwayUnderNohup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec powerspy "$@"`, "sh",
		"measure", "--device", quickSim, "--interval", "20ms", "--count", "20", "--output", path)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "POWERSPY_DEVICE=")
	master, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	for sizeOf(path) <= 0 {
		<-time.After(time.Millisecond)
	}
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := readFile(t, path); linesIn(got) != 20 || !wholeLines.Match(got) {
		t.Errorf("the file holds %q", got)
	}
}
