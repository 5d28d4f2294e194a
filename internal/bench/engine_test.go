package bench_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"powerspy2/internal/bench"
)

// A diary is an executor that writes down what it is asked for. Each run takes 3 s.
type diary struct {
	clock *fakeClock
	lines []string
	run   func(s bench.Step, r *bench.Run) error // nil: 100 J, measured as a whole
	fail  string                                 // the line that fails
	stop  context.CancelFunc                     // called at the line stopAt
	at    string
	skip  bool // don't write down what belongs to a run
}

var errBroken = errors.New("broken")

func (d *diary) write(ctx context.Context, format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	d.lines = append(d.lines, line)
	if line == d.at {
		d.stop()
	}
	if line == d.fail {
		return errBroken
	}
	return ctx.Err()
}

func (d *diary) step(ctx context.Context, what string, s bench.Step) error {
	if d.skip && what != "run" {
		return ctx.Err()
	}
	text := fmt.Sprintf("%s %c%s", what, 'a'+s.Command, s.Iteration())
	if s.Attempt > 0 {
		text += strings.Repeat("+", s.Attempt)
	}
	return d.write(ctx, "%s", text)
}

func (d *diary) Setup(ctx context.Context, c int) error   { return d.write(ctx, "setup %c", 'a'+c) }
func (d *diary) Cleanup(ctx context.Context, c int) error { return d.write(ctx, "cleanup %c", 'a'+c) }
func (d *diary) Prepare(ctx context.Context, s bench.Step) error {
	return d.step(ctx, "prepare", s)
}
func (d *diary) Settle(ctx context.Context, s bench.Step) error { return d.step(ctx, "settle", s) }
func (d *diary) Conclude(ctx context.Context, s bench.Step) error {
	return d.step(ctx, "conclude", s)
}

// Measure: Execute knows it all.
func (d *diary) Measure(context.Context, *bench.Run, bool) (bool, error) { return true, nil }

func (d *diary) Execute(ctx context.Context, s bench.Step) (bench.Run, error) {
	if err := d.step(ctx, "run", s); err != nil {
		return bench.Run{}, err
	}
	r := bench.Run{Start: d.clock.now, Duration: 3 * time.Second, Energy: 100, Power: 100. / 3, Coverage: 1, Net: math.NaN()}
	d.clock.now = d.clock.now.Add(r.Duration)
	if d.run != nil {
		return r, d.run(s, &r)
	}
	return r, nil
}

func keep(t *testing.T, p bench.Plan, d *diary) (bench.Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.clock, d.stop = &fakeClock{begin}, cancel
	e := bench.Engine{Plan: p, Executor: d, Clock: d.clock}
	return e.Run(ctx)
}

func (d *diary) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(d.lines, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEngineOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*bench.Plan)
		skip bool
		want string
	}{
		{"one run of all that belongs to it", func(p *bench.Plan) { p.Commands = p.Commands[:1]; p.SetRuns(1, 0, 0) }, false,
			"setup a, prepare awarmup-0, run awarmup-0, conclude awarmup-0, prepare a0, settle a0, run a0, conclude a0, cleanup a"},
		{"interleaved", func(p *bench.Plan) {}, true,
			"setup a, setup b, run awarmup-0, run bwarmup-0, run a0, run b0, run b1, run a1, run a2, run b2, cleanup a, cleanup b"},
		{"sequential", func(p *bench.Plan) { p.Order = bench.Sequential }, true,
			"setup a, run awarmup-0, run a0, run a1, run a2, cleanup a, setup b, run bwarmup-0, run b0, run b1, run b2, cleanup b"},
		{"more warm-ups", func(p *bench.Plan) { p.Warmups = 2; p.SetRuns(1, 0, 0) }, true,
			"setup a, setup b, run awarmup-0, run bwarmup-0, run bwarmup-1, run awarmup-1, run a0, run b0, cleanup a, cleanup b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := bench.NewPlan(commands(2)...)
			p.SetRuns(3, 0, 0)
			tt.edit(&p)
			d := &diary{skip: tt.skip}
			o, err := keep(t, p, d)
			if err != nil || o.Interrupted || o.Missed != nil {
				t.Fatalf("%+v, %v", o, err)
			}
			d.want(t, tt.want)
			for i, s := range o.Series {
				for k, r := range s.Runs {
					if s.Name != p.Commands[i].Name || r.Round != k || r.Executions != 1 {
						t.Errorf("unexpected run %+v of %s", r, s.Name)
					}
				}
			}
		})
	}
}

// TestRandomOrder: each round has each command once, the same ones for a seed.
func TestRandomOrder(t *testing.T) {
	of := func(seed uint64) string {
		p := plan(4, 50, bench.Random)
		p.Seed = seed
		d := &diary{skip: true}
		if _, err := keep(t, p, d); err != nil {
			t.Fatal(err)
		}
		runs := d.lines[4 : len(d.lines)-4]
		seen := map[string]bool{}
		for round := range 50 {
			part := slices.Clone(runs[4*round : 4*round+4])
			seen[strings.Join(part, ",")[4:5]] = true
			slices.Sort(part)
			for i, line := range part {
				if want := fmt.Sprintf("run %c%d", 'a'+i, round); line != want {
					t.Fatalf("%s, want %s", line, want)
				}
			}
		}
		if len(seen) != 4 {
			t.Errorf("only %d commands come first", len(seen))
		}
		return strings.Join(runs, " ")
	}
	first, again, other := of(1), of(1), of(2)
	if first != again || first == other {
		t.Error("the order does not come from the seed")
	}
}

func TestEngineRepeats(t *testing.T) {
	p := plan(1, 4, bench.Interleaved)
	p.Repeats = 2
	for _, tt := range []struct {
		name     string
		lost     string // runs that were not measured as a whole
		want     string
		repeated int
		whole    int
	}{
		{"none", "", "run a0, run a1, run a2, run a3", 0, 4},
		{"once", "a1", "run a0, run a1, run a1+, run a2, run a3", 1, 4},
		{"twice", "a1 a1+", "run a0, run a1, run a1+, run a1++, run a2, run a3", 2, 4},
		{"no repeat helps", "a1 a1+ a1++ a2 a3", "run a0, run a1, run a1+, run a1++, run a2, run a3", 2, 1},
		{"it recovers", "a0 a0+ a0++ a1 a3", "run a0, run a0+, run a0++, run a1, run a2, run a3, run a3+", 3, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &diary{skip: true}
			d.run = func(s bench.Step, r *bench.Run) error { return nil }
			lost := &lossy{diary: d, lost: strings.Fields(tt.lost)}
			d.clock = &fakeClock{begin}
			e := bench.Engine{Plan: p, Executor: lost, Clock: d.clock}
			o, err := e.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			d.want(t, "setup a, "+tt.want+", cleanup a")
			s := &o.Series[0]
			whole := bench.Summarize(s, bench.Energy).Runs
			if s.Repeated != tt.repeated || len(s.Runs) != 4 || whole != tt.whole {
				t.Errorf("%d were repeated, there are %d, %d of them whole", s.Repeated, len(s.Runs), whole)
			}
			if n := bench.Summarize(s, bench.Time).Runs; n != 4 {
				t.Errorf("%d have a time", n)
			}
		})
	}
}

// late is an executor that knows what the meter says of a run only after some more
// runs, or when it is waited for.
type late struct {
	*lossy
	by     int // runs
	waits  int
	known  map[time.Time]bench.Run
	starts []time.Time
}

func (l *late) Execute(ctx context.Context, s bench.Step) (bench.Run, error) {
	r, err := l.lossy.Execute(ctx, s)
	l.known[r.Start] = r
	l.starts = append(l.starts, r.Start)
	r.Coverage, r.Energy = 0, math.NaN()
	return r, err
}

func (l *late) Measure(_ context.Context, r *bench.Run, wait bool) (bool, error) {
	if wait {
		l.waits++
	} else if i := slices.Index(l.starts, r.Start); i+l.by >= len(l.starts) {
		return false, nil
	}
	k := l.known[r.Start]
	r.Coverage, r.Energy = k.Coverage, k.Energy
	return true, nil
}

// TestEngineLate: runs go on while the meter's word on earlier ones is still to come;
// what has to be repeated is when that is known, and the end waits for all.
func TestEngineLate(t *testing.T) {
	p := plan(2, 3, bench.Interleaved)
	for _, tt := range []struct {
		lost, want string
	}{
		{"", "run a0, run b0, run b1, run a1, run a2, run b2"},
		{"a0", "run a0, run b0, run b1, run a0+, run a1, run a2, run b2"},
		{"b2 a2", "run a0, run b0, run b1, run a1, run a2, run b2, run a2+, run b2+"},
		{"a2 a2+", "run a0, run b0, run b1, run a1, run a2, run b2, run a2+, run a2++"},
	} {
		d := &diary{skip: true, clock: &fakeClock{begin}}
		l := &late{lossy: &lossy{diary: d, lost: strings.Fields(tt.lost)}, by: 2, known: map[time.Time]bench.Run{}}
		e := bench.Engine{Plan: p, Executor: l, Clock: d.clock}
		o, err := e.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d.want(t, "setup a, setup b, "+tt.want+", cleanup a, cleanup b")
		for i := range o.Series {
			if n := bench.Summarize(&o.Series[i], bench.Energy).Runs; n != 3 {
				t.Errorf("%q: %d runs of command %d are whole", tt.lost, n, i)
			}
		}
		if most := 2 + 2*len(strings.Fields(tt.lost)); l.waits > most {
			t.Errorf("%q: %d runs were waited for", tt.lost, l.waits)
		}
	}
	// A precision waits only where it may be reached.
	p.Precision, p.MaxRuns = 0.01, 5
	d := &diary{skip: true, clock: &fakeClock{begin}}
	l := &late{lossy: &lossy{diary: d}, by: 2, known: map[time.Time]bench.Run{}}
	e := bench.Engine{Plan: p, Executor: l, Clock: d.clock}
	if o, err := e.Run(t.Context()); err != nil || len(o.Missed) > 0 || len(o.Series[0].Runs) != 3 {
		t.Errorf("%+v, %v", o, err)
	}
	// What was carried out when a bench fails is measured all the same.
	d = &diary{skip: true, clock: &fakeClock{begin}, fail: "run a2"}
	l = &late{lossy: &lossy{diary: d, lost: []string{"a1"}}, by: 9, known: map[time.Time]bench.Run{}}
	e = bench.Engine{Plan: p, Executor: l, Clock: d.clock}
	o, err := e.Run(t.Context())
	if !errors.Is(err, errBroken) || len(o.Series[0].Runs) != 2 || o.Series[0].Runs[0].Energy != 100 || o.Series[0].Runs[1].Whole() {
		t.Errorf("%+v, %v", o, err)
	}
}

// lossy loses half of some runs.
type lossy struct {
	*diary
	lost []string
}

func (l *lossy) Execute(ctx context.Context, s bench.Step) (bench.Run, error) {
	r, err := l.diary.Execute(ctx, s)
	if slices.Contains(l.lost, strings.TrimPrefix(l.lines[len(l.lines)-1], "run ")) {
		r.Coverage, r.Energy = 0.5, 50
	}
	return r, err
}

// TestEngineFails: what fails ends the bench, what there is comes back, and what was
// set up is cleaned up.
func TestEngineFails(t *testing.T) {
	for _, tt := range []struct {
		fail    string
		runs    [2]int
		cleaned string
	}{
		{"setup a", [2]int{0, 0}, "cleanup a"},
		{"setup b", [2]int{0, 0}, "cleanup a, cleanup b"},
		{"run awarmup-0", [2]int{0, 0}, "cleanup a, cleanup b"},
		{"prepare b1", [2]int{1, 1}, "cleanup a, cleanup b"},
		{"settle b1", [2]int{1, 1}, "cleanup a, cleanup b"},
		{"run b1", [2]int{1, 1}, "cleanup a, cleanup b"},
		{"conclude b1", [2]int{1, 2}, "cleanup a, cleanup b"},
		{"cleanup a", [2]int{3, 3}, "cleanup a, cleanup b"},
		{"cleanup b", [2]int{3, 3}, "cleanup a, cleanup b"},
	} {
		for _, canceled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, canceled %v", tt.fail, canceled), func(t *testing.T) {
				p := bench.NewPlan(commands(2)...)
				p.SetRuns(3, 0, 0)
				d := &diary{fail: tt.fail}
				if canceled {
					d.fail, d.at = "", tt.fail
				}
				o, err := keep(t, p, d)
				if canceled && (err != nil || !o.Interrupted) || !canceled && (!errors.Is(err, errBroken) || o.Interrupted) {
					t.Errorf("interrupted %v, %v", o.Interrupted, err)
				}
				if got := [2]int{len(o.Series[0].Runs), len(o.Series[1].Runs)}; got != tt.runs {
					t.Errorf("there are %d runs, want %d", got, tt.runs)
				}
				i := slices.IndexFunc(d.lines, func(s string) bool { return strings.HasPrefix(s, "cleanup") })
				if got := strings.Join(d.lines[i:], ", "); got != tt.cleaned {
					t.Errorf("%s, want %s", got, tt.cleaned)
				}
			})
		}
	}
}

// TestEngineFailedRun: a command that fails ends the bench unless that is accepted.
func TestEngineFailedRun(t *testing.T) {
	fails := func(code int, warmup bool) *failing {
		return &failing{diary: &diary{clock: &fakeClock{begin}, skip: true}, code: code, warmup: warmup}
	}
	p := bench.NewPlan(bench.Command{Name: "tool\x1b[2J"})
	p.SetRuns(3, 0, 0)
	for _, tt := range []struct {
		code   int
		warmup bool
		want   string
	}{
		{3, false, `a run of "tool\\x1b[2J" failed with exit status 3`},
		{1, true, `a warm-up of "tool\\x1b[2J" failed with exit status 1`},
		{bench.Killed + 9, false, `a run of "tool\\x1b[2J" failed with exit status 137 (signal 9, killed)`},
		{bench.Killed + 40, false, `a run of "tool\\x1b[2J" failed with exit status 168 (signal 40)`},
		{255, false, `a run of "tool\\x1b[2J" failed with exit status 255`},
	} {
		f := fails(tt.code, tt.warmup)
		e := bench.Engine{Plan: p, Executor: f, Clock: f.clock}
		o, err := e.Run(context.Background())
		var failed *bench.FailedError
		if !errors.As(err, &failed) || err.Error() != tt.want || failed.Code != tt.code || len(o.Series[0].Runs) != 0 {
			t.Errorf("%v, want %s", err, tt.want)
		}
		e.Plan.Accept = func(code int) bool { return code == tt.code }
		if o, err = e.Run(context.Background()); err != nil || len(o.Series[0].Runs) != 3 || !tt.warmup && o.Series[0].Runs[2].ExitCode != tt.code {
			t.Errorf("accepted: %+v, %v", o.Series[0].Runs, err)
		}
		e.Plan.Accept = func(code int) bool { return code == 77 }
		if _, err = e.Run(context.Background()); !errors.As(err, &failed) {
			t.Errorf("another one accepted: %v", err)
		}
	}
}

type failing struct {
	*diary
	code   int
	warmup bool
}

func (f *failing) Execute(ctx context.Context, s bench.Step) (bench.Run, error) {
	r, err := f.diary.Execute(ctx, s)
	if s.Warmup == f.warmup {
		r.ExitCode = f.code
	}
	return r, err
}

// TestEngineCoolDown: the machine rests between all runs, and not after the last.
func TestEngineCoolDown(t *testing.T) {
	p := plan(2, 3, bench.Interleaved)
	p.CoolDown = 20 * time.Second
	d := &diary{skip: true}
	if _, err := keep(t, p, d); err != nil {
		t.Fatal(err)
	}
	if took := d.clock.now.Sub(begin); took != 6*3*time.Second+5*20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestEngineKeep: what is known is kept now and then while a bench goes on, for little
// of the time, and after each of runs that are long.
func TestEngineKeep(t *testing.T) {
	for _, tt := range []struct {
		name  string
		run   time.Duration
		takes time.Duration // to keep
		runs  int
		kept  []int // how many runs, each time
		at    []time.Duration
	}{
		// The meter tells of a run after the next one.
		{"short", 3 * time.Second, 0, 12, []int{1, 5, 9}, []time.Duration{6 * time.Second, 18 * time.Second, 30 * time.Second}},
		{"a slow disk", 3 * time.Second, time.Second, 40, []int{1, 36}, []time.Duration{6 * time.Second, 109 * time.Second}},
		{"long", 10 * time.Minute, time.Second, 4, []int{1, 2, 3, 4}, []time.Duration{600 * time.Second, 1201 * time.Second, 1802 * time.Second, 2403 * time.Second}},
	} {
		d := &late{lossy: &lossy{diary: &diary{clock: &fakeClock{begin}, skip: true}}, by: 1, known: map[time.Time]bench.Run{}}
		d.run = func(_ bench.Step, _ *bench.Run) error {
			d.clock.now = d.clock.now.Add(tt.run - 3*time.Second)
			return nil
		}
		p := plan(1, tt.runs, bench.Interleaved)
		var kept []int
		var at []time.Duration
		e := bench.Engine{Plan: p, Executor: d, Clock: d.clock, Keep: func(o *bench.Outcome) {
			kept, at = append(kept, len(o.Series[0].Runs)), append(at, d.clock.now.Sub(begin))
			d.clock.now = d.clock.now.Add(tt.takes)
		}}
		o, err := e.Run(context.Background())
		if err != nil || len(o.Series[0].Runs) != tt.runs || !slices.Equal(kept, tt.kept) || !slices.Equal(at, tt.at) {
			t.Errorf("%s: kept %v at %v, want %v at %v (%v)", tt.name, kept, at, tt.kept, tt.at, err)
		}
	}
}

// TestEngineProgress: it counts up to what was said to be the total, and the time left
// is right where all runs are alike.
func TestEngineProgress(t *testing.T) {
	p := bench.NewPlan(commands(2)...)
	p.SetRuns(5, 0, 0)
	p.CoolDown = time.Second
	for _, order := range []bench.Order{bench.Interleaved, bench.Sequential} {
		p.Order = order
		d := &diary{clock: &fakeClock{begin}, skip: true}
		var told []bench.Progress
		var at []time.Time
		e := bench.Engine{Plan: p, Executor: d, Clock: d.clock, Progress: func(p bench.Progress) {
			told = append(told, p)
			at = append(at, d.clock.now)
		}}
		if _, err := e.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		end := at[len(at)-1]
		if len(told) != 13 || !told[12].Ended || told[12].Mean != 100 || told[12].Half != 0 {
			t.Fatalf("%v: %d were told, the last %+v", order, len(told), told[len(told)-1])
		}
		for i, p := range told {
			if p.Done != i || p.Total != 12 {
				t.Errorf("%v: %d of %d, want %d of 12", order, p.Done, p.Total, i)
			}
			if off := p.Left - end.Sub(at[i]); i > 0 && (off < -time.Second || off > time.Second) {
				t.Errorf("%v: %v left at %d, want %v", order, p.Left, i, end.Sub(at[i]))
			}
		}
		if told[0].Left != 0 || !math.IsNaN(told[0].Mean) {
			t.Errorf("before the first run: %+v", told[0])
		}
	}
}

// TestEngineProgressPrecision: with a precision the total becomes what is needed.
func TestEngineProgressPrecision(t *testing.T) {
	l := newLab(5, 300)
	p := plan(1, 0, bench.Interleaved)
	p.Precision = 0.002
	p.SetRuns(0, 0, 2000)
	var told []bench.Progress
	e := bench.Engine{Plan: p, Executor: l, Clock: l.clock, Progress: func(p bench.Progress) { told = append(told, p) }}
	o, err := e.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n := len(o.Series[0].Runs)
	if middle := told[n/2]; n < 200 || middle.Total < n*3/4 || middle.Total > n*4/3 {
		t.Errorf("half way %d of %d, in the end there are %d", middle.Done, middle.Total, n)
	}
}

// TestEngineMany: 10,000 runs take little memory and time.
func TestEngineMany(t *testing.T) {
	const runs = 10_000
	l := newLab(6, 300)
	p := plan(1, runs, bench.Interleaved)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	o := l.carryOut(t, p)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := len(o.Series[0].Runs); n != runs {
		t.Errorf("%d runs", n)
	}
	if size := int64(after.HeapAlloc) - int64(before.HeapAlloc); size > runs*500 {
		t.Errorf("a run takes %d bytes", size/runs)
	}
	runtime.KeepAlive(o)
}

func TestPlanRuns(t *testing.T) {
	for _, tt := range []struct {
		precision         float64
		runs, least, most int
		min, max          int
	}{
		{0, 0, 0, 0, 10, 10},
		{0, 3, 0, 0, 3, 3},
		{0, 0, 20, 0, 20, 20},
		{0, 0, 0, 5, 5, 5},
		{0, 0, 0, 50, 10, 50},
		{0.01, 0, 0, 0, 10, 100},
		{0.01, 0, 200, 0, 200, 200},
		{0.01, 0, 0, 1000, 10, 1000},
		{0.01, 0, 5, 8, 5, 8},
	} {
		p := bench.NewPlan(commands(1)...)
		p.Precision = tt.precision
		p.SetRuns(tt.runs, tt.least, tt.most)
		if p.MinRuns != tt.min || p.MaxRuns != tt.max || p.Check() != nil {
			t.Errorf("%+v: %d to %d, %v", tt, p.MinRuns, p.MaxRuns, p.Check())
		}
	}
	for name, edit := range map[string]func(*bench.Plan){
		"reversed":      func(p *bench.Plan) { p.SetRuns(0, 5, 3) },
		"too many runs": func(p *bench.Plan) { p.SetRuns(bench.MaxRuns+1, 0, 0) },
		"negative":      func(p *bench.Plan) { p.Warmups = -1 },
		"precision":     func(p *bench.Plan) { p.Precision = math.NaN() },
		"one run":       func(p *bench.Plan) { p.Precision = 0.01; p.SetRuns(1, 0, 0) },
		"commands":      func(p *bench.Plan) { p.Commands = make([]bench.Command, bench.MaxCommands+1) },
	} {
		p := bench.NewPlan(commands(1)...)
		edit(&p)
		if _, err := (&bench.Engine{Plan: p}).Run(context.Background()); !errors.Is(err, bench.ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&bench.Engine{}).Run(context.Background()); !errors.Is(err, bench.ErrNoCommand) {
		t.Errorf("without a command: %v", err)
	}
}

// TestSystemClock: what ends a bench ends a cool-down.
func TestSystemClock(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := plan(1, 2, bench.Interleaved)
	p.CoolDown = 24 * time.Hour
	d := &diary{clock: &fakeClock{begin}}
	e := bench.Engine{Plan: p, Executor: d, Progress: func(p bench.Progress) {
		if p.Done == 1 {
			time.AfterFunc(time.Millisecond, cancel)
		}
	}}
	o, err := e.Run(ctx)
	if err != nil || !o.Interrupted || len(o.Series[0].Runs) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestSettler(t *testing.T) {
	const window = 20 * time.Millisecond
	s := bench.NewSettler(50, 0.02)
	settled := func(power func(at float64) float64) float64 {
		for i := range 1000 {
			at := float64(i) * window.Seconds()
			if s.Add(power(at), window) {
				return at
			}
		}
		return math.Inf(1)
	}
	if at := settled(func(float64) float64 { return 50.9 }); math.Abs(at-1) > 0.05 {
		t.Errorf("a steady power is back after %g s", at)
	}
	s.Reset()
	// 100 W that decay with 2 s come within 1 W of 50 W after 7.8 s, a mean of a second later.
	if at := settled(func(at float64) float64 { return 50 + 50*math.Exp(-at/2) }); at < 7.8 || at > 9 {
		t.Errorf("a power that decays is back after %g s", at)
	}
	s.Reset()
	if at := settled(func(float64) float64 { return 52 }); !math.IsInf(at, 1) {
		t.Errorf("another power is back after %g s", at)
	}
	if s := bench.NewSettler(0, 0.02); s.Add(0.05, 2*time.Second) != true {
		t.Error("next to nothing is not back at nothing")
	}
}
