package bench_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/measure"
)

var begin = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// A fakeClock is as late as its sleepers have slept.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

// quiet is the part of an executor that has nothing to do.
type quiet struct{}

func (quiet) Setup(context.Context, int) error                        { return nil }
func (quiet) Prepare(context.Context, bench.Step) error               { return nil }
func (quiet) Settle(context.Context, bench.Step) error                { return nil }
func (quiet) Measure(context.Context, *bench.Run, bool) (bool, error) { return true, nil }
func (quiet) Conclude(context.Context, bench.Step) error              { return nil }
func (quiet) Cleanup(context.Context, int) error                      { return nil }

// A lab is an executor whose truth is known. Its energies are those of commands on a
// machine with a spread from run to run.
type lab struct {
	quiet
	clock  *fakeClock
	rnd    *rand.Rand
	truth  []float64 // mean energies, J
	length []float64 // of a run of each command, s; nil: 3 s
	spread float64   // relative standard deviation of an energy from run to run

	drift  float64       // relative change over length
	over   time.Duration // of the drift
	memory float64       // correlation of the spread of a run with that of the one before
	last   float64
	odd    float64 // share of runs that take half more

	gain, class float64 // what the meter is off by, and its class, relative
	shift, late float64 // what each energy is off by, J, and its standard uncertainty
	idle        float64 // power of the idle machine that is subtracted, W; NaN: none
	idleOff     float64 // its standard uncertainty
}

func newLab(seed uint64, truth ...float64) *lab {
	return &lab{clock: &fakeClock{begin}, rnd: rand.New(rand.NewPCG(seed, 14)), truth: truth, spread: 0.02, idle: math.NaN()}
}

func (l *lab) Execute(_ context.Context, s bench.Step) (bench.Run, error) {
	seconds := 3.
	if l.length != nil {
		seconds = l.length[s.Command]
	}
	start := l.clock.now
	noise := l.rnd.NormFloat64()
	l.last = l.memory*l.last + math.Sqrt(1-l.memory*l.memory)*noise
	energy := l.truth[s.Command] * (1 + l.spread*l.last)
	if l.over > 0 {
		energy *= 1 + l.drift*(start.Sub(begin).Seconds()/l.over.Seconds()-0.5)
	}
	if l.rnd.Float64() < l.odd {
		energy *= 1.5
	}
	energy = energy*(1+l.gain) + l.shift
	duration := time.Duration(seconds * float64(time.Second))
	l.clock.now = start.Add(duration)
	return bench.Run{
		Start: start, Duration: duration, Energy: energy, Power: energy / seconds, Coverage: 1,
		Uncertainty: measure.Uncertainty{Meter: l.class / math.Sqrt(3) * math.Abs(energy), Time: l.late},
		Net:         energy - l.idle*seconds, BaselineUncertainty: l.idleOff * seconds,
	}, nil
}

// commands returns so many, called a, b, ...
func commands(n int) (list []bench.Command) {
	for i := range n {
		list = append(list, bench.Command{Name: string(rune('a' + i))})
	}
	return list
}

// plan returns one of so many commands and runs, without warm-ups.
func plan(n, runs int, order bench.Order) bench.Plan {
	p := bench.NewPlan(commands(n)...)
	p.SetRuns(runs, 0, 0)
	p.Warmups, p.Order = 0, order
	return p
}

func (l *lab) carryOut(t testing.TB, p bench.Plan) bench.Outcome {
	t.Helper()
	e := bench.Engine{Plan: p, Executor: l, Clock: l.clock}
	o, err := e.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A tally counts what of many benches.
type tally struct{ held, less, more, none int }

func (c *tally) add(r bench.Comparison, truth float64) {
	if r.Interval.Low <= truth && truth <= r.Interval.High {
		c.held++
	}
	switch r.Verdict {
	case bench.Less:
		c.less++
	case bench.More:
		c.more++
	case bench.NoDifference:
		c.none++
	}
}

func percent(n int) float64 { return 100 * float64(n) / benches }

// rate checks in how many percent of the benches something was so.
func rate(t *testing.T, what string, n int, low, high float64) {
	t.Helper()
	if p := percent(n); p < low-slack || p > high+slack {
		t.Errorf("%s: %.1f %%, want %g to %g %%", what, p, low, high)
	} else {
		t.Logf("%s: %.1f %%", what, p)
	}
}

func (c *tally) String() string {
	return fmt.Sprintf("the interval holds the truth in %.1f %%; less %.1f %%, more %.1f %%, no difference %.1f %%",
		percent(c.held), percent(c.less), percent(c.more), percent(c.none))
}

// many compares the second command with the first one in many benches.
func many(t *testing.T, seed uint64, p bench.Plan, q bench.Quantity, truth float64, of func(seed uint64) *lab) (c tally) {
	t.Helper()
	for i := range uint64(benches) {
		o := of(1000*seed+i).carryOut(t, p)
		c.add(bench.Compare(&o.Series[1], &o.Series[0], q, p.Order.Rounds()), truth)
	}
	return c
}
