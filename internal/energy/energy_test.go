package energy

import (
	"slices"
	"testing"
	"time"

	"powerspy2/internal/job"
	"powerspy2/measure"
)

// TestShort: how little the energy of a job of few windows says is a warning, and that of
// one of many, or of what was no job, has none.
func TestShort(t *testing.T) {
	begun := time.Unix(1772600000, 0)
	for _, tt := range []struct {
		windows, bridged int
		energy           float64
		want             []string
	}{
		{3, 1, 8, []string{"the command took 70.0 ms, within 4 of the meter's windows: its energy is uncertain by 1 J, 12.5 %; `powerspy bench --min-time 3s` runs it often enough"}},
		{1, 0, 0, []string{"the command took 70.0 ms, within 1 of the meter's windows: its energy is uncertain by 1 J; `powerspy bench --min-time 3s` runs it often enough"}},
		{fewWindows, 0, 8, nil},
		{fewWindows - 1, 1, 8, nil},
		{0, 0, 0, nil},
	} {
		r := Result{Job: &job.Result{Start: begun, End: begun.Add(70 * time.Millisecond)}}
		r.Span = measure.Span{Windows: tt.windows, Bridged: tt.bridged, Energy: tt.energy, Uncertainty: measure.Uncertainty{Edges: 0.5}}
		r.warnShort()
		if !slices.Equal(r.Warnings, tt.want) {
			t.Errorf("%d + %d windows: %q, want %q", tt.windows, tt.bridged, r.Warnings, tt.want)
		}
		r.Job, r.Warnings = nil, nil
		if r.warnShort(); r.Warnings != nil {
			t.Errorf("no job, but %q", r.Warnings)
		}
	}
}
