package energy

import (
	"fmt"
	"slices"
	"testing"

	"powerspy2/meter"
)

// TestRunNotices: what is noticed while a job runs, and nothing else, is among the
// warnings of its report, harmless and bounded.
func TestRunNotices(t *testing.T) {
	var n Notices
	tell := func(phase meter.Phase, text string) {
		t.Helper()
		if err := n.Event(&meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Phase: phase, Text: text}}); err != nil {
			t.Fatal(err)
		}
	}
	tell(meter.Recovering, "reconnecting")
	tell(meter.Noticed, "the clocks are 37 s apart\x1b[2J")
	var r Result
	n.Warn(&r)
	if want := []string{`the clocks are 37 s apart\x1b[2J`}; !slices.Equal(r.Warnings, want) {
		t.Errorf("%q, want %q", r.Warnings, want)
	}
	for i := range 100 {
		tell(meter.Noticed, fmt.Sprint(i))
	}
	r.Warnings = nil
	if n.Warn(&r); len(r.Warnings) != mostNotices {
		t.Errorf("%d warnings", len(r.Warnings))
	}
}
