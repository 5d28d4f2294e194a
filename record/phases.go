package record

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// A Phase is the time between two marks, or between a mark and the end of its job
// or of the recording.
type Phase struct {
	Name string
	Range
}

// Phases reads a recording to its end, and returns its phases in the order of
// time. Names repeat. Errors are those of [Open] and [Recording.Next].
func Phases(ctx context.Context, path string) ([]Phase, error) {
	r, err := openBare(ctx, path)
	if err != nil {
		return nil, err
	}
	phases, err := r.phases()
	return phases, errors.Join(err, r.Close())
}

// phases does without what it costs to parse windows.
func (r *Recording) phases() ([]Phase, error) {
	r.reader.noWindows = true
	var marks []measure.Mark
	for {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		l, err := r.reader.Next()
		var version *VersionError
		switch {
		case err == nil:
		case errors.Is(err, ErrFormat) && !errors.As(err, &version):
			continue // what is wrong is told by who reads the windows
		default:
			if err = r.ending(err); !errors.Is(err, io.EOF) {
				return nil, err
			}
			var end time.Time // phases that reach to it need a window
			var last Line
			if known, err := last.Parse(r.reader.window); known && err == nil && last.Event.Kind == meter.WindowEvent {
				end = last.Event.Window.End
			}
			return phasesOf(marks, end), nil
		}
		switch {
		case l.Kind == MarkLine:
			marks = append(marks, l.Mark)
		case l.Kind == JobLine && !l.Job.End.IsZero():
			marks = append(marks, measure.Mark{Time: l.Job.End, End: true})
		}
	}
}

// phasesOf returns the phases between marks, of a recording that ends then.
func phasesOf(marks []measure.Mark, end time.Time) []Phase {
	var phases []Phase
	for _, p := range measure.Phases(marks, time.Time{}, end) {
		if p.From.Before(p.To) {
			phases = append(phases, Phase{p.Name, Range{p.From, p.To}})
		}
	}
	return phases
}

// Names returns the names of phases, each once, in the order in which they begin.
func Names(phases []Phase) []string {
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
