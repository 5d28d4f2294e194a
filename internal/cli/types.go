package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Type is a kind of value.
type Type interface {
	// Noun is what an error calls it, such as "duration".
	Noun() string
	// Use is what an error advises to use, such as "for example 10s, 5m".
	Use() string
	// Parse returns the value. An error says what is wrong with the text, such as
	// "it is negative", or is ErrInvalid.
	Parse(text string) (any, error)
	// Words are values to choose from, or examples, for completion.
	Words() []string
}

// ErrInvalid is a text that is wrong in a way that Use shows.
var ErrInvalid = errors.New("")

// A Duration is a time.Duration, with its unit.
type Duration struct {
	Examples string        // "250ms, 1s, 10s", of which an error has two; may be empty
	Zero     bool          // 0 is one, too
	Bare     time.Duration // the unit of a number without one; 0: that is refused
	Most     time.Duration // 0: any
}

// Noun implements Type.
func (Duration) Noun() string { return "duration" }

// Use implements Type.
func (d Duration) Use() string {
	words := d.Words()
	return "for example " + strings.Join(words[:min(2, len(words))], ", ")
}

// Words implements Type.
func (d Duration) Words() []string {
	if d.Examples == "" {
		return []string{"500ms", "10s", "1h"}
	}
	return strings.Split(d.Examples, ", ")
}

// Parse implements Type.
func (d Duration) Parse(text string) (any, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xXpPnNiI_") {
		switch {
		case d.Bare != 0:
			text = strconv.FormatFloat(n, 'f', -1, 64) + bareUnits[d.Bare]
		case n != 0 || !d.Zero:
			return nil, errors.New("its unit is missing")
		}
	}
	v, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return nil, ErrInvalid
	case v < 0:
		return nil, errors.New("it is negative")
	case v == 0 && !d.Zero:
		return nil, errors.New("it is zero")
	case d.Most != 0 && v > d.Most:
		return nil, fmt.Errorf("it is more than %v", d.Most)
	}
	return v, nil
}

var bareUnits = map[time.Duration]string{time.Millisecond: "ms", time.Second: "s"}

// A Count is an int.
type Count struct {
	Min, Max int    // Max 0: there is no upper bound
	Of       string // what is counted: "mains periods"; may be empty
}

// Noun implements Type.
func (Count) Noun() string { return "number" }

// Use implements Type.
func (n Count) Use() string {
	what := "a whole number"
	if n.Of != "" {
		what += " of " + n.Of
	}
	if n.Max == 0 {
		return fmt.Sprintf("%s, %d or more", what, n.Min)
	}
	return fmt.Sprintf("%s from %d to %d", what, n.Min, n.Max)
}

// Words implements Type.
func (Count) Words() []string { return nil }

// Parse implements Type.
func (n Count) Parse(text string) (any, error) {
	v, err := strconv.Atoi(text)
	if err != nil || v < n.Min || n.Max != 0 && v > n.Max {
		return nil, ErrInvalid
	}
	return v, nil
}

// A Number is a finite float64 above 0.
type Number struct{}

// Noun implements Type.
func (Number) Noun() string { return "number" }

// Use implements Type.
func (Number) Use() string { return "a number above 0" }

// Words implements Type.
func (Number) Words() []string { return nil }

// Parse implements Type.
func (Number) Parse(text string) (any, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return nil, ErrInvalid
	}
	return v, nil
}

// A Choice is one of some words.
type Choice []string

// Noun implements Type.
func (Choice) Noun() string { return "value" }

// Use implements Type.
func (c Choice) Use() string { return oneOf(c) }

// Words implements Type.
func (c Choice) Words() []string { return c }

// Parse implements Type.
func (c Choice) Parse(text string) (any, error) {
	if !slices.Contains(c, text) {
		return nil, ErrInvalid
	}
	return text, nil
}

// oneOf lists words: "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// A Text is a string that is not empty.
type Text struct {
	Suggest func() []string // for completion; nil: none
}

// Noun implements Type.
func (Text) Noun() string { return "value" }

// Use implements Type.
func (Text) Use() string { return "a text that is not empty" }

// Words implements Type.
func (t Text) Words() []string {
	if t.Suggest == nil {
		return nil
	}
	return t.Suggest()
}

// Parse implements Type.
func (Text) Parse(text string) (any, error) {
	if text == "" {
		return nil, ErrInvalid
	}
	return text, nil
}

// A File is the path of a file, which shells complete.
type File struct{ Text }

// Use implements Type.
func (File) Use() string { return "the name of a file" }

// onOff is what a switch takes.
type onOff struct{}

func (onOff) Noun() string    { return "value" }
func (onOff) Use() string     { return "true or false" }
func (onOff) Words() []string { return []string{"true", "false"} }

func (onOff) Parse(text string) (any, error) {
	v, err := strconv.ParseBool(text)
	if err != nil {
		return nil, ErrInvalid
	}
	return v, nil
}
