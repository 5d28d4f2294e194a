package stats

import "math"

// quantiles estimates quantiles of numbers of either sign. It counts them in
// bins whose bounds grow by a constant factor, so that the middle of a bin is
// within relativeError of all numbers in it.
type quantiles struct {
	smallest           float64 // numbers nearer to zero count as zero
	negative, positive []float64
	zero               float64
	weight             float64
	min, max           float64
}

const relativeError = 0.001

// binGrowth is the factor between the bounds of a bin; its logarithm finds
// the bin of a number.
const binGrowth = (1 + relativeError) / (1 - relativeError)

var logGrowth = math.Log(binGrowth)

// newQuantiles returns bins for absolute values from smallest to largest;
// larger ones count as largest.
func newQuantiles(smallest, largest float64) *quantiles {
	n := int(math.Ceil(math.Log(largest/smallest)/logGrowth)) + 1
	return &quantiles{
		smallest: smallest, negative: make([]float64, n), positive: make([]float64, n),
		min: math.Inf(1), max: math.Inf(-1),
	}
}

func (q *quantiles) add(v, weight float64) {
	if math.IsNaN(v) || !(weight > 0) {
		return
	}
	q.weight += weight
	q.min, q.max = min(q.min, v), max(q.max, v)
	switch a := math.Abs(v); {
	case a < q.smallest:
		q.zero += weight
	case v < 0:
		q.negative[q.bin(a)] += weight
	default:
		q.positive[q.bin(a)] += weight
	}
}

func (q *quantiles) bin(a float64) int {
	last := len(q.positive) - 1
	if i := math.Log(a/q.smallest) / logGrowth; i < float64(last) {
		return int(i)
	}
	return last
}

// middle is the number that is as far, relatively, from both bounds of a bin.
func (q *quantiles) middle(bin int) float64 {
	return q.smallest * math.Exp(float64(bin)*logGrowth) * (1 + relativeError)
}

// value returns the number that a fraction p of the weight does not exceed, not
// a number when nothing was added.
func (q *quantiles) value(p float64) float64 {
	if q.weight == 0 {
		return math.NaN()
	}
	left := p * q.weight
	bins := len(q.positive)
	for i := bins - 1; i >= 0; i-- {
		if left -= q.negative[i]; q.negative[i] > 0 && left <= 0 {
			return q.clamp(-q.middle(i))
		}
	}
	if left -= q.zero; q.zero > 0 && left <= 0 {
		return q.clamp(0)
	}
	for i := range bins {
		if left -= q.positive[i]; q.positive[i] > 0 && left <= 0 {
			return q.clamp(q.middle(i))
		}
	}
	return q.max
}

// clamp makes quantiles of a constant exact.
func (q *quantiles) clamp(v float64) float64 { return min(max(v, q.min), q.max) }
