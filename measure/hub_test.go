package measure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

const window = 20 * time.Millisecond

var hubStart = time.Unix(1772600707, 890123456)

// feed hands events to a hub.
func feed(t *testing.T, h *measure.Hub, events ...meter.Event) {
	t.Helper()
	for i := range events {
		if err := h.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// readAll returns what a reader gets until the hub's end.
func readAll(t *testing.T, r *measure.HubReader) []measure.HubItem {
	t.Helper()
	var items []measure.HubItem
	for {
		item, err := r.Next(t.Context())
		if err == io.EOF {
			return items
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
}

// What comes out is what went in, to the last bit and in its order.
func TestHub(t *testing.T) {
	h := new(measure.Hub)
	whole := h.Reader(time.Time{})
	events := measuretest.Windows(hubStart, 700, window, 200)
	events[3].Window.Bridged = true
	events[4].Window.Error, events[4].Window.Delay = 123, 456
	gap := measuretest.Gap(events[699].Window.End, time.Second, 50)
	status := meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: hubStart.Add(time.Minute), Phase: meter.Noticed, Text: "odd"}}
	events = append(events, gap, status)
	mark := measure.Mark{Time: hubStart.Add(time.Second), Name: "phase"}
	feed(t, h, events[:10]...)
	h.Mark(mark)
	feed(t, h, events[10:]...)
	if err := h.End(); err != nil {
		t.Fatal(err)
	}
	var want []measure.HubItem
	for i, e := range events {
		if i == 10 {
			want = append(want, measure.HubItem{Mark: &mark})
		}
		want = append(want, measure.HubItem{Event: e})
	}
	if diff := cmp.Diff(want, readAll(t, whole)); diff != "" {
		t.Errorf("unexpected items (-want +got):\n%s", diff)
	}

	// The windows that end after a moment, and what follows.
	for _, tt := range []struct {
		from  time.Duration
		first int // of want
	}{
		{-time.Hour, 0}, {0, 0}, {window - 1, 0}, {window, 1}, {20*window - 1, 20}, {20 * window, 21},
		{600*window + 1, 601}, {700 * window, 701}, {700*window + time.Second - 1, 701},
	} {
		got := readAll(t, h.Reader(hubStart.Add(tt.from)))
		if diff := cmp.Diff(want[tt.first:], got); diff != "" {
			t.Errorf("from %v (-want +got):\n%s", tt.from, diff)
		}
	}
	if got := readAll(t, h.Reader(hubStart.Add(time.Hour))); len(got) != 0 {
		t.Errorf("from the future there are %d items", len(got))
	}
}

// What a reader was too slow for is one gap in its stream, and all else is there.
func TestHubSlowReader(t *testing.T) {
	h := &measure.Hub{Keep: 20 * time.Second}
	slow, never := h.Reader(time.Time{}), h.Reader(time.Time{})
	events := measuretest.Windows(hubStart, 5000, window, 200)
	feed(t, h, events[:100]...)
	for range 10 {
		if _, err := slow.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	feed(t, h, events[100:]...)
	if err := h.End(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		reader *measure.HubReader
		seen   int
	}{{"slow", slow, 10}, {"never", never, 0}} {
		at := hubStart.Add(time.Duration(tt.seen) * window)
		gaps, missed, windows := 0, 0, tt.seen
		for _, item := range readAll(t, tt.reader) {
			switch e := &item.Event; e.Kind {
			case meter.WindowEvent:
				if !e.Window.Start.Equal(at) {
					t.Fatalf("%s: a window begins at %v, and the last one ended at %v", tt.name, e.Window.Start, at)
				}
				at = e.Window.End
				windows++
			case meter.GapEvent:
				if !e.Gap.From.Equal(at) || e.Gap.Reason != measure.TooSlow {
					t.Errorf("%s: %+v, want one from %v", tt.name, e.Gap, at)
				}
				at = e.Gap.To
				gaps++
				missed += e.Gap.Windows
			}
		}
		if gaps != 1 || windows+missed != len(events) || !at.Equal(events[4999].Window.End) {
			t.Errorf("%s: %d gaps; %d windows and %d missed ones, want %d; until %v", tt.name, gaps, windows, missed, len(events), at)
		}
		if kept := len(events) - missed - tt.seen; kept < 1000 {
			t.Errorf("%s: %d windows are remembered, want those of 20 s", tt.name, kept)
		}
	}
}

// A gap of windows that nobody counted makes that of a slow reader one, too.
func TestHubUnknownGap(t *testing.T) {
	h := &measure.Hub{Keep: time.Second}
	r := h.Reader(time.Time{})
	feed(t, h, measuretest.Windows(hubStart, 300, window, 1)...)
	at := hubStart.Add(300 * window)
	feed(t, h, measuretest.Gap(at, time.Second, 0))
	feed(t, h, measuretest.Windows(at.Add(time.Second), 1000, window, 1)...)
	item, err := r.Next(t.Context())
	if err != nil || item.Event.Kind != meter.GapEvent || item.Event.Gap.Windows != 0 {
		t.Errorf("got %+v, %v", item, err)
	}
}

// Marks of the time of an outage are there for who comes back after it, also where they
// are many; those of before are not.
func TestHubMarksOfOutage(t *testing.T) {
	for _, n := range []int{1, 255, 256, 1000} {
		h := new(measure.Hub)
		feed(t, h, measuretest.Windows(hubStart, 300, window, 200)...)
		broke := hubStart.Add(300 * window)
		h.Mark(measure.Mark{Time: broke.Add(-time.Millisecond), Name: "before"})
		for i := range n {
			h.Mark(measure.Mark{Time: broke.Add(time.Duration(i + 1)), Name: fmt.Sprint(i)})
		}
		early := h.Reader(broke)
		feed(t, h, measuretest.Gap(broke, time.Second, 50))
		feed(t, h, measuretest.Windows(broke.Add(time.Second), 10, window, 200)...)
		late := h.Reader(broke)
		after := h.Reader(broke.Add(time.Second))
		if err := h.End(); err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]*measure.HubReader{"before its end": early, "after it": late} {
			items := readAll(t, r)
			if len(items) != n+11 {
				t.Fatalf("%d marks, %s: %d items, want %d", n, name, len(items), n+11)
			}
			for i := range n {
				if m := items[i].Mark; m == nil || m.Name != fmt.Sprint(i) {
					t.Fatalf("%d marks, %s: item %d is %+v", n, name, i, items[i])
				}
			}
			if items[n].Event.Kind != meter.GapEvent {
				t.Errorf("%d marks, %s: they are followed by %+v", n, name, items[n])
			}
		}
		if items := readAll(t, after); len(items) != 10 {
			t.Errorf("%d marks: after the outage come %d items", n, len(items))
		}
	}
}

// A reader waits, and ends with its context.
func TestHubWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(measure.Hub)
		r := h.Reader(time.Time{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			time.Sleep(30 * time.Second)
			feed(t, h, measuretest.Windows(hubStart, 1, window, 200)...)
		}()
		begin := time.Now()
		if item, err := r.Next(ctx); err != nil || item.Event.Window.Power != 200 || time.Since(begin) != 30*time.Second {
			t.Errorf("got %+v, %v after %v", item, err, time.Since(begin))
		}
		if r.Wait() == nil {
			t.Error("there is more")
		}
		if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// An hour's stream takes no more memory than what is kept, nor do statuses and
// marks that come without windows.
func TestHubForgets(t *testing.T) {
	h := &measure.Hub{Keep: time.Minute}
	events := measuretest.Windows(hubStart, 3600*50, window, 200)
	feed(t, h, events...)
	if n := measure.HubSize(h); n < 60*50 || n > 60*50+2*256 {
		t.Errorf("%d items are kept, want those of a minute, %d", n, 60*50)
	}
	for i := range 100000 {
		h.Mark(measure.Mark{Time: hubStart, Name: fmt.Sprint(i)})
	}
	if n := measure.HubSize(h); n > 60*100+3*256 {
		t.Errorf("%d items are kept", n)
	}
	at := hubStart.Add(3600 * time.Second)
	for range 100000 {
		at = at.Add(10 * time.Second)
		feed(t, h, meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: at, Text: "trying again"}})
	}
	// Without windows the memory goes by the number of items.
	if n := measure.HubSize(h); n > 60*100+3*256 {
		t.Errorf("%d items are kept", n)
	}
}

func ExampleHub() {
	hub := new(measure.Hub)
	reader := hub.Reader(time.Time{})
	defer reader.Close()
	go func() {
		// It ends the hub when it ends.
		src := &measuretest.Source{Events: measuretest.Windows(time.Now(), 150, 20*time.Millisecond, 200)}
		_, _ = measure.Run(context.Background(), src, hub)
	}()
	seconds := &measure.Every{Interval: time.Second, Out: func(e *measure.Event) error {
		fmt.Printf("%.0f W\n", e.Reading.Power)
		return nil
	}}
	for {
		item, err := reader.Next(context.Background())
		if err != nil {
			break // io.EOF
		}
		if item.Mark == nil {
			_ = seconds.Event(&item.Event)
		}
	}
	// Output:
	// 200 W
	// 200 W
	// 200 W
}
