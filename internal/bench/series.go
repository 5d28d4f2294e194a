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
