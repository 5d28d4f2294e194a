package report

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"powerspy2/internal/baseline"
	"powerspy2/internal/harmless"
	"powerspy2/internal/shell"
	"powerspy2/internal/stats"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// ErrNothing says that nothing was measured in what was asked for of a recording.
var ErrNothing = errors.New("nothing was measured there")

// What is kept of a recording at most.
const (
	// MostPoints is how many points all recordings of a page have together: an hour
	// of windows of 20 ms is not merged.
	MostPoints = 1 << 18

	leastPoints = 1 << 12 // of one of many recordings
	mostPhases  = 10_000
	mostJobs    = 1000
	mostGaps    = 2000
	mostMarks   = 2000
)

// A Reading says how a recording is read.
type Reading struct {
	// Name is that of the file.
	Name string

	// Ranges are what is shown of it, as [record.Recording.Choose] takes them. nil: all.
	Ranges []record.Range

	// Baseline is the power of the idle machine. nil: none.
	Baseline *baseline.Baseline

	// Accuracy is the meter's class, such as 0.01 for 1 %; 0: not given.
	Accuracy float64

	// Points is how many points are kept; 0: MostPoints.
	Points int

	// Progress is called now and then while it is read. nil: it is not.
	Progress func()
}

// Points returns the share of so many recordings of MostPoints.
func Points(recordings int) int { return max(MostPoints/max(recordings, 1), leastPoints) }

// A Recording is what is shown of one.
type Recording struct {
	name      string
	header    record.Header   // of the first part
	headers   []record.Header // of all parts
	simulated bool
	baseline  *baseline.Baseline
	accuracy  float64
	chosen    bool // a part of it
	torn      bool
	dropped   int // notes that were left out

	ranges   []record.Range
	total    measure.PhaseTotal
	from, to time.Time
	windows  int
	bridged  int
	low      float64 // W
	high     float64
	net      float64 // J; of no meaning without a baseline
	netError float64 // standard

	trace     trace
	gaps      []meter.Gap
	gapsCount int
	phases    []measure.PhaseEnergy
	totals    []measure.PhaseTotal
	jobs      []job
	marks     []measure.Mark
	marksSeen int

	summary  *stats.Run // of measured windows
	voltage  float64    // sum of squares times lengths, V² s
	weight   float64    // s
	averages []int      // mains periods of windows, each once
	shortest time.Duration
	longest  time.Duration

	progress func()
	events   int
}

// A job is a command that was run while it was recorded.
type job struct {
	command string
	measure.Span
}

// Read reads what is asked for of a recording to its end, and closes it. notes are
// those of the same file. rec is not to have ranges. The error is ErrNothing, or that
// of reading.
func Read(ctx context.Context, rec *record.Recording, notes *record.Notes, how Reading) (*Recording, error) {
	first, ok := rec.First()
	if !ok {
		return nil, errors.Join(ErrNothing, rec.Close())
	}
	r := &Recording{
		name: harmless.Text(how.Name), header: notes.Headers[0], headers: notes.Headers, simulated: rec.Target().IsSimulated(),
		baseline: how.Baseline, accuracy: how.Accuracy, chosen: how.Ranges != nil, dropped: notes.Dropped,
		ranges: slices.Clone(how.Ranges), summary: stats.NewRun(), low: math.NaN(), high: math.NaN(),
	}
	r.progress = how.Progress
	r.trace.most = how.Points
	if r.trace.most == 0 {
		r.trace.most = MostPoints
	}
	if how.Ranges == nil {
		r.ranges = []record.Range{{}}
	} else {
		rec.Choose(wider(how.Ranges, rangeMargin+10*first.Length)...)
	}
	within := func(from, to time.Time) []record.Range {
		var parts []record.Range
		for _, in := range r.ranges {
			parts = append(parts, in.Within([]record.Range{{From: from, To: to}})...)
		}
		return parts
	}
	var phases []measure.Phase
	for _, p := range notes.Phases {
		for _, part := range within(p.From, p.To) {
			phases = append(phases, measure.Phase{Name: p.Name, From: part.From, To: part.To})
		}
	}
	if n := len(phases); n > mostPhases {
		phases = phases[:mostPhases]
		r.dropped += n - mostPhases
	}
	jobs := slices.DeleteFunc(slices.Clone(notes.Jobs), func(j record.Job) bool {
		return !j.End.IsZero() && len(within(j.Start, j.End)) == 0
	})
	if n := len(jobs); n > mostJobs {
		jobs = jobs[:mostJobs]
		r.dropped += n - mostJobs
	}
	for _, m := range notes.Marks {
		if r.inside(m.Time) && !m.End {
			if r.marksSeen++; len(r.marks) < mostMarks {
				r.marks = append(r.marks, m)
			}
		}
	}
	info := rec.Info()
	history := &measure.History{Resolution: info.Resolution(), Accuracy: how.Accuracy, Moments: moments(first.Start, r.ranges, phases, jobs)}
	if _, err := measure.Run(ctx, rec, history, r); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err // half of it is no result
	}
	r.torn = rec.Torn()
	r.settle(history, first.Start, phases, jobs)
	if r.windows+r.bridged == 0 {
		return nil, ErrNothing
	}
	return r, nil
}

// rangeMargin is how much more of a recording than a range is read, so that the
// windows which its ends cut have neighbours.
const rangeMargin = time.Second

// wider returns ranges with a margin on both sides, those that then overlap as one.
func wider(ranges []record.Range, margin time.Duration) []record.Range {
	list := []record.Range{} // none is another thing than no ranges
	for _, r := range ranges {
		if !r.From.IsZero() {
			r.From = r.From.Add(-margin)
		}
		if !r.To.IsZero() {
			r.To = r.To.Add(margin)
		}
		if n := len(list); n > 0 && !list[n-1].To.IsZero() && !r.From.After(list[n-1].To) {
			list[n-1].To = r.To
			continue
		}
		list = append(list, r)
	}
	return list
}

// moments returns the moments at which energies begin or end, in their order.
func moments(first time.Time, ranges []record.Range, phases []measure.Phase, jobs []record.Job) []time.Time {
	list := []time.Time{first}
	add := func(from, to time.Time) {
		for _, at := range [...]time.Time{from, to} {
			if !at.IsZero() {
				list = append(list, at)
			}
		}
	}
	for _, in := range ranges {
		add(in.From, in.To)
	}
	for _, p := range phases {
		add(p.From, p.To)
	}
	for _, j := range jobs {
		add(j.Start, j.End)
	}
	slices.SortFunc(list, time.Time.Compare)
	return list
}

// inside reports whether a moment is in what is shown.
func (r *Recording) inside(at time.Time) bool {
	return slices.ContainsFunc(r.ranges, func(in record.Range) bool {
		return !at.Before(in.From) && (in.To.IsZero() || at.Before(in.To))
	})
}

var _ measure.Sink = (*Recording)(nil)

// Event implements [measure.Sink].
func (r *Recording) Event(e *meter.Event) error {
	if r.events++; r.events%1000 == 0 && r.progress != nil {
		r.progress()
	}
	switch e.Kind {
	case meter.WindowEvent:
		w := &e.Window
		if !r.inside(w.Start.Add(w.Length / 2)) {
			return nil
		}
		r.trace.add(w)
		if !w.Bridged {
			r.sumUp(w)
		}
	case meter.GapEvent:
		if e.Gap.Reason == record.NotChosen {
			return nil
		}
		for _, in := range r.ranges {
			for _, part := range in.Within([]record.Range{{From: e.Gap.From, To: e.Gap.To}}) {
				if r.gapsCount++; len(r.gaps) < mostGaps {
					r.gaps = append(r.gaps, meter.Gap{From: part.From, To: part.To, Reason: e.Gap.Reason})
				}
			}
		}
	}
	return nil
}

// sumUp takes in what is told of measured windows beside their energy.
func (r *Recording) sumUp(w *meter.Window) {
	r.summary.Event(&measure.Event{Kind: measure.ReadingEvent, Reading: measure.Reading{
		Length: w.Length, Windows: 1, Power: w.Power, PowerMin: w.Power, PowerMax: w.Power, Energy: w.Energy(), Frequency: w.Frequency, Delay: w.Delay,
	}})
	l := w.Length.Seconds()
	r.voltage += w.Voltage * w.Voltage * l
	r.weight += l
	if r.shortest == 0 || w.Length < r.shortest {
		r.shortest = w.Length
	}
	r.longest = max(r.longest, w.Length)
	periods := int(math.Round(w.Frequency * l))
	if periods > 0 && !slices.Contains(r.averages, periods) && len(r.averages) < mostAverages {
		r.averages = append(r.averages, periods)
	}
}

const mostAverages = 100

// End implements [measure.Sink].
func (r *Recording) End() error { return nil }

// settle makes energies of what was read.
func (r *Recording) settle(h *measure.History, first time.Time, phases []measure.Phase, jobs []record.Job) {
	reached := h.Reached()
	clip := func(from, to time.Time) (time.Time, time.Time) {
		if from.Before(first) {
			from = first
		}
		if to.IsZero() || to.After(reached) {
			to = reached
		}
		return from, to
	}
	var shown []measure.PhaseEnergy
	for _, in := range r.ranges {
		from, to := clip(in.From, in.To)
		if !from.Before(to) {
			continue
		}
		s := h.Span(from, to)
		shown = append(shown, measure.PhaseEnergy{Span: s})
		if r.from.IsZero() {
			r.from = from
		}
		r.to = to
		r.windows += s.Windows
		r.bridged += s.Bridged
		if !(s.PowerMin >= r.low) && s.Covered > 0 {
			r.low = s.PowerMin
		}
		if !(s.PowerMax <= r.high) && s.Covered > 0 {
			r.high = s.PowerMax
		}
	}
	if len(shown) == 0 {
		return
	}
	r.total = measure.Totals(shown)[0]
	if r.baseline != nil {
		r.net, r.netError = r.baseline.Net(&measure.Span{Energy: r.total.Energy, Covered: r.total.Covered, Uncertainty: r.total.Uncertainty})
	}
	r.phases = h.Phases(phases)
	r.totals = measure.Totals(r.phases)
	for _, j := range jobs {
		from, to := clip(j.Start, j.End)
		if from.Before(to) {
			r.jobs = append(r.jobs, job{harmless.Text(shell.Join(j.Command)), h.Span(from, to)})
		}
	}
}

// Meter returns what the recording says of its meter.
func (r *Recording) Meter() record.Meter { return r.header.Meter }

// coverage returns the covered share of the time, 0 to 1.
func (r *Recording) coverage() float64 {
	if r.total.Duration <= 0 {
		return 1
	}
	return min(float64(r.total.Covered)/float64(r.total.Duration), 1)
}
