package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"powerspy2/bdaddr"
	"powerspy2/internal/facts"
	"powerspy2/meter"
	"powerspy2/powerspy/sim"
)

// What was learnt of a meter makes the next start shorter; another meter at its
// place is noticed; a cache that is damaged, or can't be written, costs nothing
// else.
func TestMemory(t *testing.T) {
	home := t.TempDir()
	vars := map[string]string{"HOME": home, "XDG_RUNTIME_DIR": home}
	cache := filepath.Join(home, ".cache", "powerspy", "meters.json")
	m := sim.New(sim.Config{Serial: 7, Busy: sim.BusyWait})
	device := serveMeter(t, m)
	info := func(serial string, reads int) (told string) {
		t.Helper()
		out, told, status := inProcess(t, vars, "info", "-v", "--device", device)
		if status != 0 || !strings.Contains(out, "serial number        "+serial+"\n") {
			t.Fatalf("exit status %d, %q, %q", status, out, told)
		}
		if got := strings.Count(told, "> <V"); got != reads {
			t.Errorf("%d bytes were read, want %d", got, reads)
		}
		return told
	}
	info("7", 48)
	info("7", 24)
	if state, err := os.Stat(cache); err != nil || state.Mode().Perm() != 0o600 {
		t.Errorf("the cache: %v, %v", state, err)
	}
	// Another serial number, in the same place.
	target, err := meter.ParseTarget(device)
	if err != nil {
		t.Fatal(err)
	}
	other, err := meter.Open(t.Context(), meter.Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.WriteEEPROM(t.Context(), 0, []byte{8, 0}, []byte{7, 0}); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if told := info("8", 48); !strings.Contains(told, "powerspy: another meter answers there: serial number 8, where 7 was before\n") {
		t.Errorf("it told %q", told)
	}
	info("8", 24)
	for name, text := range map[string]string{"damaged": "{", "of another kind": `[{"device": 1}]`, "empty": ""} {
		if err := os.WriteFile(cache, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		info("8", 48)
		info("8", 24)
	}
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if told := info("8", 48); !strings.Contains(told, "is not remembered") {
		t.Errorf("it told %q", told)
	}
	// Without a home there is no cache.
	delete(vars, "HOME")
	info("8", 48)
}

// Windows that a meter refused are not tried again, through the same adapter.
func TestMemoryAveraging(t *testing.T) {
	home := t.TempDir()
	vars := map[string]string{"HOME": home, "XDG_RUNTIME_DIR": home}
	cfg, err := sim.ParseSpec("link=ideal,refuse-under=5,busy=wait")
	if err != nil {
		t.Fatal(err)
	}
	device := serveMeter(t, sim.New(cfg))
	for _, tried := range []bool{true, false, false} {
		_, told, status := inProcess(t, vars, "measure", "-i", "200ms", "-n", "1", "--device", device)
		if status != 0 || strings.Contains(told, "trying 5 mains periods") != tried {
			t.Errorf("status %d, %q; tried shorter windows: want %t", status, told, tried)
		}
	}
	m := facts.Load(func(k string) string { return vars[k] })
	target, err := meter.ParseTarget(device)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := m.Recall(target); !ok || f.Averaging != 5 {
		t.Errorf("remembered: %+v, %t", f, ok)
	}
	target.Adapter = bdaddr.Address{1, 2, 3, 4, 5, 6}
	if f, ok := m.Recall(target); !ok || f.Averaging != 0 || f.Serial == 0 {
		t.Errorf("remembered of another adapter: %+v, %t", f, ok)
	}
}
