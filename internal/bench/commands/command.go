package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"powerspy2/internal/bench"
)

// A Command is a command line with the values of its parameters.
type Command struct {
	Line       string            // with its values
	Name       string            // as it is shown
	Parameters map[string]string // values by name; nil: none
}

// Number returns how many commands so many lines make with all values of their
// parameters. It is refused where they would be more than [bench.MaxCommands].
func Number(lines int, parameters []Parameter) (int, error) {
	total := lines
	for _, p := range parameters {
		if len(p.Values) > bench.MaxCommands/total {
			return 0, fmt.Errorf("the parameters make more than %d commands", bench.MaxCommands)
		}
		total *= len(p.Values)
	}
	return total, nil
}

// Expand returns the commands for all values, the commands of a value one after the
// other, with their names: the first ones have those of names, or with parameters all
// have the only one. The error is that of [Number].
func Expand(lines, names []string, parameters []Parameter) ([]Command, error) {
	total, err := Number(len(lines), parameters)
	if err != nil {
		return nil, err
	}
	list := make([]Command, total)
	for i := range list {
		line := lines[i%len(lines)]
		c := Command{Line: line}
		rest := i / len(lines)
		for _, p := range parameters {
			if c.Parameters == nil {
				c.Parameters = map[string]string{}
			}
			c.Parameters[p.Name] = p.Values[rest%len(p.Values)]
			rest /= len(p.Values)
		}
		shown := line
		switch {
		case i < len(names):
			shown = names[i]
		case len(names) == 1 && len(parameters) > 0:
			shown = names[0]
		}
		c.Line, c.Name = c.fill(line), c.fill(shown)+c.hidden(shown)
		list[i] = c
	}
	return list, nil
}

// fill puts the values into a text. What a value has is no parameter.
func (c *Command) fill(text string) string {
	if len(c.Parameters) == 0 {
		return text
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		pairs = append(pairs, "{"+name+"}", c.Parameters[name])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// hidden tells the values that a text does not show.
func (c *Command) hidden(text string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		if !strings.Contains(text, "{"+name+"}") {
			list = append(list, name+" = "+c.Parameters[name])
		}
	}
	if list == nil {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}
