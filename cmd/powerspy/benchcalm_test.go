package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadWarning(t *testing.T) {
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
		if got := loadWarning(file, tt.processors); (got != "") != tt.warned {
			t.Errorf("%q, %d processors: %q", tt.text, tt.processors, got)
		}
	}
	if got := loadWarning(file+"x", 1); got != "" {
		t.Errorf("without the file: %q", got)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 250 150 16 17\n"
	got, ok := parseStat("12 (a) (b c)" + rest)
	if !ok || got.name != "a) (b c" || got.used != 4*time.Second {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, text := range []string{"", "12", "12 (a", "12 (a) S 1", ") (", strings.Replace("12 (a)"+rest, "250", "x", 1)} {
		if got, ok := parseStat(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestBusiest(t *testing.T) {
	before := map[int]processTime{1: {name: "calm", used: time.Hour}, 2: {name: "old", used: time.Hour}, 3: {name: "busy\x1b[2J", used: time.Second}}
	after := map[int]processTime{1: {name: "calm", used: time.Hour}, 2: {name: "new", used: 20 * time.Millisecond}, 3: {name: "busy\x1b[2J", used: 2 * time.Second}}
	got := busiest(before, after, 2*time.Second)
	if want := `other processes use 51 % of a processor; most of it, 50 %, process 3 (busy\x1b[2J) of user unknown`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := busiest(before, after, time.Hour); got != "" {
		t.Errorf("hardly anything: %q", got)
	}
	if got := busiest(nil, nil, time.Second); got != "" {
		t.Errorf("nothing: %q", got)
	}
}

// TestProcessTimes finds a process that uses a processor.
func TestProcessTimes(t *testing.T) {
	c := exec.Command("sh", "-c", "while :; do :; done")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if p := processTimes("/proc")[c.Process.Pid]; p.used > 0 {
			if p.name != "sh" && p.name != "dash" && p.name != "bash" {
				t.Errorf("%+v", p)
			}
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("it was not found")
		}
	}
	if _, ok := processTimes("/proc")[os.Getpid()]; ok {
		t.Error("this process is among the others")
	}
}
