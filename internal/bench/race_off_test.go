//go:build !race

package bench_test

// benches is how many times each case is simulated.
const (
	benches = 400
	slack   = 0
)
