package measure_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

// gather returns what an Every makes of events.
func gather(t *testing.T, events []meter.Event, v *measure.Every) []measure.Event {
	t.Helper()
	var got []measure.Event
	v.Out = func(e *measure.Event) error {
		got = append(got, *e)
		return nil
	}
	if _, err := measure.Run(t.Context(), &measuretest.Source{Events: events}, v); err != nil {
		t.Fatal(err)
	}
	return got
}

// troubled returns a stream with gaps of both kinds, windows that were left out
// and bridged, and an outage.
func troubled() []meter.Event {
	events := measuretest.Windows(begin, 3000, period, 100)
	for i := range events {
		events[i].Window.Power = 100 + float64(i%7)
		events[i].Window.Bridged = i%25 == 13
	}
	status := func(p meter.Phase) meter.Event {
		return meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Phase: p, Text: "as a test wants it"}}
	}
	cut := func(from, to int, e ...meter.Event) {
		events = slices.Replace(events, from, to, e...)
	}
	at := func(window int) time.Time { return begin.Add(time.Duration(window) * period) }
	// From the end, so that numbers stay those of windows.
	cut(2000, 2500, measuretest.Gap(at(2000), 500*period, 500))
	cut(1001, 1333, status(meter.Stalled), status(meter.Recovering), measuretest.Gap(at(1001), 332*period, 0), status(meter.Streaming))
	cut(111, 122, measuretest.Gap(at(111), 11*period, 11))
	return events
}

// TestEverySeveral: several intervals at once from one source are what separate
// runs give.
func TestEverySeveral(t *testing.T) {
	intervals := []time.Duration{20 * time.Millisecond, 250 * time.Millisecond, time.Second, 7 * time.Second}
	together := make([][]measure.Event, len(intervals))
	var sinks []measure.Sink
	for i, interval := range intervals {
		sinks = append(sinks, &measure.Every{Interval: interval, Out: func(e *measure.Event) error {
			together[i] = append(together[i], *e)
			return nil
		}})
	}
	if _, err := measure.Run(t.Context(), &measuretest.Source{Events: troubled()}, sinks...); err != nil {
		t.Fatal(err)
	}
	for i, interval := range intervals {
		alone := gather(t, troubled(), &measure.Every{Interval: interval})
		if diff := cmp.Diff(alone, together[i]); diff != "" {
			t.Errorf("%v: alone and together differ (-alone +together):\n%s", interval, diff)
		}
		if len(alone) < 5 {
			t.Errorf("%v: %d events", interval, len(alone))
		}
	}
}

// TestEveryCovers: readings and gaps follow each other without overlap, and have
// every window once.
func TestEveryCovers(t *testing.T) {
	var windows, bridged int
	var energy float64
	for _, e := range troubled() {
		if e.Kind == meter.WindowEvent {
			energy += e.Window.Energy()
			if e.Window.Bridged {
				bridged++
			} else {
				windows++
			}
		}
	}
	for _, interval := range []time.Duration{20 * time.Millisecond, 90 * time.Millisecond, time.Second, 7 * time.Second, time.Hour} {
		var last time.Time
		gotWindows, gotBridged, got := 0, 0, 0.
		for _, e := range gather(t, troubled(), &measure.Every{Interval: interval}) {
			from, to := e.Reading.Start, e.Reading.End
			switch e.Kind {
			case measure.StatusEvent:
				continue
			case measure.GapEvent:
				from, to = e.Gap.From, e.Gap.To
			case measure.ReadingEvent:
				gotWindows += e.Reading.Windows
				gotBridged += e.Reading.Bridged
				got += e.Reading.Energy
				if !e.Reading.Partial && (to.Sub(from)-interval).Abs() > period {
					t.Errorf("%v: a reading of %v", interval, to.Sub(from))
				}
			}
			if !last.IsZero() && !from.Equal(last) {
				t.Errorf("%v: %v begins at %v, what came before ended at %v", interval, e.Kind, from, last)
			}
			last = to
		}
		if gotWindows != windows || gotBridged != bridged {
			t.Errorf("%v: %d windows and %d bridged, want %d and %d", interval, gotWindows, gotBridged, windows, bridged)
		}
		if off := got/energy - 1; off < -1e-9 || off > 1e-9 {
			t.Errorf("%v: %g J, want %g J", interval, got, energy)
		}
	}
}

// TestEveryLimits: a count ends after so many readings, a duration at its time,
// be it in the midst of an interval.
func TestEveryLimits(t *testing.T) {
	tests := []struct {
		interval, duration time.Duration
		count              uint64
		readings           int
		partial            bool // the last one is
		length             time.Duration
	}{
		{interval: time.Second, count: 3, readings: 3, length: 3 * time.Second},
		{interval: time.Second, duration: 10 * time.Second, readings: 10, length: 10 * time.Second},
		{interval: 4 * time.Second, duration: 10 * time.Second, readings: 3, partial: true, length: 10 * time.Second},
		{interval: period, duration: time.Second, readings: 50, length: time.Second},
		{interval: period, duration: 990 * time.Millisecond, readings: 50, length: time.Second},
		{interval: 250 * time.Millisecond, duration: time.Second, readings: 4, length: time.Second},
		{interval: time.Second, duration: 2500 * time.Millisecond, count: 2, readings: 2, length: 2 * time.Second},
		{interval: time.Second, duration: 2500 * time.Millisecond, count: 9, readings: 3, partial: true, length: 2500 * time.Millisecond},
	}
	for _, tt := range tests {
		got := gather(t, measuretest.Windows(begin, 2000, period, 100), &measure.Every{Interval: tt.interval, Duration: tt.duration, Count: tt.count})
		if len(got) != tt.readings {
			t.Errorf("%+v: %d readings", tt, len(got))
			continue
		}
		last := got[len(got)-1].Reading
		if last.Partial != tt.partial || last.End.Sub(begin) != tt.length {
			t.Errorf("%+v: the last reading ends after %v, partial %v", tt, last.End.Sub(begin), last.Partial)
		}
	}
}

// An interval shorter than windows makes a reading of each, none of them partial.
func TestEveryWindow(t *testing.T) {
	events := troubled()
	want := 0
	for _, e := range events {
		if e.Kind == meter.WindowEvent {
			want++
		}
	}
	got := 0
	for _, e := range gather(t, events, &measure.Every{Interval: time.Nanosecond}) {
		if e.Kind != measure.ReadingEvent {
			continue
		}
		got++
		if r := &e.Reading; r.Windows+r.Bridged != 1 || r.Partial || !r.Ends {
			t.Fatalf("got %+v", r)
		}
	}
	if got != want {
		t.Errorf("%d readings of %d windows", got, want)
	}
}

// TestEveryCountGaps: readings that a gap or an outage cuts short count like
// others, and the last one may be such a reading.
func TestEveryCountGaps(t *testing.T) {
	for _, interval := range []time.Duration{period, 90 * time.Millisecond, time.Second, 7 * time.Second} {
		all := gather(t, troubled(), &measure.Every{Interval: interval})
		var readings uint64
		for _, e := range all {
			if e.Kind == measure.ReadingEvent {
				readings++
			}
		}
		for count := uint64(1); count <= readings; count += max(readings/50, 1) {
			got := uint64(0)
			for _, e := range gather(t, troubled(), &measure.Every{Interval: interval, Count: count}) {
				if e.Kind == measure.ReadingEvent {
					got++
				}
			}
			if got != count {
				t.Errorf("%v: %d readings, want %d", interval, got, count)
			}
		}
	}
}
