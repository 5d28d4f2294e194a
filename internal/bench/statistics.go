package bench

// An Interval goes from Low to High; both are not a number where there is none.
type Interval struct{ Low, High float64 }

// Statistics are those of one quantity over the runs of a series, in its unit. All
// numbers are NaN where there is no value.
type Statistics struct {
	Runs      int     // that have a value
	Mean      float64 // of them
	Deviation float64 // standard deviation; NaN of one run
	Median    float64
	Min, Max  float64

	// Scatter is half of the 95 % interval of the mean by the scatter of the runs
	// (Student's t); NaN of one run.
	Scatter float64

	// Systematic is the expanded uncertainty (about 95 %) of what is off alike in
	// all runs: the meter's class, its steps, the constant delay of its frames, the
	// baseline. 0 for times.
	Systematic float64

	// Interval is the 95 % interval of the mean with both; NaN of one run.
	Interval Interval

	Outliers []Outlier // told, not left out
	Drift    Trend
	First    First
}

// An Outlier is a run far from the others: by its modified Z-score, as hyperfine
// judges it.
type Outlier struct {
	Run   int // index in Series.Runs
	Value float64
	Score float64
}

// A Trend is a line through the values of the runs over their times.
type Trend struct {
	Change float64 // from the first run to the last, relative to the mean; NaN of two runs or less
	P      float64 // probability of such a slope, or a steeper one, where there is none
	Told   bool    // the slope differs from 0
}

// A First is the first run against the others.
type First struct {
	Difference float64 // from the mean of the others, relative to it; NaN of three runs or less
	P          float64 // probability of such a difference, or a larger one, where there is none
	Told       bool    // it differs
}

// Summarize makes statistics of a quantity of a series.
func Summarize(s *Series, q Quantity) Statistics { return Statistics{} }
