//go:build integration && linux

package vmtest

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/integration/air"
)

//go:embed testdata/oldtool.py
var oldTool []byte

// A program that knows only serial devices measures over a bridge as an
// ordinary user, and reads on when the radio link is lost underneath.
func TestCommandBridge(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, constant)
	home := Ordinary().home()
	device, script := filepath.Join(home, "meter"), filepath.Join(home, "oldtool.py")
	if err := os.WriteFile(script, oldTool, 0o644); err != nil {
		t.Fatal(err)
	}
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)
	bridge := Start(t, Cmd{Args: []string{"bridge", "--tty", device}, Timeout: 3 * time.Minute})
	waitPath(t, device)
	info, err := os.Stat(device)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != Ordinary().UID {
		t.Errorf("the device is not its user's alone: %v", info.Mode())
	}

	old := Start(t, Cmd{Program: []string{"python3", script, device, "10"}})
	old.WaitLines(t, 5) // it measures
	if !meter.DropLink(air.ConnectionTimeout) {
		t.Error("there was no link to drop")
	}
	r := old.Wait(t)
	checkStatus(t, r, 0)
	t.Logf("%v", r)
	for name, pattern := range map[string]string{
		"identity": `identity POWERSPY\S*`, "calibration": `calibration [0-9A-F]{32}`, "start": `start K`,
	} {
		if !regexp.MustCompile(`(?m)^` + pattern + `$`).MatchString(r.Text()) {
			t.Errorf("no %s like %q", name, pattern)
		}
	}
	frames, gap := number(t, r, "frames"), number(t, r, "gap")
	// Ten frames a second at 50 Hz, less those of the outage.
	if frames < 20 {
		t.Errorf("%g frames", frames)
	}
	if gap < 0.5 {
		t.Errorf("the longest gap is %g s: the link was not lost", gap)
	}

	bridge.Signal(t, syscall.SIGINT)
	checkStatus(t, bridge.Wait(t), 0)
	if _, err := os.Lstat(device); !os.IsNotExist(err) {
		t.Errorf("the device was left behind: %v", err)
	}
	if meter.Sim.Measuring() {
		t.Error("the meter was left streaming")
	}
}

// number returns the number in a line such as "frames 40".
func number(t *testing.T, r *Result, name string) float64 {
	t.Helper()
	f := regexp.MustCompile(`(?m)^` + name + ` ([0-9.]+)$`).FindStringSubmatch(r.Text())
	if f == nil {
		t.Fatalf("no %s: %v", name, r)
	}
	n, err := strconv.ParseFloat(f[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// waitPath waits until something leads to path.
func waitPath(t *testing.T, path string) {
	t.Helper()
	limit := time.After(waitTime)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("no %s after %v", path, waitTime)
		}
	}
}
