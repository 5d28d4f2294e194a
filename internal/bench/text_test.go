package bench_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/bench"
	"powerspy2/internal/result"
	"powerspy2/measure"
)

// madeRun is a run of so many seconds at so many watts.
func madeRun(round int, seconds, watts float64) bench.Run {
	return bench.Run{
		Round: round, Start: time.Unix(1772600000, 0).Add(time.Duration(round) * time.Minute), Executions: 1,
		Duration: time.Duration(seconds * float64(time.Second)), User: time.Duration(seconds * 0.9e9), System: 20 * time.Millisecond,
		Energy: seconds * watts, Net: math.NaN(), Power: watts, Coverage: 1, Windows: int(50 * seconds),
		Uncertainty: measure.Uncertainty{Edges: 0.05, Time: 0.02},
	}
}

// TestText: the report of a bench that has all that there is to tell.
func TestText(t *testing.T) {
	r := &bench.Result{Reference: -1, Baseline: &bench.Baseline{Power: 30, Uncertainty: 0.1}, Warnings: []string{"told at first", "told at last"}}
	r.Series = []bench.Series{{Command: bench.Command{Name: "fast\x1b[2J"}, Repeated: 1}, {Command: bench.Command{Name: "slow"}, Repeated: 2}, {Command: bench.Command{Name: "never run"}}}
	for i, off := range []float64{0, 0.01, -0.01, 0.02, -0.02} {
		fast, slow := madeRun(i, 1+off, 60), madeRun(i, 1.5-off, 60)
		for _, run := range []*bench.Run{&fast, &slow} {
			run.Net = run.Energy - 30*run.Duration.Seconds()
			run.BaselineUncertainty = 0.1 * run.Duration.Seconds()
			run.Executions = 3 + i
		}
		slow.Executions = 1
		r.Series[0].Runs = append(r.Series[0].Runs, fast)
		r.Series[1].Runs = append(r.Series[1].Runs, slow)
	}
	r.Series[1].Runs[2].ExitCode = bench.Killed + 15
	r.Series[1].Runs[3].Coverage = 0.5
	text := bench.Text{Table: bench.Table{Result: r}, Shell: true, Told: 1}
	want := `mean +- standard deviation of the runs; intervals are 95 % intervals of the mean

Benchmark 1: fast\x1b[2J
  energy      60.00 J +- 0.95 J, interval 58.8 to 61.2 J
  net         30.00 J +- 0.47 J, interval 29.43 to 30.57 J, above 30.00 W +- 0.20 W
  power       60.000 W +- 0.000 W
  time        1.000 s +- 0.016 s, user 0.900 s, system 0.020 s
  range       58.80 to 61.20 J, 0.980 to 1.020 s
  runs        5, of 3 to 7 executions: what stands here is of one; 1 was repeated, since it was not measured as a whole
  measuring   a run is known to +- 0.108 J, of which +- 0.04 J is alike in all, without the meter's class

Benchmark 2: slow
  energy      90.30 J +- 0.77 J, interval 89.1 to 91.5 J
  net         45.15 J +- 0.39 J, interval 44.58 to 45.72 J, above 30.00 W +- 0.20 W
  power       60.000 W +- 0.000 W
  time        1.500 s +- 0.016 s, user 1.350 s, system 0.020 s
  range       89.40 to 91.20 J, 1.480 to 1.520 s
  runs        5; 2 were repeated, since they were not measured as a whole
  measuring   a run is known to +- 0.108 J, of which +- 0.04 J is alike in all, without the meter's class
  warning     1 of 5 runs failed: exit status 143 (signal 15, terminated)
  warning     1 of 5 runs were not measured as a whole, and are not part of the energy

Comparison of energy
`
	got := text.String()
	if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
		t.Errorf("%s\n%s", diff, got)
	}
	for _, part := range []string{"\n  slow: 5", "\nComparison of net energy\n", "\nThe start of the shell is part", "\nwarning: told at last\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("there is no %q in %s", part, got[len(want):])
		}
	}
	for _, part := range []string{"told at first", "simulated", "interrupted", "never run", "\x1b"} {
		if strings.Contains(got, part) {
			t.Errorf("there is %q in %s", part, got)
		}
	}
	// Of one run nothing is invented.
	one := &bench.Result{Reference: 0, Meter: result.Meter{Simulated: true}, Interrupted: true, Series: []bench.Series{
		{Command: bench.Command{Name: "a"}, Runs: []bench.Run{madeRun(0, 0.05, 60)}}, {Command: bench.Command{Name: "b"}, Runs: []bench.Run{madeRun(0, 0.1, 60)}},
	}}
	text = bench.Text{Table: bench.Table{Result: one, Unit: time.Second}, Color: true}
	got = text.String()
	for _, part := range []string{
		"\x1b[1mBenchmark 1:\x1b[0m a\n  energy      \x1b[32m3 J\x1b[0m\n", "  time        0.050 s, user 0.045 s", "of one run there is no telling", "lasts no more than 2 of the meter's windows",
		"b: 2.000 times the energy of a, from one run", "interrupted", "simulated",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("there is no %q in %s", part, got)
		}
	}
	if strings.Contains(got, ", interval ") || strings.Contains(got, "shell") {
		t.Errorf("it has %s", got)
	}
}
