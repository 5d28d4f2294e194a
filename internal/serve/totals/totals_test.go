package totals_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/serve/totals"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const period = 20 * time.Millisecond

// feed hands events on, outside of a measurement.
func feed(t *testing.T, to *totals.Totals, events ...meter.Event) {
	t.Helper()
	for i := range events {
		if err := to.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
}

func stalled() meter.Event {
	return meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Phase: meter.Stalled, Text: "a test wants it"}}
}

// The energy is the sum of the windows' energies, however many there are and
// however much they differ: exactly, but for one rounding.
func TestEnergyIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 1))
	var truth big.Float
	truth.SetPrec(400)
	to := totals.New()
	end := begin
	for range 200_000 {
		w := meter.Window{Start: end, End: end.Add(period), Length: period + time.Duration(random.IntN(1000)), Bridged: random.IntN(50) == 0}
		w.Power = math.Exp(12*random.Float64() - 4)
		end = w.End
		e := meter.Event{Kind: meter.WindowEvent, Window: w}
		feed(t, to, e)
		truth.Add(&truth, new(big.Float).SetFloat64(w.Energy()))
	}
	want, _ := truth.Float64()
	s := to.Snapshot()
	if s.Energy != want || s.Counter != want {
		t.Errorf("energy %v and counter %v, want %v", s.Energy, s.Counter, want)
	}
	if s.Windows+s.Bridged != 200_000 || s.Bridged == 0 {
		t.Errorf("%d windows and %d bridged ones", s.Windows, s.Bridged)
	}
}

// Where power flows backwards the counter stands still, and goes on when as much
// has flowed forwards again.
func TestCounterNeverGoesBack(t *testing.T) {
	to := totals.New()
	at := begin
	for _, part := range []struct{ power, energy, counter float64 }{
		{-50, -50, 0}, {100, 50, 50}, {-100, -50, 50}, {90, 40, 50}, {60, 100, 100},
	} {
		feed(t, to, measuretest.Windows(at, 50, period, part.power)...)
		at = at.Add(time.Second)
		s := to.Snapshot()
		if math.Abs(s.Energy-part.energy) > 1e-9 || math.Abs(s.Counter-part.counter) > 1e-9 {
			t.Errorf("after a second of %v W energy %v and counter %v, want %v and %v", part.power, s.Energy, s.Counter, part.energy, part.counter)
		}
	}
}

// A gauge is the mean of the last second, whatever came before.
func TestMeanOfTheLastSecond(t *testing.T) {
	to := totals.New()
	feed(t, to, measuretest.Windows(begin, 500, period, 1000)...)
	feed(t, to, measuretest.Windows(begin.Add(500*period), 25, period, 100)...)
	feed(t, to, measuretest.Windows(begin.Add(525*period), 25, period, 300)...)
	s := to.Snapshot()
	want := totals.Mean{
		Power: 200, Voltage: 230, Current: math.Sqrt((100*100 + 300*300) / 2.0 / (230 * 230)),
		VoltagePeak: 325, CurrentPeak: 300.0 / 163, Frequency: 50,
	}
	if diff := cmp.Diff(want, s.Mean, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })); diff != "" {
		t.Errorf("unexpected mean (-want +got):\n%s", diff)
	}
	if got, want := s.Mean.PowerFactor(), 200/(230*want.Current); math.Abs(got-want) > 1e-9 {
		t.Errorf("power factor %v, want %v", got, want)
	}
	if none := (&totals.Mean{Voltage: 230}); !math.IsNaN(none.PowerFactor()) {
		t.Errorf("power factor %v without a current", none.PowerFactor())
	}

	// A window that is longer than a second is a mean by itself.
	feed(t, to, measuretest.Windows(begin.Add(550*period), 1, 2*time.Second, 7)...)
	if got := to.Snapshot().Mean.Power; got != 7 {
		t.Errorf("mean power of a long window %v W, want 7", got)
	}
}

// A meter is up while windows come. It is away when the stream says so, when it is
// silent for long, and at the end of a measurement; what it was away is a gap, once.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := totals.New()
		is := func(when string, up bool, lost time.Duration, reconnects uint64) {
			t.Helper()
			s := to.Snapshot()
			if s.Up != up || s.Lost != lost || s.Reconnects != reconnects {
				t.Errorf("%s: up %v, lost %v, %d reconnects; want %v, %v, %d", when, s.Up, s.Lost, s.Reconnects, up, lost, reconnects)
			}
			if !up && s.Mean != (totals.Mean{}) {
				t.Errorf("%s: the mean is %+v", when, s.Mean)
			}
		}
		is("before the first window", false, 0, 0)
		feed(t, to, measuretest.Gap(begin.Add(-time.Second), time.Second, 50))
		feed(t, to, measuretest.Windows(begin, 50, period, 100)...)
		is("at the first windows", true, 0, 0)

		feed(t, to, measuretest.Gap(begin.Add(time.Second), time.Second, 50))
		feed(t, to, measuretest.Windows(begin.Add(2*time.Second), 50, period, 100)...)
		is("after windows that were lost", true, time.Second, 0)

		feed(t, to, stalled())
		is("stalled", false, time.Second, 0)
		feed(t, to, measuretest.Gap(begin.Add(3*time.Second), 7*time.Second, 0))
		feed(t, to, measuretest.Windows(begin.Add(10*time.Second), 50, period, 100)...)
		is("back", true, 8*time.Second, 1)

		time.Sleep(4 * time.Second)
		is("after a pause", true, 8*time.Second, 1)
		time.Sleep(2 * time.Second)
		is("after a silence", false, 8*time.Second, 1)
		feed(t, to, measuretest.Windows(begin.Add(11*time.Second), 50, period, 100)...)
		is("after frames that were held up", true, 8*time.Second, 1)

		if err := to.End(); err != nil {
			t.Fatal(err)
		}
		is("at the end of a measurement", false, 8*time.Second, 1)
		feed(t, to, measuretest.Windows(begin.Add(20*time.Second), 50, period, 100)...)
		is("at the next one", true, 16*time.Second, 2)
		if got, want := to.Snapshot().Last, begin.Add(21*time.Second); !got.Equal(want) {
			t.Errorf("last window ended at %v, want %v", got, want)
		}
	})
}

// Delays are counted by their bounds; a bridged window has none.
func TestDelays(t *testing.T) {
	to := totals.New()
	events := measuretest.Windows(begin, 6, period, 100)
	for i, d := range []time.Duration{0, 5 * time.Millisecond, 6 * time.Millisecond, 5 * time.Second, 6 * time.Second, 0} {
		events[i].Window.Delay = d
	}
	events[5].Window.Bridged = true
	feed(t, to, events...)
	s := to.Snapshot()
	want := [len(totals.DelayBounds) + 1]uint64{0: 2, 1: 1, 9: 1, 10: 1}
	if s.Delays != want || s.Delayed != 11*time.Second+11*time.Millisecond {
		t.Errorf("delays %v, sum %v; want %v", s.Delays, s.Delayed, want)
	}
}

// What a snapshot tells belongs together, while windows come.
func TestSnapshotsAreConsistent(t *testing.T) {
	to := totals.New()
	src := &measuretest.Source{Events: measuretest.Windows(begin, 20_000, period, 50)}
	done := make(chan error, 1)
	go func() {
		_, err := measure.Run(t.Context(), src, to)
		done <- err
	}()
	for {
		s := to.Snapshot()
		if got, want := s.Energy, float64(s.Windows); math.Abs(got-want) > 1e-9*max(want, 1) {
			t.Fatalf("%d windows of 1 J have %v J", s.Windows, got)
		}
		if got, want := s.Last.Sub(begin), time.Duration(s.Windows)*period; s.Windows > 0 && got != want {
			t.Fatalf("%d windows end after %v", s.Windows, got)
		}
		select {
		case err := <-done:
			if err != nil || to.Snapshot().Windows != 20_000 {
				t.Errorf("%d windows, error %v", to.Snapshot().Windows, err)
			}
			return
		default:
		}
	}
}

// An event costs no garbage.
func TestEventsMakeNoGarbage(t *testing.T) {
	to := totals.New()
	e := measuretest.Windows(begin, 1, period, 50)[0]
	if n := testing.AllocsPerRun(1000, func() { _ = to.Event(&e) }); n != 0 {
		t.Errorf("an event makes %v allocations", n)
	}
}

// A clock that is set forward makes a gap of times, but not of what was measured.
func TestClockSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := totals.New()
		begin := time.Now()
		window := func(at time.Time) { feed(t, to, measuretest.Windows(at, 1, 20*time.Millisecond, 100)...) }
		window(begin)
		time.Sleep(2 * time.Second)
		feed(t, to, measuretest.Gap(begin.Add(20*time.Millisecond), 20*365*24*time.Hour, 0))
		window(begin.Add(20*time.Millisecond + 20*365*24*time.Hour))
		if got := to.Snapshot().Lost; got != 2*time.Second {
			t.Errorf("%v were lost, want 2 s", got)
		}
		time.Sleep(10 * time.Minute)
		at := begin.Add(40*time.Millisecond + 20*365*24*time.Hour)
		feed(t, to, measuretest.Gap(at, 10*time.Minute, 0))
		if got := to.Snapshot().Lost; got != 2*time.Second+10*time.Minute {
			t.Errorf("%v were lost, want 10 min more", got)
		}
	})
}
