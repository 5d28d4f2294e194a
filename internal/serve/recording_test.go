package serve

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
	"powerspy2/record"
)

// aMeter is one that was reached, with a serial number.
func aMeter(t *testing.T, name string, serial uint16, at time.Time) *Meter {
	t.Helper()
	m := newMeter(live(name), time.Hour, "test", func(string) {})
	src := newLiveSource(t.Context())
	first := measuretest.Windows(at, 1, window, 100)[0]
	m.reached(src, &first.Window)
	m.header.Meter.Serial = serial
	return m
}

// recordAll records what is fed to a meter, and returns what was told.
func recordAll(t *testing.T, m *Meter, dir string, events []meter.Event, marks ...measure.Mark) []string {
	t.Helper()
	var told []string
	r := &recorder{meter: m, dir: dir, log: func(line string) { told = append(told, line) }}
	in := m.hub.Reader(time.Time{})
	for i := range events {
		if err := m.hub.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range marks {
		m.hub.Mark(k)
	}
	if err := m.hub.End(); err != nil {
		t.Fatal(err)
	}
	r.run(t.Context(), in)
	return told
}

// contents counts the lines of a recording, by kind.
func contents(t *testing.T, path string) (headers, windows, marks int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := record.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer in.Close()
	for {
		l, err := in.Next()
		if errors.Is(err, io.EOF) {
			return headers, windows, marks
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		switch {
		case l.Kind == record.HeaderLine:
			headers++
		case l.Kind == record.MarkLine:
			marks++
		case l.Event.Kind == meter.WindowEvent:
			windows++
		}
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A recording has a file for each day, which a new start goes on with, and mends;
// another meter under the same name gets another file.
func TestRecorder(t *testing.T) {
	dir := t.TempDir()
	midnight := time.Date(2026, 3, 5, 0, 0, 0, 0, time.Local)
	events := measuretest.Windows(midnight.Add(-50*window), 200, window, 100)
	m := aMeter(t, "/dev/../lab", 1, midnight)
	if told := recordAll(t, m, dir, events, measure.Mark{Time: midnight, Name: "x"}); told != nil {
		t.Errorf("told %q", told)
	}
	const one, two = "%2Fdev%2F..%2Flab-2026-03-04.jsonl.zst", "%2Fdev%2F..%2Flab-2026-03-05.jsonl.zst"
	if diff := cmp.Diff([]string{one, two}, files(t, dir)); diff != "" {
		t.Fatalf("unexpected files (-want +got):\n%s", diff)
	}
	// The window that ends at midnight is the next day's.
	if h, w, k := contents(t, filepath.Join(dir, one)); h != 1 || w != 49 || k != 0 {
		t.Errorf("the first day has %d headers, %d windows, %d marks", h, w, k)
	}
	if h, w, k := contents(t, filepath.Join(dir, two)); h != 1 || w != 151 || k != 1 {
		t.Errorf("the second day has %d headers, %d windows, %d marks", h, w, k)
	}

	// A crash has cut it short.
	path := filepath.Join(dir, two)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	more := measuretest.Windows(midnight.Add(time.Hour), 100, window, 100)
	told := recordAll(t, aMeter(t, "/dev/../lab", 1, midnight), dir, more)
	if len(told) != 1 || !strings.Contains(told[0], "cut off what a crash had left") {
		t.Errorf("told %q", told)
	}
	if h, w, _ := contents(t, path); h != 2 || w < 200 {
		t.Errorf("afterwards it has %d headers and %d windows", h, w)
	}

	recordAll(t, aMeter(t, "/dev/../lab", 2, midnight), dir, more)
	other := "%2Fdev%2F..%2Flab-2026-03-05-2.jsonl.zst"
	if !slices.Contains(files(t, dir), other) {
		t.Fatalf("the files are %q", files(t, dir))
	}
	if h, w, _ := contents(t, filepath.Join(dir, other)); h != 1 || w != 100 {
		t.Errorf("the other meter's has %d headers and %d windows", h, w)
	}
	for _, name := range []string{"..", strings.Repeat("x", 300)} {
		if f := fileName(name); strings.HasPrefix(f, ".") || len(f) > 200 {
			t.Errorf("%q is kept as %q", name, f)
		}
	}
}

// A disk that does not take it is told once and tried again, and what came meanwhile is
// not lost.
func TestRecorderRetries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	synctest.Test(t, func(t *testing.T) {
		m := aMeter(t, "sim", 1, time.Now())
		var mu sync.Mutex
		var told []string
		r := &recorder{meter: m, dir: dir, log: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, line)
		}}
		in, done := m.hub.Reader(time.Time{}), make(chan struct{})
		go func() {
			r.run(t.Context(), in)
			close(done)
		}()
		for _, e := range measuretest.Windows(time.Now(), 1000, window, 100) {
			_ = m.hub.Event(&e)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		if len(told) != 1 || !strings.Contains(told[0], "tried again every 10s") {
			t.Errorf("told %q", told)
		}
		mu.Unlock()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryFile)
		_ = m.hub.End()
		<-done
		if len(told) != 2 || !strings.Contains(told[1], "again") {
			t.Errorf("told %q", told)
		}
	})
	names := files(t, dir)
	if len(names) != 1 {
		t.Fatalf("the files are %q", names)
	}
	if _, w, _ := contents(t, filepath.Join(dir, names[0])); w != 1000 {
		t.Errorf("%d windows are kept", w)
	}
}
