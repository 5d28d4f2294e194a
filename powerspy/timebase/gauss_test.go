package timebase

import (
	"math"
	"testing"
)

// The closed forms agree with numerical integrals.
func TestTruncated(t *testing.T) {
	tests := []struct{ mean, variance, bound, rate float64 }{
		{0, 1, 0, 0},
		{0, 1, 3, 0},
		{0, 1, -3, 0},
		{0, 1, -7, 0},
		{0, 1, 0, 1},
		{2, 4, 5, 0.1},
		{2, 4, -3, 3},
		{2, 4, -30, 0.5},
		{0, 1e-6, 0.012, 1 / 0.012},
		{0, 1e-6, -0.004, 1 / 0.012},
		{0, 1e-6, 0.6, 1 / 0.3},
	}
	for _, tt := range tests {
		sigma := math.Sqrt(tt.variance)
		logProduct := func(x float64) float64 {
			z := (x - tt.mean) / sigma
			return -z*z/2 + tt.rate*(x-tt.bound)
		}
		// The product is sizeable over a few widths below its maximum, which is
		// at the bound or at that of the untruncated product.
		top := min(tt.bound, tt.mean+tt.rate*tt.variance)
		slope := -(top-tt.mean)/tt.variance + tt.rate
		width := min(sigma, 1/max(slope, 1e-300))
		from, to := top-40*width, min(tt.bound, top+40*width)
		const steps = 200000
		dx := (to - from) / steps
		var m0, m1, m2 float64
		for i := range steps {
			x := from + (float64(i)+0.5)*dx
			p := math.Exp(logProduct(x) - logProduct(top))
			m0 += p * dx
			m1 += p * (x - top) * dx
			m2 += p * (x - top) * (x - top) * dx
		}
		m1, m2 = m1/m0, m2/m0
		wantMean, wantVariance := top+m1, m2-m1*m1
		wantLog := math.Log(m0) + logProduct(top) - math.Log(sigma) - math.Log(2*math.Pi)/2
		if tt.rate > 0 {
			wantLog += math.Log(tt.rate)
		}

		m, v, logDensity := truncated(tt.mean, tt.variance, tt.bound, tt.rate)
		if math.Abs(m-wantMean) > 1e-4*width {
			t.Errorf("%+v: mean %v, want %v", tt, m, wantMean)
		}
		if math.Abs(v/wantVariance-1) > 0.02 {
			t.Errorf("%+v: variance %v, want %v", tt, v, wantVariance)
		}
		if math.Abs(logDensity-wantLog) > 1e-4 {
			t.Errorf("%+v: log density %v, want %v", tt, logDensity, wantLog)
		}
	}
}

// The two ways to compute a tail meet.
func TestCutSeam(t *testing.T) {
	const e = 1e-9
	b1, l1 := cut(farTail + e)
	b2, l2 := cut(farTail - e)
	if math.Abs(b1-b2) > 1e-6 || math.Abs(l1-l2) > 1e-6 {
		t.Errorf("mean %v and %v below, log share %v and %v", b1, b2, l1, l2)
	}
	v1, v2 := cutVariance(farTail+e, b1), cutVariance(farTail-e, b2)
	if math.Abs(v1/v2-1) > 0.02 {
		t.Errorf("variances %v and %v", v1, v2)
	}
}
