//go:build race

package bench_test

// The race detector makes a simulation some ten times slower, and there is nothing
// to find for it in this one, which has one goroutine: few benches, judged less.
const (
	benches = 40
	slack   = 10 // percentage points
)
