// Package totals keeps what exporters tell of a meter: energy and counts since it
// is served, the mean of its last second, and whether it is there.
package totals

import (
	"sync"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// Totals is a sink that sums up what one meter yields, from one measurement to the
// next: a meter that is away for long may be measured by another [measure.Run]
// when it is back. Its methods may be called concurrently.
type Totals struct {
	mu      sync.Mutex
	created time.Time
	energy  sum     // J
	counter float64 // highest value that energy has had, J

	windows, bridged, reconnects uint64
	lost                         time.Duration

	delays  [len(DelayBounds) + 1]uint64 // windows whose delay is up to a bound; the last one: above all of them
	delayed time.Duration                // sum of the delays

	flows   bool          // windows come
	arrived time.Time     // when the last one came
	reached time.Time     // up to when it is known what was measured; zero before the first window
	second  ring          // windows of the last second
	length  time.Duration // of the last window
}

// DelayBounds are the upper bounds of the classes of [Snapshot.Delays], in s.
var DelayBounds = [...]float64{0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5}

var _ measure.Sink = (*Totals)(nil)

// New returns Totals of a meter, which count from now on.
func New() *Totals { return &Totals{created: time.Now()} }

// Event implements [measure.Sink]. It never fails.
func (t *Totals) Event(e *meter.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case meter.WindowEvent:
		t.window(&e.Window)
	case meter.GapEvent:
		t.gap(e.Gap.From, e.Gap.To)
	case meter.StatusEvent:
		if e.Status.Phase == meter.Stalled {
			t.flows = false
		}
	}
	return nil
}

// End implements [measure.Sink]. Another measurement may follow: what lies between
// the two is a gap.
func (t *Totals) End() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flows = false
	return nil
}

func (t *Totals) window(w *meter.Window) {
	if !t.flows && !t.reached.IsZero() {
		t.reconnects++
		// Where a measurement ended, nobody told of the gap.
		t.gap(t.reached, w.Start)
	}
	t.flows = true
	t.arrived = time.Now()
	t.reached = w.End
	t.length = w.Length
	t.energy.add(w.Energy())
	t.counter = max(t.counter, t.energy.value())
	t.second.add(w)
	if w.Bridged {
		t.bridged++
		return
	}
	t.windows++
	t.delay(max(w.Delay, 0))
}

func (t *Totals) delay(d time.Duration) {
	t.delayed += d
	class := 0
	for class < len(DelayBounds) && d.Seconds() > DelayBounds[class] {
		class++
	}
	t.delays[class]++
}

// gap counts a time that was not measured, but for what is counted already. Before
// the first window nothing is missing.
func (t *Totals) gap(from, to time.Time) {
	if t.reached.IsZero() {
		return
	}
	// Without monotonic readings: the wall clock may have been set meanwhile.
	from, to = from.Round(0), to.Round(0)
	if reached := t.reached.Round(0); from.Before(reached) {
		from = reached
	}
	if to.After(from) {
		lost := to.Sub(from)
		if passed := time.Since(t.arrived); lost > passed+clockSet {
			lost = passed
		}
		t.lost += lost
		t.reached = to
	}
}

// clockSet is by how much a gap has to be longer than the time that went by for it to
// be the clock that was set, perhaps by years.
const clockSet = time.Minute
