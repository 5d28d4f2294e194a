package serve

import (
	"math"
	"sync"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// A feed makes one stream of measurements that follow each other: between two of
// them is a gap, and times never go back.
type feed struct {
	mu     sync.Mutex
	sinks  []measure.Sink
	last   time.Time     // end of the last window or gap; zero: there was none
	shift  time.Duration // added to times, as long as the clock that was set back has not passed the last one
	broken string        // why the next window does not follow on the last; empty: it does
	fresh  bool          // no window came since the measurement began
	ended  bool
}

// event hands an event on.
func (f *feed) event(e *meter.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := *e
	switch out.Kind {
	case meter.WindowEvent:
		w := &out.Window
		if f.fresh {
			f.begin(w)
		}
		w.Start, w.End = f.place(w.Start), f.place(w.End)
		f.last = w.End
	case meter.GapEvent:
		out.Gap.From, out.Gap.To = f.place(out.Gap.From), f.place(out.Gap.To)
		f.last = out.Gap.To
	}
	f.out(&out)
}

// place returns a time as readers get it: without its monotonic reading, which goes on
// alike when the clock is set and a measurement follows it.
func (f *feed) place(t time.Time) time.Time { return t.Round(0).Add(f.shift) }

// begin joins the first window of a measurement to the one before.
func (f *feed) begin(w *meter.Window) {
	f.fresh, f.shift = false, 0
	if !f.last.IsZero() {
		f.shift = max(f.last.Round(0).Sub(w.Start.Round(0)), 0)
	}
	if f.broken != "" && !f.last.IsZero() {
		g := meter.Gap{From: f.last.Round(0), To: w.Start.Round(0).Add(f.shift), Reason: f.broken}
		f.out(&meter.Event{Kind: meter.GapEvent, Gap: g})
	}
	f.broken = ""
}

// status hands on what is going on while there is no measurement.
func (f *feed) status(s meter.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out(&meter.Event{Kind: meter.StatusEvent, Status: s})
}

// broke says that a measurement ended, and why.
func (f *feed) broke(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fresh = true
	if f.broken == "" {
		f.broken = reason
	}
	f.out(&meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: time.Now(), Phase: meter.Stalled, Text: reason}})
}

// flowed reports whether windows came since the measurement began.
func (f *feed) flowed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.fresh
}

// shifted returns what is added to times.
func (f *feed) shifted() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shift
}

// end ends the stream.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.ended = true
	for _, s := range f.sinks {
		_ = s.End() // see out
	}
}

// out hands an event to all sinks. None of them can end what others read, so that
// it keeps its errors to itself.
func (f *feed) out(e *meter.Event) {
	if f.ended {
		return
	}
	for _, s := range f.sinks {
		_ = s.Event(e)
	}
}

// periods returns how many mains periods a window has.
func periods(w *meter.Window) int {
	return int(math.Round(w.Length.Seconds() * w.Frequency))
}
