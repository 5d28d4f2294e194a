package record

import (
	"context"
	"slices"
	"time"

	"powerspy2/measure"
)

// Phases reads a recording to its end, and returns its phases in the order of time: the
// last one ends with its job or with the recording. Names repeat. Errors are those of
// [Open] and [Recording.Next].
func Phases(ctx context.Context, path string) ([]measure.Phase, error) {
	notes, err := ReadNotes(ctx, path)
	if err != nil {
		return nil, err
	}
	return notes.Phases, nil
}

// phasesOf returns the phases between marks, of a recording that ends then.
func phasesOf(marks []measure.Mark, end time.Time) []measure.Phase {
	var phases []measure.Phase
	for _, p := range measure.Phases(marks, time.Time{}, end) {
		if p.From.Before(p.To) {
			phases = append(phases, p)
		}
	}
	return phases
}

// Names returns the names of phases, each once, in the order in which they begin.
func Names(phases []measure.Phase) []string {
	var names []string
	for _, p := range phases {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Within returns the parts of ranges, in their order, that lie in another.
func (in Range) Within(ranges []Range) []Range {
	var parts []Range
	for _, r := range ranges {
		if r.From.Before(in.From) {
			r.From = in.From
		}
		if !in.To.IsZero() && (r.To.IsZero() || r.To.After(in.To)) {
			r.To = in.To
		}
		if r.To.IsZero() || r.From.Before(r.To) {
			parts = append(parts, r)
		}
	}
	return parts
}
