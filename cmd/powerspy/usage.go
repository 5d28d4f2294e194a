package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"powerspy2/meter"
)

// A usageError is a command line that makes no sense.
type usageError struct {
	text string // what is wrong, and what is accepted
	help string // what to type to learn more
	err  error  // cause, may be nil
}

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns a usageError about the command that c runs.
func usagef(c *cli.Context, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &usageError{text: err.Error(), help: helpFor(c), err: errors.Unwrap(err)}
}

// helpFor is what to type for the help of the command that c runs.
func helpFor(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == c.App.Name {
		return "powerspy --help"
	}
	return "powerspy " + commandWords(c) + " --help"
}

// commandWords is how the command that c runs is typed, such as `clock set`.
func commandWords(c *cli.Context) string {
	words := c.Command.Name
	for _, level := range c.Lineage()[1:] {
		if level.Command == nil || level.Command.Name == "" || level.Command.Name == c.App.Name {
			break
		}
		words = level.Command.Name + " " + words
	}
	return words
}

// Errors of package flag and of the library, which have no types.
const (
	undefinedFlag = "flag provided but not defined: -"
	badBoolean    = "invalid boolean value "
	missingValue  = "flag needs an argument: -"
	twoForms      = "Cannot use two forms of the same flag: "
)

// flagError says in our words what the library says of wrong flags.
func (a *app) flagError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, undefinedFlag); ok {
		var names []string
		for _, f := range c.Command.VisibleFlags() {
			for _, n := range f.Names() {
				names = append(names, dashed(n))
			}
		}
		if s := closest(dashed(name), names); s != "" {
			return usagef(c, "there is no flag %s (did you mean %s?)", dashed(name), s)
		}
		if name[0] >= '0' && name[0] <= '9' {
			return usagef(c, "-%s is negative, and no argument can be", name)
		}
		return usagef(c, "there is no flag %s", dashed(name))
	}
	if flag, ok := strings.CutPrefix(text, badBoolean); ok {
		_, name, _ := strings.Cut(flag, " for -")
		name, _, _ = strings.Cut(name, ":")
		return usagef(c, "%s takes no value", dashed(name))
	}
	if name, ok := strings.CutPrefix(text, missingValue); ok {
		return usagef(c, "%s needs a value", dashed(name))
	}
	if names, ok := strings.CutPrefix(text, twoForms); ok {
		one, other, _ := strings.Cut(names, " ")
		return usagef(c, "%s and %s are the same flag, give one of them", dashed(one), dashed(other))
	}
	if value, name, ok := wrongValue(text); ok {
		return usagef(c, "%s %s %s", name, value, kindOf(c, name))
	}
	return usagef(c, "%s", text)
}

// wrongValue takes apart what package flag says of a value that can't be parsed:
// the value, quoted, and the flag.
func wrongValue(text string) (value, name string, ok bool) {
	text, wrong := strings.CutPrefix(text, "invalid value ")
	i := strings.LastIndex(text, " for flag -")
	if !wrong || i < 0 {
		return "", "", false
	}
	name, _, ok = strings.Cut(text[i+len(" for flag -"):], ": ")
	return text[:i], name, ok
}

// kindOf says what is wrong with a value of a flag that can't be parsed.
func kindOf(c *cli.Context, name string) string {
	for _, f := range c.Command.Flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return "is no time; give one such as 500ms, 10s or 1h"
		case *cli.IntFlag:
			return "is not a whole number"
		case *cli.Float64Flag:
			return "is not a number"
		}
	}
	return "is not a value of this flag"
}

// dashed writes a flag as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// noArguments refuses arguments that are no flags. The library stops reading
// flags at the first of them, so that what follows would silently not count.
func noArguments(c *cli.Context) error {
	if c.NArg() == 0 {
		return nil
	}
	return surplus(c, 0)
}

// surplus is the error about the first argument beyond the accepted ones.
func surplus(c *cli.Context, accepted int) error {
	args := c.Args().Slice()
	arg := args[accepted]
	// An accepted one may have been meant as the flag whose value is too many.
	for i := 1; i <= accepted; i++ {
		if strings.HasPrefix(args[i], "-") && args[i] != "-" {
			return usagef(c, "%s stands after the argument %q; flags come before arguments", args[i], args[i-1])
		}
	}
	text := fmt.Sprintf("%s takes no argument %q", commandWords(c), arg)
	if accepted > 0 {
		text = fmt.Sprintf("%s takes no further argument %q", commandWords(c), arg)
	} else if t, err := meter.ParseTarget(arg); err == nil && t.Kind != meter.Named && hasFlag(c.Command, "device") {
		text += "; a meter is given as --device " + arg
	}
	return usagef(c, "%s", text)
}

func hasFlag(c *cli.Command, name string) bool {
	for _, f := range c.Flags {
		for _, n := range f.Names() {
			if n == name {
				return true
			}
		}
	}
	return false
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
