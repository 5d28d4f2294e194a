package bench

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// level is that of all intervals.
const level = 0.95

// manyFreedoms is from where on Student's distribution is the normal one.
const manyFreedoms = 1e6

// student returns the quantile p of Student's distribution.
func student(freedom, p float64) float64 {
	switch {
	case math.IsNaN(freedom): // of numbers beyond float64
		return math.NaN()
	case freedom > manyFreedoms:
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(p)
}

// factor returns by what a standard error is to be multiplied for half of an
// interval.
func factor(freedom float64) float64 { return student(freedom, (1+level)/2) }

// probability returns that of a value which is so many standard errors or more from
// where it would be, in either direction.
func probability(errors, freedom float64) float64 {
	switch {
	case math.IsNaN(errors) || math.IsNaN(freedom):
		return math.NaN()
	case math.IsInf(errors, 0):
		return 0
	case freedom > manyFreedoms:
		return 2 * distuv.UnitNormal.Survival(math.Abs(errors))
	}
	return 2 * distuv.StudentsT{Sigma: 1, Nu: freedom}.Survival(math.Abs(errors))
}

// combine adds to a standard error with its degrees of freedom what is off alike in
// all runs, a standard uncertainty. It returns the combined one and its effective
// degrees of freedom (Welch and Satterthwaite; JCGM 100:2008, G.4).
func combine(scatter, freedom, systematic float64) (standard, effective float64) {
	if systematic == 0 {
		return scatter, freedom
	}
	standard = math.Hypot(scatter, systematic)
	share := scatter / standard
	return standard, freedom / (share * share * share * share)
}
