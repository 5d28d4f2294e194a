// Package commands runs and measures the commands of a bench: [Expand] makes them of
// command lines and parameters, a [Plan] says how they are run and what is run around
// them, and a [Runner] is the [powerspy2/internal/bench.Executor] that does it with a
// meter. Options and variables have hyperfine's names and meaning.
package commands
