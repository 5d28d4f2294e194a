package bench

// A Method is how a comparison was made.
type Method int

const (
	NoMethod     Method = iota // there are too few runs
	ByRounds                   // from the log-ratios of the runs of each round, by Student's t
	ByMeans                    // from the means, by the delta method and Welch's degrees of freedom
	ByDifference               // from the difference of the means, by Welch: there is no ratio, since the reference is not clearly above 0
)

// A Verdict is what a comparison says.
type Verdict string

const (
	Less         Verdict = "less"
	More         Verdict = "more"
	NoDifference Verdict = "no difference found"
	Undecided    Verdict = "" // there are too few runs for any verdict
)

// A Comparison compares a command with a reference in one quantity.
type Comparison struct {
	Command, Reference string
	Quantity           Quantity
	Method             Method
	Reason             string // why the method is not the one of the order; "": it is

	Ratio    float64  // of the command to the reference; NaN: there is none
	Interval Interval // of the ratio, 95 %; NaN: there is none

	Difference         float64  // of the means, in the unit of the quantity
	DifferenceInterval Interval // only ByDifference

	Systematic float64 // relative expanded uncertainty of the ratio by what is off alike in all runs and does not cancel
	P          float64 // probability of such a difference, or a larger one, where there is none; NaN: not known
	Verdict    Verdict

	Runs     int // rounds, or runs of the smaller series, that it was made from
	RunsFor1 int // of each command, with which a difference of 1 % would be told four times in five; 0: not known
}

// Compare compares a series with a reference. By rounds where that is asked for and
// each has runs of the same rounds.
func Compare(s, reference *Series, q Quantity, rounds bool) Comparison { return Comparison{} }

// Best returns the index of the series with the lowest mean, -1: none has one.
func Best(list []Series, q Quantity) int { return -1 }
