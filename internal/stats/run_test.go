package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/meter"
)

func readingOf(power float64, length time.Duration) *measure.Event {
	return &measure.Event{Kind: measure.ReadingEvent, Reading: measure.Reading{
		Length: length, Windows: 1, Power: power, PowerMin: power - 1, PowerMax: power + 1,
		Energy: power * length.Seconds(), Frequency: 50, Delay: 10 * time.Millisecond,
	}}
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A short last reading counts for its length, not as much as the others.
func TestRunWeighsByLength(t *testing.T) {
	r := NewRun()
	for _, e := range []*measure.Event{
		readingOf(100, time.Second),
		{Kind: measure.GapEvent, Gap: meter.Gap{From: time.Unix(1, 0), To: time.Unix(3, 5e8)}},
		{Kind: measure.StatusEvent},
		readingOf(200, time.Second),
		readingOf(-400, 500*time.Millisecond),
	} {
		r.Event(e)
	}
	if r.Readings != 3 || r.Measured != 2500*time.Millisecond || r.Gaps != 1 || r.Lost != 2500*time.Millisecond {
		t.Errorf("got %+v", r)
	}
	near(t, "energy", r.Energy(), 100, 0)
	near(t, "mean", r.Mean(), 40, 1e-15)
	near(t, "deviation", r.Deviation(), math.Sqrt((60*60+160*160+440*440*.5)/2.5), 1e-14)
	near(t, "median", r.Median(), 100, relativeError)
	near(t, "lowest", r.Min, -401, 0)
	near(t, "highest", r.Max, 201, 0)
	near(t, "frequency", r.Frequency(), 50, 0)
	near(t, "delay", r.Delay(0.95).Seconds(), 0.01, relativeError)
}

func TestRunAgainstExactValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, power := range map[string]func() float64{
		"normal":   func() float64 { return 170 + 5*rng.NormFloat64() },
		"idle":     func() float64 { return 0.02 * rng.NormFloat64() },
		"negative": func() float64 { return -3000 * rng.ExpFloat64() },
		"wide":     func() float64 { return math.Exp(14*rng.Float64() - 3) },
		"constant": func() float64 { return 171.14 },
	} {
		r := NewRun()
		var all []float64
		for range 20001 {
			p := power()
			all = append(all, p)
			r.Event(readingOf(p, 20*time.Millisecond))
		}
		slices.Sort(all)
		mean, squares := 0.0, 0.0
		for _, p := range all {
			mean += p / float64(len(all))
		}
		for _, p := range all {
			squares += (p - mean) * (p - mean) / float64(len(all))
		}
		near(t, name+" mean", r.Mean(), mean, 1e-10)
		if d := math.Sqrt(squares); math.Abs(r.Deviation()-d) > 1e-9*math.Abs(mean)+1e-9*d {
			t.Errorf("%s deviation: got %v, want %v", name, r.Deviation(), d)
		}
		for _, q := range []float64{0, 0.05, 0.5, 0.95, 1} {
			want := all[int(q*float64(len(all)-1))]
			got := r.powers.value(q)
			// A neighbour is as right as the number itself, and what is below a
			// milliwatt counts as nothing.
			i := int(q * float64(len(all)-1))
			low, high := all[max(i-1, 0)], all[min(i+1, len(all)-1)]
			margin := relativeError*math.Max(math.Abs(low), math.Abs(high)) + 1e-3
			if got < low-margin || got > high+margin {
				t.Errorf("%s: quantile %v: got %v, want %v", name, q, got, want)
			}
		}
	}
}

// Six weeks of readings: a plain sum of them is off by far more.
func TestEnergyKeepsSmallReadings(t *testing.T) {
	r := NewRun()
	big, small := readingOf(1e12, time.Second), readingOf(1e-5, time.Second)
	r.Event(big)
	for range 100_000 {
		r.Event(small)
	}
	if got := r.Energy(); math.Abs(got-1e12-1) > 1e-3 {
		t.Errorf("got %v, want 1e12 and 1", got)
	}
}

// Readings' mean powers are of windows that differ in length; energy is not.
func TestMeanIsEnergyOverDuration(t *testing.T) {
	r := NewRun()
	for range 3 {
		e := readingOf(10, time.Second)
		e.Reading.Energy = 10.25
		r.Event(e)
	}
	near(t, "mean", r.Mean(), 10.25, 1e-15)
}

// Rounding must not decide which of two powers is the median.
func TestMedianOfEqualHalves(t *testing.T) {
	for _, n := range []int{1, 3, 10, 50, 1000, 12345} {
		r := NewRun()
		for _, power := range []float64{1, 100} {
			for range n {
				r.Event(readingOf(power, 20_006_002*time.Nanosecond))
			}
		}
		near(t, "median", r.Median(), 1, relativeError)
	}
}

// Six weeks at 50 readings/s would take too long to add up one by one: as many
// lengths in fewer readings, of a power that steps every day.
func TestWeeks(t *testing.T) {
	r := NewRun()
	const days, perDay, length = 42, 24 * 60, time.Minute + 17*time.Nanosecond
	var energy float64
	for day := range days {
		power := 0.1 * float64(day-10)
		for range perDay {
			r.Event(readingOf(power, length))
		}
		energy += power * perDay * length.Seconds()
	}
	if want := days * perDay * length; r.Measured != want {
		t.Errorf("measured %v, want %v", r.Measured, want)
	}
	near(t, "energy", r.Energy(), energy, 1e-14)
	near(t, "mean", r.Mean(), 1.05, 1e-13)
	near(t, "deviation", r.Deviation(), 0.1*math.Sqrt((days*days-1)/12.0), 1e-12)
	near(t, "median", r.Median(), 1.0, relativeError)
	near(t, "lowest", r.Min, -2, 1e-15)
	near(t, "highest", r.Max, 4.1, 1e-15)
}

func TestNothingMeasured(t *testing.T) {
	r := NewRun()
	if !math.IsNaN(r.Mean()) || !math.IsNaN(r.Median()) || r.Delay(0.5) != 0 || r.Energy() != 0 {
		t.Errorf("got %v %v %v %v", r.Mean(), r.Median(), r.Delay(0.5), r.Energy())
	}
	if diff := cmp.Diff("measured  0s, 0 readings\ngaps      none\n", r.Summary()); diff != "" {
		t.Error(diff)
	}
}

// One reading without a number must not spoil all others.
func TestNotANumber(t *testing.T) {
	r := NewRun()
	for _, p := range []float64{math.NaN(), math.Inf(1), 5, math.Inf(-1)} {
		r.Event(readingOf(p, time.Second))
	}
	if r.Mean() != 5 || r.Energy() != 5 || r.Median() != 5 || r.Min != 4 || r.Max != 6 || r.Deviation() != 0 {
		t.Errorf("got %v", r.Summary())
	}
}

func TestSummary(t *testing.T) {
	r := NewRun()
	for range 10 {
		r.Event(readingOf(171.1404, 250*time.Millisecond))
	}
	r.Event(&measure.Event{Kind: measure.GapEvent, Gap: meter.Gap{From: time.Unix(1, 0), To: time.Unix(2, 5e8)}})
	want := `measured  2.5s, 10 readings
gaps      1, 1.5s in all
energy    427.851 J = 0.118847 Wh
power     mean 171.140 W, median 171.140 W, standard deviation 0.000 W
          lowest 170.140 W, highest 172.140 W (averaging windows)
mains     50.000 Hz
delay     median 10ms, 95 % within 10ms
`
	if diff := cmp.Diff(want, r.Summary()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSummaryOfOneReadingNearZero(t *testing.T) {
	r := NewRun()
	e := readingOf(-0.0001, time.Second)
	e.Reading.PowerMin, e.Reading.PowerMax = -0.0002, 0
	r.Event(e)
	want := `measured  1s, 1 reading
gaps      none
energy    0.000 J = -2.77778e-08 Wh
power     mean 0.000 W, median 0.000 W, standard deviation 0.000 W
          lowest 0.000 W, highest 0.000 W (averaging windows)
mains     50.000 Hz
delay     median 10ms, 95 % within 10ms
`
	if diff := cmp.Diff(want, r.Summary()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRunMakesNoGarbage(t *testing.T) {
	r := NewRun()
	e := readingOf(171, time.Second)
	if n := testing.AllocsPerRun(1000, func() { r.Event(e) }); n != 0 {
		t.Errorf("%v allocations a reading", n)
	}
}

// Rounding must not leave the variance of a constant negative. These weights
// and values do so without a bound.
func TestDeviationOfConstant(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 12))
	for range 20_000 {
		var m moments
		v := 112 * (1 + 1e-3*rng.Float64())
		for range 8 {
			m.add(v*(1+0x1p-52*float64(rng.IntN(3))), float64(19_000_000+rng.IntN(320_000_000)))
		}
		if d := m.deviation(); !(d >= 0 && d < 1e-7*v) {
			t.Fatalf("got %v W", d)
		}
	}
}

// FuzzSummary: whatever a meter says, a person reads numbers, or that they are
// unknown.
func FuzzSummary(f *testing.F) {
	f.Add(112.0, 112.00000000000001, 0.5, int64(330e6), int64(190e6))
	f.Add(math.NaN(), math.Inf(1), math.NaN(), int64(0), int64(-1))
	f.Add(1e308, 1e308, 1e308, int64(1e9), int64(1e9))
	f.Fuzz(func(t *testing.T, a, b, low float64, length, last int64) {
		r := NewRun()
		for i, power := range []float64{a, b, a} {
			e := readingOf(power, time.Duration(length))
			if i == 2 {
				e = readingOf(power, time.Duration(last))
				e.Reading.PowerMin, e.Reading.Frequency = low, low
			}
			r.Event(e)
		}
		if s := r.Summary(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Error(s)
		}
	})
}
