package record

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/meter"
)

var update = flag.Bool("update", false, "rewrite the example in docs/recordings.md")

// The document shows what the code writes: `go test ./record -update` makes it so.
func TestDocument(t *testing.T) {
	const name = "../docs/recordings.md"
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	events := testWindows(3, 1)
	events[1].Window.Bridged, events[1].Window.Delay = true, 0
	at := events[2].Window.End
	lines := []Line{{Kind: HeaderLine, Header: testHeader()}, {Kind: MarkLine, Mark: measure.Mark{Time: began.Add(5 * time.Millisecond), Name: "warm up"}}}
	for _, e := range append(events,
		meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: at.Add(1200 * time.Millisecond), Phase: meter.Stalled, Text: "the meter was silent for 1.2 s"}},
		meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: at, To: at.Add(1400 * time.Millisecond), Windows: 70, Reason: "the meter was silent for 1.2 s"}}) {
		lines = append(lines, Line{Kind: EventLine, Event: e})
	}
	lines = append(lines, Line{Kind: MarkLine, Mark: measure.Mark{Time: at.Add(2 * time.Second), End: true}})
	for _, l := range lines {
		if text, err = l.Append(text); err != nil {
			t.Fatal(err)
		}
	}
	const begin, end = "<!-- made by a test: example -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the example", name)
	}
	doc := before + begin + "\n```text\n" + string(text) + "```\n\n" + end + after
	if *update {
		if err := os.WriteFile(name, []byte(doc), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(b), doc); diff != "" {
		t.Errorf("go test ./record -update makes it right:\n%s", diff)
	}
}
