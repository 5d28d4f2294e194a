package bench

import (
	"math"
	"time"
)

// Progress is how far a bench is.
type Progress struct {
	Step  Step // that comes next; of the last call: that came last
	Ended bool

	// Done of Total runs, warm-ups included. With a precision, Total is what the
	// scatter so far lets expect.
	Done, Total int

	// Left is the time that the rest may take, 0 as long as there is no telling.
	Left time.Duration

	// Mean is the mean energy of the command of Step so far in J, and Half half of
	// its 95 % interval, by the scatter of its runs; not a number as long as there is
	// none.
	Mean, Half float64
}

// running is the mean and the scatter of numbers as they come (Welford's method).
type running struct {
	n             int
	mean, squares float64
}

func (r *running) add(v float64) {
	r.n++
	d := v - r.mean
	r.mean += d / float64(r.n)
	r.squares += d * (v - r.mean)
}

// value is the mean, NaN of nothing.
func (r *running) value() float64 {
	if r.n == 0 {
		return math.NaN()
	}
	return r.mean
}

// half is half of the 95 % interval of the mean, NaN of fewer than two.
func (r *running) half() float64 {
	if r.n < 2 {
		return math.NaN()
	}
	n := float64(r.n)
	return factor(n-1) * math.Sqrt(r.squares/(n-1)/n)
}

// reached says whether half of the interval is under a share of the mean.
func (r *running) reached(precision float64) bool {
	return r.half() < precision*math.Abs(r.mean)
}

// needed returns how many numbers may have to come in all for that, as their
// scatter so far lets expect, from least to most.
func (r *running) needed(precision float64, least, most int) int {
	if precision == 0 {
		return least
	}
	ratio := r.half() / (precision * math.Abs(r.mean))
	if math.IsNaN(ratio) {
		return max(least, min(r.n, most))
	}
	n := math.Ceil(float64(r.n) * ratio * ratio)
	return int(min(max(n, float64(least)), float64(most)))
}

// pace is how long steps take.
type pace struct {
	steps int
	spent time.Duration
}

// left returns how long so many steps of each command may take, with a rest before
// each: a command that had none is taken for the mean of the others.
func left(paces []pace, steps []int, rest time.Duration) time.Duration {
	var all pace
	for _, p := range paces {
		all.steps += p.steps
		all.spent += p.spent
	}
	if all.steps == 0 {
		return 0
	}
	var seconds float64
	for i, p := range paces {
		if p.steps == 0 {
			p = all
		}
		seconds += float64(steps[i]) * (p.spent.Seconds()/float64(p.steps) + rest.Seconds())
	}
	return time.Duration(min(seconds, math.MaxInt64/1e9-1) * float64(time.Second))
}
