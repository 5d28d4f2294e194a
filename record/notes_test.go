package record

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
)

// TestNotes: jobs come once, with their end where they have one; phases end with
// their job; what can't be read is left out.
func TestNotes(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1772600000, 0).Add(time.Duration(s) * time.Second) }
	var b bytes.Buffer
	w := NewWriter(&b, false)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	header := Header{Start: at(0), Tool: "one", Meter: Meter{Name: "a meter", Device: "sim:"}}
	check(w.Begin(header))
	make1 := Job{Command: []string{"make", "-j4"}, Start: at(1)}
	check(w.Job(make1))
	for _, e := range measuretest.Windows(at(1), 10, time.Second, 60) {
		check(w.Event(&e))
	}
	check(w.Mark(measure.Mark{Time: at(2), Name: "compile"}))
	check(w.Mark(measure.Mark{Time: at(4), Name: "link"}))
	make1.End, make1.Result = at(6), []byte(`{"energy_J":1}`)
	check(w.Job(make1))
	check(w.Flush())
	b.WriteString("{\"type\":\n")
	again := header
	again.Start, again.Tool = at(10), "two"
	check(w.Begin(again))
	endless := Job{ID: "7", Start: at(11)}
	check(w.Job(endless))
	check(w.End())
	path := filepath.Join(t.TempDir(), "notes.jsonl")
	check(os.WriteFile(path, b.Bytes(), 0o600))
	got, err := ReadNotes(t.Context(), path)
	check(err)
	make1.Result = nil
	want := &Notes{
		Headers: []Header{header, again},
		Marks:   []measure.Mark{{Time: at(2), Name: "compile"}, {Time: at(4), Name: "link"}},
		Jobs:    []Job{make1, endless},
		Phases:  []measure.Phase{{Name: "compile", From: at(2), To: at(4)}, {Name: "link", From: at(4), To: at(6)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unexpected notes (-want +got):\n%s", diff)
	}
}

// TestNotesBounded: no recording fills the memory with its notes.
func TestNotesBounded(t *testing.T) {
	l := Line{Kind: JobLine, Job: Job{Command: []string{"echo", strings.Repeat("x", 1000)}}}
	if n := l.size(); n < 1100 {
		t.Errorf("a job of 1000 bytes takes %d", n)
	}
	l = Line{Kind: MarkLine, Mark: measure.Mark{Name: "compile"}}
	if n := l.size(); n < noteSize || MaxNotes/n < 1e6 {
		t.Errorf("a mark takes %d of %d bytes", n, MaxNotes)
	}
}
