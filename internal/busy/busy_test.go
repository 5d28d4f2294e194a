package busy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "loadavg")
	for _, tt := range []struct {
		text       string
		processors int
		warned     bool
	}{
		{"0.10 0.5 0.9 1/200 4711\n", 1, false},
		{"0.40 0.5 0.9 1/200 4711\n", 2, true},
		{"3.00 0.5 0.9 1/200 4711\n", 64, false},
		{"9.00 0.5 0.9 1/200 4711\n", 64, true},
		{"", 1, false},
		{"much", 1, false},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, high := Load(file, tt.processors); high != tt.warned || high && !strings.HasPrefix(tt.text, got+" ") {
			t.Errorf("%q, %d processors: %q, %v", tt.text, tt.processors, got, high)
		}
	}
	if got, high := Load(file+"x", 1); high {
		t.Errorf("without the file: %q", got)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 250 150 16 17\n"
	got, ok := parseStat("12 (a) (b c)" + rest)
	if !ok || got.Name != "a) (b c" || got.Used != 4*time.Second {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, text := range []string{"", "12", "12 (a", "12 (a) S 1", ") (", strings.Replace("12 (a)"+rest, "250", "x", 1)} {
		if got, ok := parseStat(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestBetween(t *testing.T) {
	before := map[int]Process{1: {Name: "calm", Used: time.Hour}, 2: {Name: "old", Used: time.Hour}, 3: {Name: "busy", Used: time.Second}}
	after := map[int]Process{1: {Name: "calm", Used: time.Hour}, 2: {Name: "new", Used: 20 * time.Millisecond}, 3: {Name: "busy", Used: 2 * time.Second}}
	got, ok := Between(before, after, 2*time.Second)
	if want := (Use{All: 0.51, Most: 0.5, PID: 3, Process: after[3]}); !ok || got != want {
		t.Errorf("%+v, %v, want %+v", got, ok, want)
	}
	if got, ok := Between(before, after, time.Hour); ok {
		t.Errorf("hardly anything: %+v", got)
	}
	if got, ok := Between(nil, nil, time.Second); ok {
		t.Errorf("nothing: %+v", got)
	}
}

// TestProcesses finds a process that uses a processor.
func TestProcesses(t *testing.T) {
	c := exec.Command("sh", "-c", "while :; do :; done")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if p := Processes("/proc")[c.Process.Pid]; p.Used > 0 {
			if p.Name != "sh" && p.Name != "dash" && p.Name != "bash" {
				t.Errorf("%+v", p)
			}
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("it was not found")
		}
	}
	if _, ok := Processes("/proc")[os.Getpid()]; ok {
		t.Error("this process is among the others")
	}
}
