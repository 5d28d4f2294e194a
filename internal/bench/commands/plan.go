package commands

import (
	"fmt"
	"slices"
	"time"

	"powerspy2/internal/job"
	"powerspy2/internal/shell"
)

// A Plan says what a bench runs. How often, and in which order, says a
// [powerspy2/internal/bench.Plan].
type Plan struct {
	Commands []Command
	Shell    []string // that runs them; nil: none

	Setup, Cleanup    string   // around the runs of each command; none: empty
	Prepare, Conclude []string // around each run; none, one, or one for each command
	Output            []string // OutputNull, OutputPipe, OutputInherit or a path; one, or one for each command
	Input             string   // the path of what commands read; empty: nothing

	MinTime time.Duration       // that a run lasts at least: a command is repeated within it
	Settle  float64             // share within which the power is back before a run; 0: runs don't wait
	Accept  func(code int) bool // an exit status that is no failure, beside 0; nil: none
}

// What becomes of what commands write; anything else is the path of a file for their
// standard output.
const (
	OutputNull    = "null"
	OutputPipe    = "pipe"
	OutputInherit = "inherit"
)

// A LineError is a command line that needs a shell.
type LineError struct {
	line string
	err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("the command %q: %v", e.line, e.err) }
func (e *LineError) Unwrap() error { return e.err }

// Find says which programs are not there, as far as that shows before they are run.
func (p *Plan) Find() error {
	if p.Shell != nil {
		_, err := job.Find(p.Shell[0])
		return err
	}
	for _, line := range p.allLines() {
		words, err := shell.Split(line)
		if err != nil {
			return &LineError{line, err}
		}
		if _, err := job.Find(words[0]); err != nil {
			return err
		}
	}
	return nil
}

// allLines returns all that is to be run, each line once.
func (p *Plan) allLines() []string {
	var list []string
	seen := map[string]bool{"": true}
	for i := range p.Commands {
		c := &p.Commands[i]
		for _, line := range []string{c.Line, of(p.Prepare, i), of(p.Conclude, i), p.Setup, p.Cleanup} {
			if line = c.fill(line); !seen[line] {
				seen[line] = true
				list = append(list, line)
			}
		}
	}
	return list
}

// argv returns what a command line is run by.
func (p *Plan) argv(line string) ([]string, error) {
	if p.Shell != nil {
		return append(slices.Clip(p.Shell), "-c", line), nil
	}
	return shell.Split(line)
}

// of returns what of a list belongs to a command: the list has one for all, or one
// for each.
func of(list []string, command int) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return list[command]
}
