package commands

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// A Parameter is a name and its values, with hyperfine's meaning: {NAME} stands for a
// value in the command, its name, and what is run around it.
type Parameter struct {
	Name   string
	Values []string
}

// mostValues bounds the values of a parameter.
const mostValues = 100_000

// Errors of Scan.
var (
	ErrReversed = errors.New("it ends before it begins")
	ErrStep     = errors.New("its step is not above 0")
	ErrNoStep   = errors.New("it has decimals, and no step")
	ErrTooMany  = fmt.Errorf("it has more than %d values", mostValues)
)

// Scan returns the values from least to most. Numbers are decimal, and have the
// decimals of the step: 0.5, 0.75, 1.00. step may be empty for whole numbers. Errors
// match one of those above, or say which number is none.
func Scan(least, most, step string) ([]string, error) {
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
			return nil, ErrNoStep
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
		return nil, ErrStep
	case to.Cmp(from) < 0:
		return nil, ErrReversed
	}
	// How many steps there are.
	n := new(big.Int).Sub(to, from)
	if n.Div(n, by); !n.IsInt64() || n.Int64() >= mostValues {
		return nil, ErrTooMany
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

// List splits a list at its commas. \, and \\ stand for themselves.
func List(text string) []string {
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
