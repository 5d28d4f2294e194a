package bench

import "maps"

// A Command is what is run again and again.
type Command struct {
	Name       string            // as it is shown: --command-name, or the command line
	Parameters map[string]string // values by name; nil: none
}

// Clone returns a copy that shares nothing.
func (c Command) Clone() Command {
	c.Parameters = maps.Clone(c.Parameters)
	return c
}

// A Series is the runs of one command.
type Series struct {
	Command
	Runs     []Run // in the order they were carried out
	Repeated int   // runs that were thrown away since they were not measured as a whole
}

// A Quantity is what a run has one value of.
type Quantity int

const (
	Energy Quantity = iota // of an execution, J
	Net                    // energy above the baseline, J
	Time                   // of an execution, s
	Power                  // mean, W
)

// String returns the name of the quantity.
func (q Quantity) String() string {
	return [...]string{"energy", "net energy", "time", "mean power"}[q]
}

// Unit returns the symbol of its unit.
func (q Quantity) Unit() string { return [...]string{"J", "J", "s", "W"}[q] }

// Value returns the quantity of a run, NaN where it has none: an energy that was
// not measured as a whole, a net energy without a baseline.
func (q Quantity) Value(r *Run) float64 { return q.value(r) }
