package bench

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// An Interval goes from Low to High; both are NaN where there is none.
type Interval struct{ Low, High float64 }

// None says whether there is no interval.
func (i Interval) None() bool { return math.IsNaN(i.Low) || math.IsNaN(i.High) }

var noInterval = Interval{math.NaN(), math.NaN()}

// Statistics are those of one quantity over the runs of a series, in its unit. All
// numbers are NaN where there is no value.
type Statistics struct {
	Quantity  Quantity
	Runs      int     // that have a value
	Mean      float64 // of them
	Deviation float64 // standard deviation; NaN of one run
	Median    float64
	Min, Max  float64

	// Scatter is half of the 95 % interval of the mean by the scatter of the runs
	// (Student's t); NaN of one run.
	Scatter float64

	// Systematic is the expanded uncertainty (about 95 %) of what is off alike in
	// all runs: see [Quantity.Systematic].
	Systematic float64

	// Interval is the 95 % interval of the mean with both; NaN of one run.
	Interval Interval

	Outliers []Outlier // told, not left out
	Drift    Trend
	First    First
}

// An Outlier is a run far from the others by its modified Z-score: its distance
// from the median in median absolute deviations (Iglewicz and Hoaglin, How to
// Detect and Handle Outliers, 1993). It is more than ten standard deviations of
// a normal distribution, as for hyperfine.
type Outlier struct {
	Run   int // index in Series.Runs
	Value float64
	Score float64 // in median absolute deviations
}

// A Trend is a line through the values of the runs over the times they started at.
type Trend struct {
	Change float64 // from the first run to the last, relative to the mean; NaN of fewer than fewRuns
	P      float64 // probability of such a slope, or a steeper one, where there is none
	Told   bool    // the slope differs from 0
}

// A First is the first run against the others.
type First struct {
	Difference float64 // from the mean of the others, relative to it; NaN of fewer than fewRuns
	P          float64 // probability of such a difference, or a larger one, where there is none
	Told       bool    // it differs
}

const (
	// outlierScore is 10 standard deviations in median absolute deviations.
	outlierScore = 1.4826 * 10

	// leastForOutliers is from how many runs on chance alone makes an outlier in no more
	// than about 1 of 100 benches: of three runs it makes one in 11 of 100.
	leastForOutliers = 6

	// fewRuns say nothing of a drift or a first run.
	fewRuns = 5

	// tellBelow is the probability from which on a drift or a first run is told: a
	// bench makes several such tests, and one in twenty would cry wolf.
	tellBelow = 0.01

	// rounding is what relative differences are that come from arithmetic.
	rounding = 1e-9
)

// Summarize makes statistics of a quantity of a series.
func Summarize(s *Series, q Quantity) Statistics {
	none := math.NaN()
	t := Statistics{
		Quantity: q, Mean: none, Deviation: none, Median: none, Min: none, Max: none, Scatter: none, Systematic: none,
		Interval: noInterval, Drift: Trend{Change: none, P: none}, First: First{Difference: none, P: none},
	}
	of := q.sample(s)
	t.Runs = len(of.values)
	if t.Runs == 0 {
		return t
	}
	t.Mean, t.Median = stat.Mean(of.values, nil), median(of.values)
	t.Min, t.Max = slices.Min(of.values), slices.Max(of.values)
	t.Systematic = 2 * of.systematic()
	if t.Runs < 2 {
		return t
	}
	n := float64(t.Runs)
	t.Deviation = stat.StdDev(of.values, nil)
	t.Scatter = factor(n-1) * t.Deviation / math.Sqrt(n)
	u, freedom := combine(t.Deviation/math.Sqrt(n), n-1, of.systematic())
	half := factor(freedom) * u
	t.Interval = Interval{t.Mean - half, t.Mean + half}
	if t.Runs >= leastForOutliers {
		t.Outliers = outliers(&of)
	}
	if t.Runs >= fewRuns {
		t.Drift = trend(s, &of, t.Mean)
		t.First = first(of.values)
	}
	return t
}

// Precision returns Scatter relative to the mean; NaN of one run.
func (t *Statistics) Precision() float64 { return t.Scatter / math.Abs(t.Mean) }

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

func outliers(of *sample) (list []Outlier) {
	middle := median(of.values)
	far := make([]float64, len(of.values))
	for i, v := range of.values {
		far[i] = math.Abs(v - middle)
	}
	// Where most runs are alike, a deviation of 0 would make an outlier of any other.
	unit := max(median(far), rounding*math.Abs(middle))
	for i, v := range of.values {
		if score := (v - middle) / unit; math.Abs(score) > outlierScore {
			list = append(list, Outlier{of.runs[i], v, score})
		}
	}
	return list
}

// trend fits a line by least squares.
func trend(s *Series, of *sample, mean float64) Trend {
	n := len(of.values)
	begin := s.Runs[of.runs[0]].Start
	times := make([]float64, n)
	for i, run := range of.runs {
		times[i] = s.Runs[run].Start.Sub(begin).Seconds()
	}
	intercept, slope := stat.LinearRegression(times, of.values, nil, false)
	length := times[n-1] - times[0]
	t := Trend{Change: slope * length / math.Abs(mean), P: 1}
	if !(math.Abs(t.Change) > rounding) {
		return t
	}
	var rest float64
	for i, v := range of.values {
		d := v - intercept - slope*times[i]
		rest += d * d
	}
	spread := stat.Variance(times, nil) * float64(n-1)
	t.P = probability(slope/math.Sqrt(rest/float64(n-2)/spread), float64(n-2))
	t.Told = t.P < tellBelow
	return t
}

// first compares the first value with what one more of the others would be.
func first(values []float64) First {
	n := float64(len(values) - 1)
	mean, deviation := stat.MeanStdDev(values[1:], nil)
	off := values[0] - mean
	f := First{Difference: off / math.Abs(mean), P: 1}
	if !(math.Abs(f.Difference) > rounding) {
		return f
	}
	f.P = probability(off/(deviation*math.Sqrt(1+1/n)), n-1)
	f.Told = f.P < tellBelow
	return f
}
