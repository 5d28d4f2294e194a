package serve

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/serve/api"
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
	at := time.Now() // with a monotonic reading, which no reader gets
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
			if strings.Contains(e.Window.Start.String()+e.Window.End.String(), "m=") {
				t.Errorf("a window from %v to %v", e.Window.Start, e.Window.End)
			}
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

// ahead returns by how much times of windows are ahead of the clock now.
func (t *turns) ahead() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) == 0 {
		return 0
	}
	return t.list[len(t.list)-1].ahead
}

// Which windows are meant by a moment of a clock that was set.
func TestTurns(t *testing.T) {
	at := time.Now()
	var k turns
	if got := k.placed(at, at); !got.Equal(at) || k.ahead() != 0 {
		t.Errorf("before any window: %v", got.Sub(at))
	}
	k.turn(at, 0)
	k.turn(at.Add(10*time.Minute), 0)
	// An hour back, between two windows.
	k.turn(at.Add(10*time.Minute+time.Second), time.Hour)
	// What was noticed there by the clock as it is now began a second before.
	k.list[1].at = k.list[1].at.Add(-time.Hour)
	now := at.Add(-30 * time.Minute)
	for _, tt := range []struct{ clock, want time.Duration }{
		{-31 * time.Minute, 29 * time.Minute},      // since then
		{-50 * time.Minute, 10 * time.Minute},      // the moment itself
		{-51 * time.Minute, -51 * time.Minute},     // before it
		{5 * time.Minute, 5 * time.Minute},         // to come, and shown before
		{11 * time.Minute, 71 * time.Minute},       // to come
		{-30 * time.Minute, 30 * time.Minute},      // now
		{-2 * time.Hour, -2 * time.Hour},           // long ago
		{-50*time.Minute - 1, -50*time.Minute - 1}, // just before it
	} {
		got := k.placed(at.Add(tt.clock), now)
		if got.Sub(at) != tt.want {
			t.Errorf("%v is %v, want %v", tt.clock, got.Sub(at), tt.want)
		}
		if back := k.shown(got); back.Sub(at) != tt.clock && tt.clock > -50*time.Minute-1 {
			t.Errorf("%v is shown as %v", tt.clock, back.Sub(at))
		}
	}
	// Placing a measurement anew is no turn, and there are only so many.
	k.turn(at, time.Hour+leastTurn-1)
	if len(k.list) != 2 || k.ahead() != time.Hour {
		t.Errorf("%+v", k.list)
	}
	for i := range 2 * maxTurns {
		k.turn(at, time.Duration(i)*time.Second)
	}
	if len(k.list) != maxTurns || k.ahead() != (2*maxTurns-1)*time.Second {
		t.Errorf("%d turns", len(k.list))
	}
}

// After a clock was set back the energy since a moment of it is that of the windows
// that were measured then, and a mark is where they are.
func TestEnergyAfterClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opens := 0
		c := live("sim")
		c.Open = func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
			s := &setSource{liveSource: newLiveSource(ctx)}
			if opens++; opens == 1 {
				s.ahead, s.end, s.err = time.Hour, 500, errors.New("the link broke")
			}
			return s, nil
		}
		b := start(t, Config{Meters: []MeterConfig{c}})
		time.Sleep(20 * time.Second)
		begin := time.Now()
		mark := httptest.NewRequest(http.MethodPost, "/api/v1/meters/sim/marks", strings.NewReader(`{"name":"job"}`))
		mark.Header.Set("Content-Type", api.JSON)
		set := httptest.NewRecorder()
		b.server.handler.ServeHTTP(set, mark.WithContext(context.WithValue(mark.Context(), peerKey{}, peer{kind: Unix})))
		if set.Code != http.StatusCreated {
			t.Errorf("%d, %s", set.Code, set.Body)
		}
		time.Sleep(2 * time.Second)
		var e api.Span
		b.json("/api/v1/meters/sim/energy?from="+asUnix(begin)+"&to=now", http.StatusOK, &e)
		if e.Coverage != 1 || e.Windows < 100 || e.Windows > 102 || len(e.Gaps) != 0 || math.Abs(e.Duration-2) > 0.01 ||
			!e.Start.Equal(begin) || e.End.Sub(begin) != 2*time.Second {
			t.Errorf("the energy is %+v", e)
		}
		// The mark is where the windows are of when it was set.
		var marks []api.Mark
		b.json("/api/v1/meters/sim/marks", http.StatusOK, &marks)
		m := b.server.Meters()[0]
		if len(marks) != 1 || marks[0].Time.Sub(begin) != m.turns.ahead() || m.turns.ahead() < 59*time.Minute {
			t.Errorf("the marks are %+v, windows %v ahead", marks, m.turns.ahead())
		}
		b.get("/api/v1/meters/sim/energy?from=now&to="+asUnix(time.Now().Add(time.Minute)), http.StatusBadRequest).Body.Close()
	})
}

// asUnix writes UNIX seconds.
func asUnix(t time.Time) string {
	text, err := record.Seconds{Time: t}.MarshalJSON()
	if err != nil {
		panic(err) // it never fails
	}
	return string(text)
}

type sinkFunc func(*meter.Event)

func (f sinkFunc) Event(e *meter.Event) error { f(e); return nil }
func (f sinkFunc) End() error                 { return nil }
