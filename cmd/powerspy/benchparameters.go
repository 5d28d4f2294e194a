package main

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"powerspy2/internal/bench"
)

// The parameters of bench, with hyperfine's meaning: {NAME} stands for a value in the
// command, its name, and what is run around it.

// A parameter is a name and its values.
type parameter struct {
	name   string
	values []string
}

// mostValues bounds the values of a parameter.
const mostValues = 100_000

// Errors of parameters.
var (
	errReversed = errors.New("it ends before it begins")
	errStep     = errors.New("its step is not above 0")
	errNoStep   = errors.New("it has decimals, and no step")
	errTooMany  = fmt.Errorf("it has more than %d values", mostValues)
)

// scan returns the values from least to most. Numbers are decimal, and have the
// decimals of the step: 0.5, 0.75, 1.00. step may be empty for whole numbers.
func scan(least, most, step string) ([]string, error) {
	var numbers [3]*big.Int
	decimals := 0
	texts := [...]string{least, most, step}
	for i, text := range texts {
		if i == 2 && text == "" {
			continue
		}
		if !decimalNumber.MatchString(text) {
			return nil, fmt.Errorf("%q is no decimal number", text)
		}
		decimals = max(decimals, places(text))
	}
	if step == "" {
		if decimals > 0 {
			return nil, errNoStep
		}
		texts[2] = "1"
	}
	for i, text := range texts {
		whole, part, _ := strings.Cut(text, ".")
		numbers[i], _ = new(big.Int).SetString(whole+part+strings.Repeat("0", decimals-places(text)), 10)
	}
	from, to, by := numbers[0], numbers[1], numbers[2]
	switch {
	case by.Sign() <= 0:
		return nil, errStep
	case to.Cmp(from) < 0:
		return nil, errReversed
	}
	// How many steps there are.
	n := new(big.Int).Sub(to, from)
	if n.Div(n, by); !n.IsInt64() || n.Int64() >= mostValues {
		return nil, errTooMany
	}
	var values []string
	shown := places(least) // the first value is as it was given
	for v := from; v.Cmp(to) <= 0; v = new(big.Int).Add(v, by) {
		values = append(values, decimalText(v, decimals, shown))
		shown = max(places(least), places(texts[2]))
	}
	return values, nil
}

// decimalNumber has at most so many digits that nobody waits for it.
var decimalNumber = regexp.MustCompile(`^[+-]?[0-9]{1,18}(\.[0-9]{1,18})?$`)

// places returns how many decimals a number has.
func places(number string) int {
	_, part, _ := strings.Cut(number, ".")
	return len(part)
}

// decimalText writes v / 10^decimals with so many decimals as are shown. Those that
// are not are zero.
func decimalText(v *big.Int, decimals, shown int) string {
	text := new(big.Int).Abs(v).String()
	if n := decimals + 1 - len(text); n > 0 {
		text = strings.Repeat("0", n) + text
	}
	whole, part := text[:len(text)-decimals], text[len(text)-decimals:]
	if part = part[:shown]; part != "" {
		whole += "." + part
	}
	if v.Sign() < 0 {
		return "-" + whole
	}
	return whole
}

// listed splits a list at its commas. \, and \\ stand for themselves.
func listed(text string) []string {
	var values []string
	var value strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == ',' || text[i+1] == '\\'):
			i++
			value.WriteByte(text[i])
		case c == ',':
			values = append(values, value.String())
			value.Reset()
		default:
			value.WriteByte(c)
		}
	}
	return append(values, value.String())
}

// A benchCommand is a command with the values of its parameters.
type benchCommand struct {
	line       string            // with its values
	name       string            // as it is shown
	parameters map[string]string // nil: none
}

// expand returns the commands for all values, the commands of a value one after the
// other, with their names. It is refused where they would be too many.
func expand(lines, names []string, parameters []parameter) ([]benchCommand, error) {
	total := len(lines)
	for _, p := range parameters {
		if len(p.values) > bench.MaxCommands/total {
			return nil, fmt.Errorf("the parameters make more than %d commands", bench.MaxCommands)
		}
		total *= len(p.values)
	}
	switch {
	case len(parameters) == 0 && len(names) > total:
		return nil, fmt.Errorf("--command-name is given more often (%d) than there are commands (%d)", len(names), total)
	case len(parameters) > 0 && len(names) > 1 && len(names) != total:
		return nil, fmt.Errorf("--command-name is given %d times; with parameters give it once, or for each of the %d commands", len(names), total)
	}
	list := make([]benchCommand, total)
	for i := range list {
		line := lines[i%len(lines)]
		c := benchCommand{line: line}
		rest := i / len(lines)
		for _, p := range parameters {
			if c.parameters == nil {
				c.parameters = map[string]string{}
			}
			c.parameters[p.name] = p.values[rest%len(p.values)]
			rest /= len(p.values)
		}
		shown := line
		switch {
		case i < len(names):
			shown = names[i]
		case len(names) == 1 && len(parameters) > 0:
			shown = names[0]
		}
		c.line, c.name = c.fill(line), c.fill(shown)+c.hidden(shown)
		list[i] = c
	}
	return list, nil
}

// fill puts the values into a text. What a value has is no parameter.
func (c *benchCommand) fill(text string) string {
	if len(c.parameters) == 0 {
		return text
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(c.parameters)) {
		pairs = append(pairs, "{"+name+"}", c.parameters[name])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// hidden tells the values that a text does not show.
func (c *benchCommand) hidden(text string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.parameters)) {
		if !strings.Contains(text, "{"+name+"}") {
			list = append(list, name+" = "+c.parameters[name])
		}
	}
	if list == nil {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}
