package bench

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// A Method is how a comparison was made.
type Method string

const (
	// NoMethod is that of too few runs.
	NoMethod Method = ""

	// ByRounds goes by the log-ratios of the two runs of each round, by Student's t.
	// What changes from round to round meets both, and cancels.
	ByRounds Method = "rounds"

	// ByMeans goes by the ratio of the means, with the delta method and Welch's degrees of freedom.
	ByMeans Method = "means"

	// ByDifference goes by the difference of the means, with Welch's degrees of freedom.
	// There is no ratio, since the reference is not clearly above 0.
	ByDifference Method = "difference"
)

// A Verdict is what a comparison says. It comes from its interval.
type Verdict string

// The verdicts.
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
	DifferenceInterval Interval // 95 %, only ByDifference; NaN: there is none

	// Systematic is the expanded uncertainty (about 95 %) by what is off alike in all
	// runs and does not cancel, relative to the ratio; ByDifference in the unit of
	// the quantity. It is part of the interval.
	Systematic float64

	P       float64 // probability of such a difference, or a larger one, where there is none; NaN: not known
	Verdict Verdict

	Runs int // rounds, or runs of the smaller series, that it was made from

	// RunsFor1 is how many runs of each command would tell a difference of 1 % four
	// times in five; 0: not known, or no number would.
	RunsFor1 int
}

// clear is by how many standard errors a mean has to be above 0 for a ratio with it
// to have an interval. (The delta method is off where they are few.)
const clear = 5

// Compare compares a series with a reference of the same bench. It goes by rounds
// where that is asked for and two rounds have a run of each.
func Compare(s, reference *Series, q Quantity, rounds bool) Comparison {
	return compare(s, reference, q, rounds, shared{meter: true, baseline: true})
}

// shared is what two series have in common, so that it cancels in their ratio.
type shared struct{ meter, baseline bool }

func compare(s, reference *Series, q Quantity, rounds bool, common shared) Comparison {
	a, b := q.sample(s), q.sample(reference)
	c := Comparison{
		Command: s.Name, Reference: reference.Name, Quantity: q,
		Ratio: math.NaN(), Interval: noInterval, Difference: math.NaN(), DifferenceInterval: noInterval, Systematic: math.NaN(), P: math.NaN(),
		Runs: min(len(a.values), len(b.values)),
	}
	if c.Runs == 0 {
		return c
	}
	p := pair{a: &a, b: &b, common: common}
	p.meanA, p.meanB = stat.Mean(a.values, nil), stat.Mean(b.values, nil)
	c.Difference = p.meanA - p.meanB
	if rounds {
		logs, reason := logRatios(s, reference, q)
		if reason == "" {
			c.byRounds(&p, logs)
			return c
		}
		c.Reason = reason
	}
	if p.meanB > 0 {
		c.Ratio = p.meanA / p.meanB
	}
	if c.Runs < 2 {
		c.Reason = ""
		return c
	}
	n, m := float64(len(a.values)), float64(len(b.values))
	p.errorA, p.errorB = stat.StdDev(a.values, nil)/math.Sqrt(n), stat.StdDev(b.values, nil)/math.Sqrt(m)
	if p.meanB > 0 && p.meanB >= clear*p.errorB {
		c.byMeans(&p)
	} else {
		c.byDifference(&p)
	}
	return c
}

// logRatios returns the logarithm of the ratio of each round that has a run of each.
// A reason says why there are none.
func logRatios(s, reference *Series, q Quantity) (logs []float64, reason string) {
	of := make(map[int]float64, len(reference.Runs))
	for i := range reference.Runs {
		r := &reference.Runs[i]
		if v := q.Value(r); !math.IsNaN(v) {
			of[r.Round] = v
		}
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		v, to := q.Value(r), of[r.Round]
		if _, ok := of[r.Round]; !ok || math.IsNaN(v) {
			continue
		}
		if v <= 0 || to <= 0 {
			return nil, "the " + q.String() + " of a run is 0 or less, which has no logarithm"
		}
		logs = append(logs, math.Log(v/to))
	}
	if len(logs) < 2 {
		return nil, "fewer than two rounds were measured of both"
	}
	return logs, ""
}

// pair is two samples that are compared, their means and the standard errors of
// these.
type pair struct {
	a, b           *sample
	common         shared
	meanA, meanB   float64
	errorA, errorB float64
}

// systematic returns what is off alike in all runs: the standard uncertainty of
// meanA - factor * meanB. A gain that is common to both cancels in a ratio: it is
// to be added for a difference.
func (p *pair) systematic(factor float64) float64 {
	apart := func(common bool, a, b float64) float64 {
		if common {
			return a - b // the same cause, in the same direction
		}
		return math.Hypot(a, b)
	}
	shift := apart(p.common.meter, p.a.shift, factor*p.b.shift)
	base := apart(p.common.baseline, p.a.base, factor*p.b.base)
	var gain float64
	if !p.common.meter {
		gain = math.Hypot(p.a.gain, factor*p.b.gain)
	}
	return math.Sqrt(shift*shift + base*base + gain*gain)
}

// byRounds compares by the log-ratios of rounds.
func (c *Comparison) byRounds(p *pair, logs []float64) {
	n := float64(len(logs))
	mean, deviation := stat.MeanStdDev(logs, nil)
	c.Method, c.Runs, c.Ratio = ByRounds, len(logs), math.Exp(mean)
	systematic := p.systematic(c.Ratio) / math.Abs(p.meanA)
	c.logarithm(mean, deviation/math.Sqrt(n), n-1, systematic)
	c.RunsFor1 = runsFor(0.01, deviation, systematic, func(n float64) float64 { return n - 1 })
}

// byMeans compares by the ratio of the means.
func (c *Comparison) byMeans(p *pair) {
	c.Method = ByMeans
	n, m := float64(len(p.a.values)), float64(len(p.b.values))
	u, v := p.errorA/p.meanB, c.Ratio*p.errorB/p.meanB // what each adds to the ratio
	scatter, freedom := math.Hypot(u, v), welch(u, v, n, m)
	systematic := p.systematic(c.Ratio) / p.meanB
	if p.meanA >= clear*p.errorA && p.meanA > 0 {
		c.logarithm(math.Log(c.Ratio), scatter/c.Ratio, freedom, systematic/c.Ratio)
	} else {
		c.Systematic = 2 * systematic / math.Abs(c.Ratio)
		c.Interval, c.P = interval(c.Ratio, scatter, freedom, systematic, 1)
		c.judge(c.Interval, 1)
	}
	one := math.Hypot(u*math.Sqrt(n), v*math.Sqrt(m)) / math.Abs(c.Ratio)
	c.RunsFor1 = runsFor(0.01, one, systematic/math.Abs(c.Ratio), func(n float64) float64 { return 2 * (n - 1) })
}

// byDifference compares by the difference of the means.
func (c *Comparison) byDifference(p *pair) {
	c.Method, c.Ratio = ByDifference, math.NaN()
	c.Reason = "the " + c.Quantity.String() + " of the reference is not clearly above 0, so there is no ratio"
	n, m := float64(len(p.a.values)), float64(len(p.b.values))
	systematic := p.systematic(1)
	if p.common.meter {
		systematic = math.Hypot(systematic, p.a.gain-p.b.gain)
	}
	c.Systematic = 2 * systematic
	c.DifferenceInterval, c.P = interval(c.Difference, math.Hypot(p.errorA, p.errorB), welch(p.errorA, p.errorB, n, m), systematic, 0)
	c.judge(c.DifferenceInterval, 0)
}

// logarithm makes the interval of a ratio from that of its logarithm.
func (c *Comparison) logarithm(mean, scatter, freedom, systematic float64) {
	c.Systematic = 2 * systematic
	i, p := interval(mean, scatter, freedom, systematic, 0)
	c.Interval, c.P = Interval{math.Exp(i.Low), math.Exp(i.High)}, p
	c.judge(i, 0)
}

func (c *Comparison) judge(i Interval, same float64) {
	switch {
	case i.None():
	case i.Low > same:
		c.Verdict = More
	case i.High < same:
		c.Verdict = Less
	default:
		c.Verdict = NoDifference
	}
}

// interval returns the 95 % interval of a value, and the probability of being as far
// from where it would be without a difference.
func interval(value, scatter, freedom, systematic, same float64) (Interval, float64) {
	u, freedom := combine(scatter, freedom, systematic)
	off := value - same
	if u <= rounding*math.Abs(off) || u == 0 && off == 0 {
		// All runs are alike, as those of a simulation may be.
		if math.Abs(off) <= rounding {
			return Interval{same, same}, 1
		}
		return Interval{value, value}, 0
	}
	half := factor(freedom) * u
	return Interval{value - half, value + half}, probability(off/u, freedom)
}

// welch returns the degrees of freedom of the sum of two means with the standard
// errors u and v over n and m values.
func welch(u, v, n, m float64) float64 {
	u, v = u*u, v*v
	if u+v == 0 {
		return n + m - 2
	}
	return (u + v) * (u + v) / (u*u/(n-1) + v*v/(m-1))
}

// runsFor returns how many runs of each tell a relative difference four times in
// five, where the ratio of one run to one has the relative deviation one.
func runsFor(difference, one, systematic float64, freedom func(runs float64) float64) int {
	const power, most = 0.8, 1e7
	difference = math.Log1p(difference)
	normal := difference / (factor(math.Inf(1)) + student(math.Inf(1), power))
	left := normal*normal - systematic*systematic
	n := max(math.Ceil(one*one/left), 2) // Student's distribution asks for some more
	if !(left > 0 && n < most) {
		return 0
	}
	for {
		u, f := combine(one/math.Sqrt(n), freedom(n), systematic)
		if (factor(f)+student(f, power))*u <= difference {
			return int(n)
		}
		n++
	}
}

// Best returns the index of the series with the lowest mean, -1: none has one.
func Best(list []Series, q Quantity) int {
	best, lowest := -1, math.Inf(1)
	for i := range list {
		if t := q.sample(&list[i]); len(t.values) > 0 {
			if mean := stat.Mean(t.values, nil); mean < lowest {
				best, lowest = i, mean
			}
		}
	}
	return best
}
