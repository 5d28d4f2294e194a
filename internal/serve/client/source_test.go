package client

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
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

// follows reports whether windows follow on each other, none lost and none twice.
func follows(list []int) bool {
	for i := 1; i < len(list); i++ {
		if list[i] != list[i-1]+1 {
			return false
		}
	}
	return len(list) > 0
}

// TestCutOff: whatever ends the connection, and for how long, no window is lost, none
// comes twice, and readings are not even cut.
func TestCutOff(t *testing.T) {
	garbage := func(text string) func(*world) {
		return func(w *world) { w.do(func() { w.lines = append(w.lines, text) }) }
	}
	for name, trouble := range map[string]func(*world){
		"at once":   func(w *world) { w.cut(false) },
		"silently":  func(w *world) { w.cut(true) },
		"mid-line":  garbage(`{"type":"reading","start_s":177` + "\n"),
		"garbage":   garbage("\x00\xff\x1b[2J\n"),
		"huge line": garbage(`{"type":"` + strings.Repeat("x", 3*record.MaxLine) + "\"}\n"),
		"no number": garbage(`{"type":"reading","start_s":1,"end_s":2,"power_W":NaN}` + "\n"),
		"20 s": func(w *world) {
			w.do(func() { w.refuse = true })
			w.cut(false)
			time.Sleep(20 * time.Second)
			w.do(func() { w.refuse = false })
		},
		"20 s quiet": func(w *world) {
			w.do(func() { w.refuse = true })
			w.cut(true)
			time.Sleep(20 * time.Second)
			w.do(func() { w.refuse = false })
		},
		"3 minutes": func(w *world) {
			w.do(func() { w.refuse = true })
			w.cut(false)
			time.Sleep(3 * time.Minute)
			w.do(func() { w.refuse = false })
		},
		"again and again": func(w *world) {
			for range 30 {
				w.cut(false)
				time.Sleep(170 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.latency = between(time.Millisecond, 4*time.Millisecond)
				w.ahead, w.drift = -37*time.Second, 120e-6
				s := w.must(t.Context(), Config{})
				done := make(chan struct{})
				go func() {
					defer close(done)
					time.Sleep(5 * time.Second)
					trouble(w)
				}()
				windows := 50 * 60
				if name == "3 minutes" {
					windows += 50 * 60 * 3
				}
				events, err := w.watch(s, windows)
				<-done
				if err != nil {
					t.Fatal(err)
				}
				if list := powers(events); !follows(list) {
					t.Errorf("%d windows, which do not follow on each other", len(list))
				}
				if g := gaps(events); len(g) > 0 {
					t.Errorf("gaps: %v", g)
				}
				if text := statuses(events); !strings.Contains(text, "recovering: ") || !strings.Contains(text, "streaming: connected again") || strings.Contains(text, "stalled") || strings.ContainsRune(text, 0x1b) {
					t.Errorf("statuses:\n%s", text)
				}
				bound := float64(s.ClockError()) * math.Sqrt(6)
				for _, e := range events {
					if e.Kind != meter.WindowEvent {
						continue
					}
					off := e.Window.End.Sub(w.truth(w.window(int(e.Window.Power)).End))
					if limit := bound + 3*float64(e.Window.Error) + float64(5*time.Millisecond); math.Abs(float64(off)) > limit {
						t.Fatalf("window %v is off by %v, more than %v", e.Window.Power, off, time.Duration(limit))
					}
				}
			})
		})
	}
}

// TestServerStartsAgain: what its memory has lost is a gap, told once it is known.
func TestServerStartsAgain(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.must(t.Context(), Config{})
			go func() {
				time.Sleep(5 * time.Second)
				w.do(func() { w.refuse = true })
				w.cut(false)
				time.Sleep(10 * time.Second)
				w.do(func() {
					// The new one has another clock, and remembers two seconds.
					k := int(time.Since(w.begun) / windowLength)
					w.instance, w.refuse, w.first, w.ahead = "2", false, k-100, w.ahead+ahead
				})
			}()
			events, err := w.watch(s, 50*20)
			if err != nil {
				t.Fatal(err)
			}
			list := powers(events)
			g := gaps(events)
			if len(g) != 1 {
				t.Fatalf("%v: %d gaps: %v\n%s", ahead, len(g), g, statuses(events))
			}
			missing := 0
			for i := 1; i < len(list); i++ {
				if d := list[i] - list[i-1] - 1; d != 0 {
					missing += d
				}
			}
			if want := time.Duration(missing) * windowLength; (g[0].To.Sub(g[0].From)-want).Abs() > windowLength || missing < 300 || missing > 430 {
				t.Errorf("%v: a gap of %v for %d windows", ahead, g[0].To.Sub(g[0].From), missing)
			}
			if !strings.Contains(g[0].Reason, "the server") {
				t.Errorf("the reason is %q", g[0].Reason)
			}
		})
	}
}

// TestClocks: times are this machine's, within what is told, whatever the server's
// clock and the network do.
func TestClocks(t *testing.T) {
	for _, tt := range []struct {
		ahead   time.Duration
		drift   float64
		latency func() time.Duration
		error   time.Duration // at most, after some time
	}{
		{37 * time.Second, 120e-6, between(100*time.Microsecond, 400*time.Microsecond), time.Millisecond},
		{-37 * time.Second, -120e-6, between(100*time.Microsecond, 400*time.Microsecond), time.Millisecond},
		{20 * 365 * 24 * time.Hour, 120e-6, between(5*time.Millisecond, 80*time.Millisecond), 30 * time.Millisecond},
		{3 * time.Millisecond, 0, between(time.Microsecond, 2*time.Microsecond), 200 * time.Microsecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.ahead, w.drift, w.latency = tt.ahead, tt.drift, tt.latency
			s := w.must(t.Context(), Config{})
			begun := time.Now()
			worst := 0.
			var all []meter.Event
			for time.Since(begun) < 4*time.Minute {
				before := s.ClockError()
				e, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				if e.Kind != meter.WindowEvent {
					all = append(all, e)
					continue
				}
				off := e.Window.End.Sub(w.truth(w.window(int(e.Window.Power)).End))
				bound := (float64(max(before, s.ClockError())) + float64(e.Window.Error)) * math.Sqrt(6)
				if math.Abs(float64(off)) > bound {
					t.Fatalf("after %v a window is off by %v, more than %v", time.Since(begun), off, time.Duration(bound))
				}
				if time.Since(begun) > time.Minute {
					worst = max(worst, float64(s.ClockError()))
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if worst > float64(tt.error) || worst == 0 {
				t.Errorf("%v ahead: the uncertainty is %v, more than %v", tt.ahead, time.Duration(worst), tt.error)
			}
			if told := strings.Count(statuses(all), "the server's clock is"); told != map[bool]int{true: 1}[tt.ahead.Abs() > time.Second] {
				t.Errorf("%v ahead: told %d times:\n%s", tt.ahead, told, statuses(all))
			}
		})
	}
}

// TestEnergy: the energy of jobs agrees with the truth within its uncertainty, where
// the server's clock is 37 s and 120 ppm off, and the network is cut meanwhile. The
// load changes abruptly, also at both ends of a job.
func TestEnergy(t *testing.T) {
	const high, low = 300., 50. // W, for half a second each
	energy := func(d time.Duration) float64 {
		s := d.Seconds()
		whole := math.Floor(s)
		return whole*(high+low)/2 + high*min(s-whole, 0.5) + low*max(s-whole-0.5, 0)
	}
	for _, latency := range []func() time.Duration{between(100*time.Microsecond, 500*time.Microsecond), between(2*time.Millisecond, 25*time.Millisecond)} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.ahead, w.drift, w.latency = 37*time.Second, 120e-6, latency
			w.power = func(from, to time.Duration) float64 { return (energy(to) - energy(from)) / (to - from).Seconds() }
			watch := measure.StartWatch(t.Context(), w.must(t.Context(), Config{}), &measure.History{DelayKnown: true})
			if err := watch.Flows(t.Context()); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(3, 4))
			outside, jobs := 0, 50
			for i := range jobs {
				if i%20 == 10 {
					w.cut(i%40 == 10)
				}
				time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
				if i%2 == 0 {
					// A job begins when the load does.
					since := time.Since(w.begun)
					time.Sleep(since.Truncate(time.Second) + time.Second - since)
				}
				from := time.Now()
				time.Sleep(300*time.Millisecond + time.Duration(random.Int64N(int64(3*time.Second))))
				to := time.Now()
				if !watch.Settle(t.Context(), to, 20*time.Second) {
					t.Fatal("the windows do not come")
				}
				s := watch.History.Span(from, to)
				truth := energy(to.Sub(w.begun)) - energy(from.Sub(w.begun))
				off := max(math.Abs(s.Energy-truth)-1e-5, 0) // J, of rounding
				if off > s.Uncertainty.Expanded() {
					outside++
				}
				if s.Coverage() < 1 || off > 2.5*s.Uncertainty.Expanded() {
					t.Errorf("job %d: %.6f J, truly %.6f J, +- %.6f J; coverage %v", i, s.Energy, truth, s.Uncertainty.Expanded(), s.Coverage())
				}
				if most := 2 * high * 0.05; s.Uncertainty.Expanded() > most {
					t.Errorf("job %d: +- %.3f J of %.3f J is more than %.3f J", i, s.Uncertainty.Expanded(), s.Energy, most)
				}
			}
			if outside > jobs/20 {
				t.Errorf("%d of %d energies are off by more than their uncertainty", outside, jobs)
			}
			if out, err := watch.Stop(); err != nil || out.Gaps > 0 {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

// TestServerClockIsSet: windows go on by the clock that they began with, and a new
// stream of a meter by the clock as it is then.
func TestServerClockIsSet(t *testing.T) {
	for _, set := range []time.Duration{10 * time.Second, -10 * time.Second, 300 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.drift, w.latency = -50e-6, between(200*time.Microsecond, 2*time.Millisecond)
			s := w.must(t.Context(), Config{})
			go func() {
				time.Sleep(30 * time.Second)
				w.do(func() { w.set += set })
				time.Sleep(30 * time.Second)
				w.cut(false)
				if set < 0 {
					return
				}
				time.Sleep(10 * time.Second)
				w.do(func() {
					// The server's meter is connected to again.
					k := int(time.Since(w.begun) / windowLength)
					from := w.window(k - 30).End
					w.ahead += set
					w.set = 0
					to := w.window(k - 30).Start
					w.lines = append(w.lines, line(record.Line{Kind: record.EventLine, Event: meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: from, To: to, Reason: "a link broke"}}}))
				})
			}()
			events, err := w.watch(s, 50*100)
			if err != nil {
				t.Fatal(err)
			}
			off := 0
			for _, e := range events {
				if e.Kind != meter.WindowEvent {
					continue
				}
				k := int(e.Window.Power)
				want := w.begun.Add(time.Duration(float64(time.Duration(k+1)*windowLength) / (1 + w.drift)))
				if d := e.Window.End.Sub(want); d.Abs() > 3*time.Millisecond {
					off++
				}
			}
			// At the gap it is not known at once which clock counts.
			if off > 0 {
				t.Errorf("set by %v: %d of %d windows are off", set, off, len(events))
			}
			if len(gaps(events)) != map[bool]int{true: 1}[set > 0] {
				t.Errorf("set by %v: %d gaps", set, len(gaps(events)))
			}
		})
	}
}

// TestServerFollowsItsClock: the server tells that its clock was set, and its windows go by
// it before clocks are compared the next time.
func TestServerFollowsItsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.latency = between(200*time.Microsecond, 2*time.Millisecond)
		s := w.must(t.Context(), Config{})
		go func() {
			time.Sleep(30*time.Second + 10*time.Millisecond)
			w.do(func() {
				k := int(time.Since(w.begun) / windowLength)
				from := w.window(k - 30).End
				w.ahead += time.Hour
				to := w.window(k - 30).Start
				w.lines = append(w.lines,
					line(record.Line{Kind: record.EventLine, Event: meter.Event{Kind: meter.StatusEvent, Status: meter.ClockStepped(from, time.Hour)}}),
					line(record.Line{Kind: record.EventLine, Event: meter.Event{Kind: meter.GapEvent, Gap: meter.Gap{From: from, To: to, Reason: "set"}}}))
			})
		}()
		events, err := w.watch(s, 50*60)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind != meter.WindowEvent {
				continue
			}
			k := int(e.Window.Power)
			if d := e.Window.End.Sub(w.begun.Add(time.Duration(k+1) * windowLength)); d.Abs() > 3*time.Millisecond {
				t.Fatalf("window %d is off by %v", k, d)
			}
		}
	})
}

// TestSameMachine: times are the server's own, to the nanosecond.
func TestSameMachine(t *testing.T) {
	boot := api.BootID()
	if boot == "" {
		t.Fatal("this machine has no boot_id")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.boot, w.latency = boot, between(time.Millisecond, 30*time.Millisecond)
		s := w.must(t.Context(), Config{})
		if s.ClockError() != 0 {
			t.Errorf("the uncertainty is %v", s.ClockError())
		}
		events, err := w.watch(s, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind != meter.WindowEvent {
				t.Errorf("%+v", e)
				continue
			}
			want := w.window(int(e.Window.Power))
			if got := e.Window; !got.Start.Equal(want.Start) || !got.End.Equal(want.End) || got.Length != want.Length || got.Error != want.Error || got.Measurement != want.Measurement {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	})
}

// TestGivenUp: a server, or its meter, that is away for too long.
func TestGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		trouble func(*world)
		want    string
		gap     bool
	}{
		"the server": {func(w *world) { w.do(func() { w.refuse = true }); w.cut(false) }, "gave up after 30s: no server answers", true},
		"the meter": {func(w *world) {
			w.do(func() {
				w.last = 1
				w.lines = append(w.lines, line(record.Line{Kind: record.EventLine, Event: meter.Event{
					Kind: meter.StatusEvent, Status: meter.Status{Time: time.Now(), Phase: meter.Stalled, Text: "the link broke"},
				}}))
			})
		}, "gave up after 30s: the link broke", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.must(t.Context(), Config{GiveUpAfter: 30 * time.Second})
				go func() { time.Sleep(5 * time.Second); tt.trouble(w) }()
				begun := time.Now()
				events, err := w.watch(s, 0)
				if !errors.Is(err, meter.ErrNoAnswer) && !errors.Is(err, meter.ErrNotFound) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(begun); took < 34*time.Second || took > 36*time.Second {
					t.Errorf("after %v", took)
				}
				if g := gaps(events); (len(g) == 1) != tt.gap {
					t.Errorf("gaps: %v", g)
				}
			})
		})
	}
}

// TestOpenPatiently: a server that comes while it is waited for.
func TestOpenPatiently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refuse = true
		if _, err := w.open(t.Context(), Config{}); !errors.Is(err, ErrUnreachable) || !errors.Is(err, meter.ErrNotFound) {
			t.Errorf("without patience: %v", err)
		}
		begun := time.Now()
		if _, err := w.open(t.Context(), Config{GiveUpAfter: 10 * time.Second}); !errors.Is(err, ErrUnreachable) || time.Since(begun) < 10*time.Second {
			t.Errorf("with some: %v after %v", err, time.Since(begun))
		}
		go func() { time.Sleep(20 * time.Second); w.do(func() { w.refuse = false }) }()
		told := 0
		s, err := w.open(t.Context(), Config{GiveUpAfter: time.Minute, Report: func(meter.Status) { told++ }})
		if err != nil {
			t.Fatal(err)
		}
		if told < 3 {
			t.Errorf("told %d times", told)
		}
		if events, err := w.watch(s, 10); err != nil || len(gaps(events)) > 0 {
			t.Errorf("%v, %v", events, err)
		}
	})
}

// TestEndsWithContext: at whatever moment.
func TestEndsWithContext(t *testing.T) {
	for name, before := range map[string]func(*world){
		"streaming": func(*world) {},
		"away":      func(w *world) { w.do(func() { w.refuse = true }); w.cut(false); time.Sleep(time.Second) },
		"dead":      func(w *world) { w.cut(true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				ctx, cancel := context.WithCancel(t.Context())
				s := w.must(ctx, Config{})
				var ended time.Time
				go func() {
					time.Sleep(5 * time.Second)
					before(w)
					ended = time.Now()
					cancel()
				}()
				_, err := w.watch(s, 0)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(ended); took > time.Second {
					t.Errorf("%v later", took)
				}
				if err := s.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRunEnds: measure.Run on a source stops and closes it.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		readings := 0
		out, err := measure.Run(t.Context(), w.must(t.Context(), Config{}), &measure.Every{Interval: time.Second, Count: 5, Out: func(e *measure.Event) error {
			if e.Kind == measure.ReadingEvent {
				readings++
			}
			return nil
		}})
		if err != nil || readings != 5 || out.Gaps > 0 {
			t.Errorf("%d readings, %+v, %v", readings, out, err)
		}
	})
}

// TestMarks: by this machine's clock.
func TestMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ahead = 100 * time.Second
		var got []measure.Mark
		s := w.must(t.Context(), Config{Mark: func(m measure.Mark) { got = append(got, m) }})
		at := time.Now()
		w.do(func() {
			w.lines = append(w.lines, line(record.Line{Kind: record.MarkLine, Mark: measure.Mark{Time: w.clock(at), Name: "compile"}}))
		})
		if _, err := w.watch(s, 10); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Name != "compile" || got[0].Time.Sub(at).Abs() > time.Millisecond {
			t.Errorf("marks: %v, want one at %v", got, at)
		}
	})
}

// TestMarkTwice: one that came before the connection broke, and after that again.
func TestMarkTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var got []string
		s := w.must(t.Context(), Config{Mark: func(m measure.Mark) { got = append(got, m.Name) }})
		mark := func(after time.Duration, name string) string {
			return line(record.Line{Kind: record.MarkLine, Mark: measure.Mark{Time: w.begun.Add(after), Name: name}})
		}
		w.do(func() { w.last = 200 })
		go func() {
			time.Sleep(10 * time.Second)
			w.do(func() { w.lines = append(w.lines, mark(time.Second, "one")) })
			time.Sleep(time.Second)
			w.cut(false)
			w.do(func() {
				w.lines = append(w.lines, mark(time.Second, "one"), mark(2*time.Second, "one"), mark(2*time.Second, "two"))
			})
			time.Sleep(10 * time.Second)
			w.do(func() { w.last = 0 })
		}()
		if _, err := w.watch(s, 400); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"one", "one", "two"}, got); diff != "" {
			t.Errorf("marks (-want +got):\n%s", diff)
		}
	})
}

// TestOtherWindows: what the server's windows do not allow.
func TestOtherWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.open(t.Context(), Config{Stream: meter.StreamConfig{Interval: 17 * time.Millisecond}}); !errors.Is(err, meter.ErrInterval) {
			t.Errorf("an interval of 17 ms: %v", err)
		}
		s := w.must(t.Context(), Config{Stream: meter.StreamConfig{Averaging: 5, Delay: 8 * time.Millisecond}})
		events, err := w.watch(s, 3)
		if err != nil || !strings.Contains(statuses(events), "average over 1 mains period") {
			t.Errorf("%v\n%s", err, statuses(events))
		}
		for _, e := range events {
			if e.Kind == meter.WindowEvent {
				want := w.window(int(e.Window.Power)).End.Add(-8 * time.Millisecond)
				if d := e.Window.End.Sub(want).Abs(); d > time.Millisecond {
					t.Errorf("the end is off by %v", d)
				}
			}
		}
	})
}

// TestTarget: who it is.
func TestTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.must(t.Context(), Config{})
		defer s.Close()
		if got := s.Target(); got.Device() != "http://server:9000/bench" || got.Name != "bench" || !got.IsSimulated() {
			t.Errorf("target %+v", got)
		}
		if i := s.Info(); i.Identity.Serial != 4567 || i.Frequency != 50 || i.Target != s.Target() {
			t.Errorf("info %+v", i)
		}
	})
}

// TestOpenFails: each with its kind, and what is final is not tried again.
func TestOpenFails(t *testing.T) {
	answer := func(status int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	type answers = func(http.ResponseWriter, *http.Request) bool
	for name, tt := range map[string]struct {
		handler answers
		meters  []string
		meter   string
		kind    error
		cause   error
		final   bool
		text    string
	}{
		"login":         {handler: answer(401, `{"error":"who are you?\u001b[2J"}`), kind: meter.ErrNotReady, cause: ErrLogin, final: true, text: "who are you?"},
		"forbidden":     {handler: answer(403, ``), kind: meter.ErrNotReady, cause: ErrForbidden, final: true, text: "403"},
		"too many":      {handler: answer(503, `{"error":"too many readers"}`), kind: meter.ErrNoAnswer, text: "too many readers"},
		"a web server":  {handler: answer(404, `<html>`), kind: meter.ErrNoAnswer, cause: ErrNoServer},
		"another one":   {handler: answer(200, `<html>`), kind: meter.ErrNoAnswer, cause: ErrNoServer},
		"no meters":     {meters: []string{}, kind: meter.ErrNoAnswer, cause: ErrNoMeters},
		"several":       {meters: []string{"a", "b\x1b"}, kind: meter.ErrUsage, final: true, text: "several meters: a, b"},
		"unknown":       {meter: "c", kind: meter.ErrNotFound, text: `no meter "c"; it has bench`},
		"no recording":  {handler: only("/events", answer(200, "hello, world, this is something else\n")), kind: meter.ErrNoAnswer, cause: ErrNoServer},
		"an empty one":  {handler: only("/events", answer(200, "\n\n")), kind: meter.ErrNoAnswer},
		"no time":       {handler: only("/time", answer(200, "{}")), kind: meter.ErrNoAnswer, cause: ErrNoServer},
		"newer version": {handler: only("/events", answer(200, `{"type":"header","version":99}`+"\n")), kind: meter.ErrNoAnswer, cause: record.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.handler = tt.handler
				if tt.meters != nil {
					w.meters = tt.meters
				}
				cfg := Config{GiveUpAfter: 20 * time.Second}
				cfg.Server = meter.Server{URL: "http://server:9000", Meter: tt.meter}
				begun := time.Now()
				_, err := w.open(t.Context(), cfg)
				if err == nil || !errors.Is(err, tt.kind) || tt.cause != nil && !errors.Is(err, tt.cause) || !strings.Contains(err.Error(), tt.text) || strings.ContainsRune(err.Error(), 0x1b) {
					t.Errorf("unexpected error %v", err)
				}
				if final := time.Since(begun) < time.Second; final != tt.final {
					t.Errorf("after %v: %v", time.Since(begun), err)
				}
			})
		})
	}
}

// only lets a handler see the requests of one path.
func only(end string, handler func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, end) && handler(w, r)
	}
}

// TestUselessServer: one that ends each stream at once is not asked again and again
// without a pause, and what it measured before its clock was set is noticed.
func TestUselessServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set = time.Hour
		s := w.must(t.Context(), Config{GiveUpAfter: time.Minute})
		go func() {
			time.Sleep(2 * time.Second)
			w.do(func() {
				w.meters = append(w.meters, "another") // which was not meant
				w.last = 1
				for range 1000 {
					w.lines = append(w.lines, "nonsense\n")
				}
				w.streams = 0
			})
		}()
		events, err := w.watch(s, 0)
		if err == nil || !strings.Contains(err.Error(), "gave up after 1m0s") {
			t.Errorf("it ended with %v", err)
		}
		if w.streams < 10 || w.streams > 50 {
			t.Errorf("%d streams were begun", w.streams)
		}
		if text := statuses(events); !strings.Contains(text, "the server's times are 3601 s apart from its clock") {
			t.Errorf("statuses:\n%s", text)
		}
	})
}

// TestBusyServer: one that refuses for a while after the connection broke.
func TestBusyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.must(t.Context(), Config{})
		refused := 0
		go func() {
			time.Sleep(2 * time.Second)
			w.do(func() {
				w.handler = only("/events", func(rw http.ResponseWriter, _ *http.Request) bool {
					if refused++; refused > 5 {
						return false
					}
					rw.WriteHeader(http.StatusServiceUnavailable)
					return true
				})
			})
			w.cut(false)
		}()
		events, err := w.watch(s, 50*30)
		if err != nil || !follows(powers(events)) || len(gaps(events)) > 0 || refused < 5 {
			t.Errorf("%v, %v\n%s", err, gaps(events), statuses(events))
		}
		if !slices.ContainsFunc(events, func(e meter.Event) bool { return strings.Contains(e.Status.Text, "trying again in") }) {
			t.Errorf("statuses:\n%s", statuses(events))
		}
	})
}

// TestSilentServer: somebody listens there, and never answers.
func TestSilentServer(t *testing.T) {
	for _, path := range []string{api.Meters, api.Clock, "/events"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.handler = only(path, func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			})
			begun := time.Now()
			_, err := w.open(t.Context(), Config{})
			if !errors.Is(err, ErrSilent) || !errors.Is(err, meter.ErrNoAnswer) {
				t.Errorf("%s: %v", path, err)
			}
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("%s: it took %v", path, took)
			}
		})
	}
}

// TestNonsense: what a server tells is no file that somebody has given.
func TestNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lines = []string{"nonsense\n"}
		if _, err := w.open(t.Context(), Config{}); err == nil || errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "what the server tells can't be read: line 2") {
			t.Error(err)
		}
	})
}
