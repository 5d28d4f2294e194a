package main

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serveSim serves a simulated meter with the given parameters, and returns the
// device that it is.
func serveSim(t *testing.T, parameters string) (device string) {
	t.Helper()
	p := start(t, "sim", "--tcp", parameters)
	p.line()
	device, ok := strings.CutPrefix(p.line(), "try: powerspy measure --device ")
	if !ok {
		t.Fatal("the simulator does not say what to try")
	}
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("the simulator: %v", got)
		}
	})
	return device
}

// crash starts a stream, as a client does, and goes away while it runs.
func crash(t *testing.T, device string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(device, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "<J0001>"); err != nil {
		t.Fatal(err)
	}
	// The answer, and a frame or two.
	if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
		t.Fatalf("no stream came: %v", err)
	}
}

// printed runs the command, which has to succeed, and returns what it printed.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, args...)
	told := make(chan string)
	go func() {
		b, _ := io.ReadAll(p.stderr)
		told <- string(b)
	}()
	text, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Error(err)
	}
	why := <-told
	if got := p.wait(); got.ExitCode() != 0 {
		t.Errorf("%q: %v:\n%s", args, got, why)
	}
	return string(text)
}

// Every job works while the stream of a client that crashed is still running.
func TestCommandsAfterCrash(t *testing.T) {
	t.Parallel()
	device := serveSim(t, "delay=0s,jitter=0s,stall=0,busy=wait,files=100/5000")
	names := fileNames(printed(t, "files", "list", "--device", device))
	if len(names) != 2 {
		t.Fatalf("the files are %q", names)
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, tt := range []struct {
		command, args, prints string
	}{
		{"info", "", "serial number"},
		{"measure", "--interval 20ms --count 2", "\n"},
		{"clock get", "", "this machine"},
		{"clock set", "2026-03-01T12:00:00", "set to        2026-03-01 12:00:00"},
		{"clock sync", "", "offset after"},
		{"eeprom dump", "", "serial number"},
		{"eeprom read", "0x40", "ff\n"},
		{"eeprom backup", in("backup.bin"), ""},
		{"eeprom write", "--i-understand --backup " + in("before.bin") + " 0x40 12", "wrote and verified 1 bytes"},
		{"files list", "", names[1]},
		{"files get", names[1] + " " + in("got.dat"), ""},
		{"files get-all", in("logs"), ""},
		{"files remove", "--yes " + names[0], ""},
		{"log period", "10s", "mains periods"}, // of which there are not always 500
		{"log status", "", "period"},
		{"log start", "", ""},
		{"log stop", "", ""},
		{"capture", "--periods 1 --plot " + in("plot.png"), "time_s,voltage_V,current_A"},
	} {
		crash(t, device)
		args := append(strings.Fields(tt.command), "--device", device)
		if got := printed(t, append(args, strings.Fields(tt.args)...)...); !strings.Contains(got, tt.prints) {
			t.Errorf("%s printed %q, not %q", tt.command, got, tt.prints)
		}
	}
	for name, size := range map[string]int64{
		"backup.bin": 256, "before.bin": 256, "got.dat": 5000,
		filepath.Join("logs", names[0]): 100, filepath.Join("logs", names[1]): 5000,
	} {
		if got := sizeOf(in(name)); got != size {
			t.Errorf("%s: %d bytes, want %d", name, got, size)
		}
	}
}

// A removed file is gone from the card, and another is not.
func TestFilesRemove(t *testing.T) {
	t.Parallel()
	device := serveSim(t, "delay=0s,jitter=0s,stall=0,busy=wait,files=100/5000")
	before := fileNames(printed(t, "files", "list", "--device", device))
	if len(before) != 2 {
		t.Fatalf("the files are %q", before)
	}
	printed(t, "files", "remove", "--yes", "--device", device, strings.ToLower(before[0]))
	after := fileNames(printed(t, "files", "list", "--device", device))
	if len(after) != 1 || after[0] != before[1] {
		t.Errorf("%q became %q", before, after)
	}
}

// fileNames returns the names in what files list prints.
func fileNames(list string) (names []string) {
	for line := range strings.Lines(list) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}
