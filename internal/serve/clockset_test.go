package serve

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// A setSource is a live source whose clock is ahead, and is set after some windows.
type setSource struct {
	*liveSource
	ahead, set time.Duration
	after      int // how many windows that is; 0: it is not
	told       bool
}

func (s *setSource) Next() (meter.Event, error) {
	if s.after > 0 && s.n >= s.after && !s.told {
		s.told = true
		e := meter.Event{Kind: meter.StatusEvent, Status: meter.ClockStepped(time.Now(), s.set)}
		return e, nil
	}
	e, err := s.liveSource.Next()
	e.Window.Start, e.Window.End = e.Window.Start.Add(s.ahead), e.Window.End.Add(s.ahead)
	return e, err
}

// A clock that is set forward is followed from then on, with a gap. One that is set
// back, or by little, is not: times go on.
func TestClockIsSet(t *testing.T) {
	for _, tt := range []struct {
		sets  []time.Duration // of each measurement in turn
		opens int
		gaps  []time.Duration // without what it takes to measure again
		ahead time.Duration   // of the last window
	}{
		{[]time.Duration{time.Hour}, 2, []time.Duration{time.Hour}, time.Hour},
		{[]time.Duration{time.Hour, 24 * time.Hour}, 3, []time.Duration{time.Hour, 24 * time.Hour}, 25 * time.Hour},
		{[]time.Duration{setForward - 1}, 1, nil, 0},
		{[]time.Duration{-time.Hour}, 1, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			opens := 0
			ahead := time.Duration(0)
			c := live("sim")
			c.Open = func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
				s := &setSource{liveSource: newLiveSource(ctx), ahead: ahead}
				if opens < len(tt.sets) {
					s.after, s.set = 100, tt.sets[opens]
					ahead += s.set
				}
				opens++
				return s, nil
			}
			b := start(t, Config{Meters: []MeterConfig{c}})
			r := b.lines("/api/v1/meters/sim/events")
			lines := make(chan []string, 1)
			go func() { lines <- r.rest() }()
			time.Sleep(20 * time.Second)
			now := time.Now()
			b.stop()
			in, err := record.NewReader(strings.NewReader(strings.Join(<-lines, "")))
			if err != nil {
				t.Fatal(err)
			}
			var gaps []time.Duration
			var last time.Time
			for {
				l, err := in.Next()
				if err != nil {
					break // that is the end
				}
				switch e := &l.Event; {
				case l.Kind != record.EventLine:
				case e.Kind == meter.GapEvent:
					if !strings.Contains(e.Gap.Reason, "the clock was set") || !e.Gap.From.Equal(last) {
						t.Errorf("sets %v: gap %+v after %v", tt.sets, e.Gap, last)
					}
					last = e.Gap.To
					gaps = append(gaps, e.Gap.To.Sub(e.Gap.From).Truncate(time.Minute))
				case e.Kind == meter.WindowEvent:
					if e.Window.Start.Before(last) {
						t.Fatalf("sets %v: a window begins at %v, before %v", tt.sets, e.Window.Start, last)
					}
					last = e.Window.End
				}
			}
			if diff := cmp.Diff(tt.gaps, gaps); diff != "" || opens != tt.opens {
				t.Errorf("sets %v: opened %d times, want %d; gaps (-want +got):\n%s", tt.sets, opens, tt.opens, diff)
			}
			if off := last.Sub(now) - tt.ahead; off.Abs() > time.Second {
				t.Errorf("sets %v: the last window is %v off", tt.sets, off)
			}
		})
	}
}

// Times that went on while the clock was behind are those of the clock again when a
// measurement begins after it has passed them.
func TestShift(t *testing.T) {
	var got []meter.Event
	f := &feed{fresh: true, sinks: []measure.Sink{sinkFunc(func(e *meter.Event) { got = append(got, *e) })}}
	at := time.Unix(1772600707, 0)
	window := func(after time.Duration) {
		t.Helper()
		f.event(&meter.Event{Kind: meter.WindowEvent, Window: meter.Window{Start: at.Add(after), End: at.Add(after + time.Second)}})
	}
	window(0)
	f.broke("set back")
	window(-time.Hour)
	window(-time.Hour + time.Second)
	f.broke("set forward")
	window(time.Minute)
	var ends []time.Duration
	for _, e := range got {
		switch e.Kind {
		case meter.WindowEvent:
			ends = append(ends, e.Window.End.Sub(at))
		case meter.GapEvent:
			ends = append(ends, e.Gap.To.Sub(at))
		}
	}
	want := []time.Duration{time.Second, time.Second, 2 * time.Second, 3 * time.Second, time.Minute, time.Minute + time.Second}
	if diff := cmp.Diff(want, ends); diff != "" {
		t.Errorf("ends of windows and gaps (-want +got):\n%s", diff)
	}
}

type sinkFunc func(*meter.Event)

func (f sinkFunc) Event(e *meter.Event) error { f(e); return nil }
func (f sinkFunc) End() error                 { return nil }
