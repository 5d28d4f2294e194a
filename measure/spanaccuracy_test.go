package measure_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy/sim"
)

// jobLoads are the loads that simulated jobs draw.
var jobLoads = []struct {
	name, spec string
	changes    bool
}{
	{"constant", "load=constant,watts=100", false},
	{"wave", "load=wave,low=30,watts=130,period=700ms", true},
	{"step", "load=step,low=30,watts=130,period=900ms", true},
	{"cpu", "load=server,low=30,watts=100", true}, // bursts of a second, and flicker
}

// jobLengths are how long they take.
var jobLengths = []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second, 30 * time.Second}

// A jobKind is a load and a length, with what came of such jobs.
type jobKind struct {
	errors []float64 // in J
	u      []float64 // U of each, in J
	share  []float64 // error relative to the energy
}

func (k *jobKind) add(s *measure.Span, truth float64) {
	k.errors = append(k.errors, math.Abs(s.Energy-truth))
	k.u = append(k.u, s.Uncertainty.Expanded())
	k.share = append(k.share, math.Abs(s.Energy/truth-1))
}

// within returns the share of jobs whose truth is within U.
func (k *jobKind) within() float64 {
	n := 0
	for i, e := range k.errors {
		if e <= k.u[i] {
			n++
		}
	}
	return float64(n) / float64(len(k.errors))
}

// relative returns the median of error over U.
func (k *jobKind) relative() float64 {
	var r []float64
	for i, e := range k.errors {
		r = append(r, e/k.u[i])
	}
	return quantile(r, 0.5)
}

func quantile(list []float64, q float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[min(int(q*float64(len(list))), len(list)-1)]
}

// history measures with a simulated meter, in a bubble, for so long, and returns
// what is remembered of it, the meter, and when windows flowed.
func history(t *testing.T, spec string, length time.Duration) (h *measure.History, simulated *sim.Meter, flows time.Time) {
	t.Helper()
	target, err := meter.ParseTarget("sim:" + spec)
	if err != nil {
		t.Fatal(err)
	}
	simulated, err = target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	src, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
	if err != nil {
		t.Fatal(err)
	}
	h = &measure.History{Resolution: src.Info().Resolution()}
	end := time.Now().Add(length)
	stop := &note{event: func(int) error {
		if flows.IsZero() {
			flows = time.Now()
		}
		if time.Now().After(end) {
			return measure.Done
		}
		return nil
	}}
	if _, err := measure.Run(t.Context(), src, h, stop); err != nil {
		t.Fatal(err)
	}
	return h, simulated, flows
}

// TestAccuracySpan compares the energy of jobs that begin at random moments, soon
// after the first windows and later, with what they drew in truth: over links of
// each kind and constant delays that nothing shows, the truth has to be within
// the expanded uncertainty as often as that claims, which is not to be had by
// claiming little.
func TestAccuracySpan(t *testing.T) {
	streams, each := 2, 3 // of each load, link and delay; jobs of each length in a stream
	if *long {
		streams = 25
	}
	delays := []time.Duration{0, 5 * time.Millisecond, 10 * time.Millisecond, 15 * time.Millisecond}
	links := []string{"a", "b", "c"}
	if measure.UnderRace {
		streams, links = 1, links[:1]
	}
	t.Logf("%-10s %6s %6s  %8s  %8s  %10s  %10s  %8s", "load", "length", "jobs", "within U", "error/U", "U (J)", "error (J)", "error %")
	for _, load := range jobLoads {
		kinds := make(map[time.Duration]*jobKind)
		byLink := make(map[string]*jobKind)
		for _, length := range jobLengths {
			kinds[length] = new(jobKind)
		}
		for _, link := range links {
			for _, delay := range delays {
				key := fmt.Sprintf("link %s, %v more", link, delay)
				byLink[key] = new(jobKind)
				for stream := range streams {
					seed := uint64(1 + stream + 1000*int(delay/time.Millisecond) + 100_000*int(link[0]))
					synctest.Test(t, func(t *testing.T) {
						rnd := rand.New(rand.NewPCG(seed, 1))
						spec := fmt.Sprintf("link=%s,delay=%v,freq=%.3f,seed=%d,%s", link, delay, 49.95+0.1*rnd.Float64(), seed, load.spec)
						const measured = 42 * time.Second
						h, simulated, flows := history(t, spec, measured+3*time.Second)
						for _, length := range jobLengths {
							for range each {
								from := flows.Add(time.Duration(rnd.Int64N(int64(measured - length))))
								to := from.Add(length)
								s := h.Span(from, to)
								if s.Coverage() < 1 {
									t.Errorf("%s: coverage of %v from %v: %g", spec, length, from.Sub(flows), s.Coverage())
								}
								kinds[length].add(&s, simulated.Energy(from, to))
								byLink[key].add(&s, simulated.Energy(from, to))
							}
						}
					})
				}
			}
		}
		for _, length := range jobLengths {
			k := kinds[length]
			within, relative := k.within(), k.relative()
			t.Logf("%-10s %6v %6d  %8.3f  %8.3f  %10.4f  %10.4f  %8.4f", load.name, length, len(k.errors), within, relative, quantile(k.u, 0.5), quantile(k.errors, 0.5), 100*quantile(k.share, 0.95))
			// Of few jobs more may be outside by chance: three standard deviations.
			least := 0.93
			if n := float64(len(k.errors)); n < 1000 {
				least -= 3 * math.Sqrt(0.93*0.07/n)
			}
			if within < least {
				t.Errorf("%s, %v: the truth is within U in %.1f %% of jobs: want %.1f %%", load.name, length, 100*within, 100*least)
			}
			// A dozen, as under the race detector, have no twentieth.
			if off := quantile(k.share, 0.95); length >= 5*time.Second && off > 0.005 && len(k.share) >= 50 {
				t.Errorf("%s, %v: one job in twenty is off by %.2f %% or more: want 0.5 %%", load.name, length, 100*off)
			}
		}
		// Of all lengths together: how many jobs of one length have a step at their
		// ends is chance.
		var all jobKind
		for _, length := range jobLengths {
			all.errors = append(all.errors, kinds[length].errors...)
			all.u = append(all.u, kinds[length].u...)
		}
		if relative := all.relative(); load.changes && relative < 0.1 {
			t.Errorf("%s: the median error is %.3f of U: want a tenth", load.name, relative)
		}
		if testing.Verbose() {
			for _, link := range links {
				for _, delay := range delays {
					key := fmt.Sprintf("link %s, %v more", link, delay)
					t.Logf("    %-20s %.3f within U", key, byLink[key].within())
				}
			}
		}
	}
}

// TestSpanOutages: what an outage took is not covered, nothing else is missing,
// and the energy is that of the time that was.
func TestSpanOutages(t *testing.T) {
	for _, fault := range []string{"drop=9s", "silence=7s/3s", "hang=11s", "away=8s/4s", "dead=10s/5s"} {
		synctest.Test(t, func(t *testing.T) {
			h, simulated, flows := history(t, "link=b,seed=5,load=wave,low=30,watts=130,period=3s,"+fault, 80*time.Second)
			for from := time.Second; from < 50*time.Second; from += 3700 * time.Millisecond {
				for _, length := range []time.Duration{time.Second, 8 * time.Second} {
					a, b := flows.Add(from), flows.Add(from+length)
					s := h.Span(a, b)
					var lost time.Duration
					for _, g := range h.Gaps(a, b) {
						lost += min(g.To.Sub(a), length) - max(g.From.Sub(a), 0)
					}
					if off := (s.Covered + lost - length).Abs(); off > time.Millisecond {
						t.Errorf("%s: from %v for %v: %v covered and %v lost", fault, from, length, s.Covered, lost)
					}
					want := simulated.Energy(a, b)
					for _, g := range h.Gaps(a, b) {
						want -= simulated.Energy(later(g.From, a), earlier(g.To, b))
					}
					// An outage has two ends more.
					if off := math.Abs(s.Energy - want); off > s.Uncertainty.Expanded()*2+0.5 {
						t.Errorf("%s: from %v for %v: %g J, want %g J; %+v", fault, from, length, s.Energy, want, s.Uncertainty)
					}
				}
			}
			// The gaps are where the meter's windows did not come through.
			if got, want := uncovered(h, flows, flows.Add(50*time.Second)), missing(simulated, flows, flows.Add(50*time.Second)); (got-want).Abs() > 500*time.Millisecond || got == 0 {
				t.Errorf("%s: %v are not covered, want %v", fault, got, want)
			}
		})
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func uncovered(h *measure.History, from, to time.Time) time.Duration {
	s := h.Span(from, to)
	return to.Sub(from) - s.Covered
}

// missing returns for how long no stream ran, or nothing of it came through.
func missing(m *sim.Meter, from, to time.Time) time.Duration {
	lost := to.Sub(from)
	for _, s := range m.Streams() {
		start, end := later(s.Start, from), to
		if !s.Running {
			end = earlier(s.End, to)
		}
		for _, i := range m.Incidents() {
			if i.From.After(start) && i.From.Before(end) {
				end = i.From
			}
		}
		lost -= max(end.Sub(start), 0)
	}
	return lost
}
