package measure_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

// remember returns a History of events.
func remember(t *testing.T, h *measure.History, events []meter.Event) *measure.History {
	t.Helper()
	if _, err := measure.Run(t.Context(), &measuretest.Source{Events: events}, h); err != nil {
		t.Fatal(err)
	}
	return h
}

func at(seconds float64) time.Time {
	return begin.Add(time.Duration(math.Round(seconds * 1e9)))
}

// TestSpan: windows that a moment cuts count in proportion, gaps are not made
// up.
func TestSpan(t *testing.T) {
	events := measuretest.Windows(begin, 500, period, 100)
	events[250].Window.Power = 200
	events[300].Window.Bridged = true
	gap := []meter.Event{measuretest.Gap(at(10), 2*time.Second, 100)}
	events = append(append(events, gap...), measuretest.Windows(at(12), 100, period, 50)...)
	h := remember(t, &measure.History{}, events)
	tests := []struct {
		name                     string
		from, to                 float64
		energy, covered          float64
		windows, bridged         int
		low, high                float64
		edges, leftOut, coverage bool // there is an uncertainty of these; coverage is under 1
	}{
		{name: "whole windows", from: 1, to: 2, energy: 100, covered: 1, windows: 50, low: 100, high: 100},
		{name: "half of a window", from: 1.01, to: 2, energy: 99, covered: 0.99, windows: 50, low: 100, high: 100},
		{name: "an edge in a step", from: 4, to: 5.005, energy: 101, covered: 1.005, windows: 51, low: 100, high: 200, edges: true},
		{name: "within a window", from: 5.005, to: 5.010, energy: 1, covered: 0.005, windows: 1, low: 200, high: 200, edges: true},
		{name: "a step inside", from: 4, to: 6.5, energy: 252, covered: 2.5, windows: 124, bridged: 1, low: 100, high: 200, leftOut: true},
		{name: "a gap", from: 9, to: 13, energy: 150, covered: 2, windows: 100, low: 50, high: 100, coverage: true},
		{name: "before it began", from: -1, to: 1, energy: 100, covered: 1, windows: 50, low: 100, high: 100, coverage: true},
		{name: "after it ended", from: 13, to: 15, energy: 50, covered: 1, windows: 50, low: 50, high: 50, coverage: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := h.Span(at(tt.from), at(tt.to))
			near := func(what string, got, want float64) {
				if math.Abs(got-want) > 1e-6 {
					t.Errorf("%s %g, want %g", what, got, want)
				}
			}
			near("energy", s.Energy, tt.energy)
			near("covered", s.Covered.Seconds(), tt.covered)
			near("lowest", s.PowerMin, tt.low)
			near("highest", s.PowerMax, tt.high)
			near("mean", s.Power(), tt.energy/tt.covered)
			near("coverage", s.Coverage(), tt.covered/(tt.to-tt.from))
			if s.Windows != tt.windows || s.Bridged != tt.bridged {
				t.Errorf("%d windows and %d bridged, want %d and %d", s.Windows, s.Bridged, tt.windows, tt.bridged)
			}
			if u := s.Uncertainty; (u.Edges > 0) != tt.edges || (u.LeftOut > 0) != tt.leftOut {
				t.Errorf("unexpected uncertainty %+v", u)
			}
		})
	}
	if s := h.Span(at(20), at(21)); s.Energy != 0 || s.Covered != 0 || s.Coverage() != 0 || !math.IsNaN(s.Power()) || s.Uncertainty.Expanded() != 0 {
		t.Errorf("of a time without windows: %+v", s)
	}
	if s := h.Span(at(2), at(1)); s.Energy != 0 || s.Coverage() != 1 {
		t.Errorf("of moments in the wrong order: %+v", s)
	}
}

// TestHistoryGaps: of gaps only the part between the moments is told.
func TestHistoryGaps(t *testing.T) {
	events := append(measuretest.Windows(begin, 500, period, 100), measuretest.Gap(at(10), 2*time.Second, 100))
	events = append(append(events, measuretest.Windows(at(12), 100, period, 50)...), measuretest.Gap(at(14), time.Second, 50))
	events = append(events, measuretest.Windows(at(15), 100, period, 50)...)
	h := remember(t, &measure.History{}, events)
	gap := func(from, to float64, windows int) meter.Gap {
		return meter.Gap{From: at(from), To: at(to), Windows: windows}
	}
	for _, tt := range []struct {
		from, to float64
		want     []meter.Gap
	}{
		{0, 16, []meter.Gap{gap(10, 12, 100), gap(14, 15, 50)}},
		{10, 12, []meter.Gap{gap(10, 12, 100)}},
		{11, 16, []meter.Gap{gap(11, 12, 0), gap(14, 15, 50)}},
		{0, 11, []meter.Gap{gap(10, 11, 0)}},
		{10.5, 11, []meter.Gap{gap(10.5, 11, 0)}},
		{11.5, 14.5, []meter.Gap{gap(11.5, 12, 0), gap(14, 14.5, 0)}},
		{0, 10, nil},
		{12, 14, nil},
		{15, 20, nil},
	} {
		got := h.Gaps(at(tt.from), at(tt.to))
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(meter.Gap{}, "Reason")); diff != "" {
			t.Errorf("from %g to %g s (-want +got):\n%s", tt.from, tt.to, diff)
		}
	}
}

// TestHistoryMerges: old windows are merged, and energies between their seconds
// stay what they were; or they are dropped.
func TestHistoryMerges(t *testing.T) {
	events := measuretest.Windows(begin, 50*100, period, 100)
	for i := range events {
		events[i].Window.Power = 100 + float64(i%50)
	}
	events = slices.Insert(events, 4900, measuretest.Gap(at(98), 0, 1))
	events = slices.Insert(events, 100, measuretest.Gap(at(2), 0, 1))
	whole := remember(t, &measure.History{}, events)
	merged := remember(t, &measure.History{Keep: 10 * time.Second}, events)
	forgetful := remember(t, &measure.History{Keep: 10 * time.Second, Forget: true}, events)
	for _, from := range []float64{0, 20, 50, 95} {
		want, got := whole.Span(at(from), at(100)), merged.Span(at(from), at(100))
		if math.Abs(got.Energy-want.Energy) > 1e-6 || got.Windows != want.Windows || got.PowerMin != want.PowerMin || got.PowerMax != want.PowerMax {
			t.Errorf("from %g: %+v, want %+v", from, got, want)
		}
	}
	cut, sharp := merged.Span(at(50.5), at(60)), whole.Span(at(50.5), at(60))
	if off := math.Abs(cut.Energy - sharp.Energy); off > cut.Uncertainty.Expanded() || cut.Uncertainty.Edges < 10*sharp.Uncertainty.Edges {
		t.Errorf("a merged second that is cut: %+v, want about %+v", cut, sharp)
	}
	if s := forgetful.Span(at(0), at(100)); s.Covered < 10*time.Second || s.Covered > 13*time.Second {
		t.Errorf("%v are remembered", s.Covered)
	}
	if n := len(forgetful.Gaps(at(0), at(100))); n != 1 {
		t.Errorf("%d gaps are remembered", n)
	}
}

// TestHistoryMoments: what is asked for at moments that were known beforehand is
// what a History of all windows tells, gaps and bridged windows included, and
// little is remembered for it.
func TestHistoryMoments(t *testing.T) {
	var events []meter.Event
	random := rand.New(rand.NewPCG(1, 2))
	for _, from := range []float64{0, 100.5, 300} {
		part := measuretest.Windows(at(from), 5000, period, 100)
		for i := range part {
			w := &part[i].Window
			w.Power += 20 * random.Float64()
			w.Error = time.Millisecond
			w.Bridged = random.IntN(50) == 0
		}
		if from > 0 {
			end := events[len(events)-1].Window.End
			events = append(events, measuretest.Gap(end, at(from).Sub(end), 0))
		}
		events = append(events, part...)
	}
	end := events[len(events)-1].Window.End
	moments := []time.Time{begin, at(7.013), at(55.5), at(120.2071), at(301), end}
	all := remember(t, &measure.History{Resolution: 0.01}, events)
	few := remember(t, &measure.History{Resolution: 0.01, Moments: moments}, events)
	for i, from := range moments {
		for _, to := range moments[i+1:] {
			want, got := all.Span(from, to), few.Span(from, to)
			near := cmpopts.EquateApprox(1e-9, 0)
			if diff := cmp.Diff(want, got, near); diff != "" {
				t.Errorf("%v to %v (-want +got):\n%s", from, to, diff)
			}
		}
	}
	if list := few.Gaps(begin, end); len(list) > 0 {
		t.Errorf("%d gaps are remembered", len(list))
	}
	remembered := func(h *measure.History) int { return reflect.ValueOf(h).Elem().FieldByName("pieces").Len() }
	if n := remembered(few); n > 100 {
		t.Errorf("%d pieces are remembered for %d moments", n, len(moments))
	}
}

// TestEnergy measures work, and tells what failed.
func TestEnergy(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		spec string
		work error
		want error
	}{
		{name: "well", spec: "load=constant,watts=100"},
		{name: "the work fails", spec: "load=constant,watts=100", work: broken, want: broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target, err := meter.ParseTarget("sim:" + tt.spec)
				if err != nil {
					t.Fatal(err)
				}
				src, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				s, err := measure.Energy(t.Context(), src, func(context.Context) error {
					time.Sleep(3 * time.Second)
					return tt.work
				})
				if err != tt.want { // as it is
					t.Errorf("unexpected error: %v", err)
				}
				if s.Coverage() < 1 || math.Abs(s.Energy-300) > s.Uncertainty.Expanded()+0.5 {
					t.Errorf("unexpected energy %+v", s)
				}
				if took := time.Since(start); took > 7*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, err := measure.Energy(t.Context(), &measuretest.Source{Err: broken}, func(context.Context) error {
			t.Error("the work began although nothing was measured")
			return nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("unexpected error: %v", err)
		}
	})
}

// TestSpanShort: of a job within a window or two nothing shows the power that it
// had itself.
func TestSpanShort(t *testing.T) {
	const idle, busy = 30., 100.
	for _, length := range []float64{0.001, 0.005, 0.015, 0.025, 0.035} {
		for from := 5.; from < 5.02; from += 0.0013 {
			to := from + length
			events := measuretest.Windows(begin, 500, period, idle)
			for i := range events {
				start, end := float64(i)*0.02, float64(i+1)*0.02
				events[i].Window.Power += (busy - idle) * max(min(end, to)-max(start, from), 0) / 0.02
			}
			s := remember(t, &measure.History{DelayKnown: true}, events).Span(at(from), at(to))
			if off, u := math.Abs(s.Energy-busy*length), s.Uncertainty.Expanded(); off > u+1e-9 {
				t.Errorf("%g s from %g: off by %g J, U = %g J", length, from, off, u)
			} else if u > (busy-idle)*0.04 {
				t.Errorf("%g s from %g: U = %g J is more than there is", length, from, u)
			}
		}
	}
}

// TestSpanAccuracyClass: the meter's class counts where it is given.
func TestSpanAccuracyClass(t *testing.T) {
	h := remember(t, &measure.History{Accuracy: 0.01}, measuretest.Windows(begin, 500, period, 100))
	s := h.Span(at(1), at(2))
	if want := 2 * 1 / math.Sqrt(3); math.Abs(s.Uncertainty.Expanded()-want) > 1e-9 {
		t.Errorf("U = %g J, want %g J", s.Uncertainty.Expanded(), want)
	}
}

// TestEnergyHour: a job of an hour has the energy of an hour.
func TestEnergyHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, err := meter.ParseTarget("sim:link=b,seed=9,load=wave,low=30,watts=130,period=77s")
		if err != nil {
			t.Fatal(err)
		}
		simulated, err := target.Simulator()
		if err != nil {
			t.Fatal(err)
		}
		length := hours(1)
		periods := 5
		if *long {
			periods = 0
		}
		src, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{Averaging: periods}, meter.Recovery{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := measure.Energy(t.Context(), src, func(context.Context) error {
			time.Sleep(length)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		truth := simulated.Energy(s.From, s.To)
		if off := math.Abs(s.Energy - truth); off > s.Uncertainty.Expanded() || off > 1e-4*truth || s.Coverage() < 1 || s.Duration() != length {
			t.Errorf("%g J +- %g J over %v, coverage %g; drew %g J", s.Energy, s.Uncertainty.Expanded(), s.Duration(), s.Coverage(), truth)
		}
	})
}
