package timebase

import "math"

// truncated returns the mean and variance of what is known of a quantity, first
// known as a normal distribution with the given mean and variance, after an
// observation of likelihood
//
//	rate * exp(-rate*(bound-x)) for x <= bound, else 0
//
// and the logarithm of that observation's probability density. A rate of 0
// stands for the mere knowledge that x <= bound, and the logarithm is then that
// of a probability.
//
// The product is the normal distribution shifted by rate*variance and cut off
// at bound, whose moments have closed forms.
func truncated(mean, variance, bound, rate float64) (m, v, logDensity float64) {
	sigma := math.Sqrt(variance)
	a := (bound-mean)/sigma - rate*sigma
	below, logTail := cut(a)
	m = bound - sigma*below
	v = variance * cutVariance(a, below)
	logDensity = logTail - rate*(bound-mean-rate*variance/2)
	if rate > 0 {
		logDensity += math.Log(rate)
	}
	return m, v, logDensity
}

// farTail is where the tail of the normal distribution is so thin that the
// formulas with erfc lose digits, and series converge quickly.
const farTail = -6

// cut returns by how much the mean of a standard normal distribution that is
// cut off above a lies below a, and the logarithm of its share below a.
func cut(a float64) (below, logTail float64) {
	const logRoot2Pi = 0.91893853320467274178 // log(sqrt(2*pi))
	logDensity := -a*a/2 - logRoot2Pi
	if a > farTail {
		tail := math.Erfc(-a/math.Sqrt2) / 2
		return a + math.Exp(logDensity)/tail, math.Log(tail)
	}
	// Laplace's continued fraction for Mills' ratio.
	for i := 12; i > 0; i-- {
		below = float64(i) / (below - a)
	}
	return below, logDensity - math.Log(below-a)
}

// cutVariance returns the variance of a standard normal distribution that is
// cut off above a, where its mean lies so far below a.
func cutVariance(a, below float64) float64 {
	if a > farTail {
		return 1 - (below-a)*below
	}
	// The terms above cancel: here is their asymptotic series.
	x := 1 / (a * a)
	return x * (1 - 6*x + 50*x*x)
}
