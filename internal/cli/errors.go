package cli

import (
	"errors"
	"fmt"
	"strings"
)

// A UsageError is a command line that makes no sense.
type UsageError struct {
	Text string // what is wrong, and what is accepted
	Help string // what to type to learn more
	Err  error  // cause, may be nil
}

// Error returns what is wrong.
func (e *UsageError) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// usagef returns a UsageError about a command; nil is the program.
func (p *Program) usagef(c *Command, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	help := p.Name + " --help"
	if c != nil {
		help = p.Name + " " + c.words + " --help"
	}
	return &UsageError{Text: err.Error(), Help: help, Err: errors.Unwrap(err)}
}

// wrongValue says what is wrong with the value of a flag, an argument or a
// variable.
func wrongValue(t Type, text, of string, why error) string {
	if text == "" {
		return of + " is empty; is the variable that it comes from set?"
	}
	s := fmt.Sprintf("invalid %s %q for %s", t.Noun(), text, of)
	if !errors.Is(why, ErrInvalid) {
		s += ": " + why.Error()
	}
	return s + "; use " + t.Use()
}

// unknownFlag says which flag may have been meant.
func (p *Program) unknownFlag(c *Command, flags []*Flag, typed string) error {
	var names []string
	for _, f := range flags {
		for _, n := range f.names() {
			names = append(names, Dashed(n))
		}
	}
	if s := closest(typed, names); s != "" {
		return p.usagef(c, "there is no flag %s (did you mean %s?)", typed, s)
	}
	return p.usagef(c, "there is no flag %s", typed)
}

// unknownCommand says which command of a group, or of the program, may have been
// meant.
func (p *Program) unknownCommand(group *Command, name string) error {
	list, text, help := p.Commands, fmt.Sprintf("there is no command %q", name), p.Name+" help"
	if group != nil {
		list, text, help = group.Commands, fmt.Sprintf("there is no command %q", group.words+" "+name), p.Name+" "+group.words+" --help"
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	if s := closest(name, names); s != "" {
		text += " (did you mean " + s + "?)"
	}
	return &UsageError{Text: text, Help: help}
}

// closest returns the candidate that name is most probably a slip of, or "".
func closest(name string, candidates []string) string {
	best, most := "", max(1, len(strings.TrimLeft(name, "-"))/3)
	for _, c := range candidates {
		if strings.HasPrefix(c, name) && len(name) > 2 {
			return c
		}
		if d := distance(name, c); d <= most && len(c) > 2 {
			best, most = c, d-1
		}
	}
	return best
}

// distance is the number of letters to insert, drop, change or swap with their
// neighbour to turn a into b (the optimal string alignment distance).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
