package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/energy"
)

// What run and its kin take for their flags.

// A baselineSource says what --baseline subtracts.
type baselineSource struct {
	given   bool          // a power
	power   float64       // W
	measure time.Duration // measured, for so long
	path    string        // of a file
}

// usualBaseline is how long the idle machine is measured before a job.
const usualBaseline = 30 * time.Second

// leastBaseline is what a mean with an uncertainty needs.
const leastBaseline = 3 * time.Second

// baselineValue is a power in W, the name of a file, measure, or none.
type baselineValue struct{}

func (baselineValue) Noun() string { return "baseline" }
func (baselineValue) Use() string {
	return "a power such as 12.3W, the file of `powerspy baseline`, measure, measure:1m or none"
}
func (baselineValue) Words() []string { return []string{"none", "measure", "measure:1m"} }

func (baselineValue) Parse(text string) (any, error) {
	if text == "none" {
		return baselineSource{}, nil
	}
	if d, ok := strings.CutPrefix(text, "measure"); ok && (d == "" || d[0] == ':') {
		if d == "" {
			return baselineSource{measure: usualBaseline}, nil
		}
		v, err := time.ParseDuration(d[1:])
		switch {
		case err != nil:
			return nil, cli.ErrInvalid
		case v < leastBaseline:
			return nil, fmt.Errorf("it takes at least %v", leastBaseline)
		}
		return baselineSource{measure: v}, nil
	}
	number, watts := strings.CutSuffix(text, "W")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err == nil && watts && !math.IsNaN(v) && !math.IsInf(v, 0):
		return baselineSource{given: true, power: v}, nil
	case err == nil:
		return nil, fmt.Errorf("the unit is missing")
	case text == "":
		return nil, cli.ErrInvalid
	}
	return baselineSource{path: text}, nil
}

// factorValue is an [energy.Factor]. Mass: its unit is g or kg.
type factorValue struct {
	example string
	mass    bool
}

func (v factorValue) Noun() string    { return "factor" }
func (v factorValue) Use() string     { return "for example " + v.example }
func (v factorValue) Words() []string { return []string{v.example} }

var factorPattern = regexp.MustCompile(`^(\p{Sc}?)\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*((?:[\p{L}\p{Sc}][^/\s\d,]*)?)/kWh$`)

func (v factorValue) Parse(text string) (any, error) {
	m := factorPattern.FindStringSubmatch(text)
	if m == nil && strings.Contains(text, ",") {
		return nil, errors.New("decimals are written with a point")
	}
	if m == nil {
		return nil, cli.ErrInvalid
	}
	n, err := strconv.ParseFloat(m[2], 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil, cli.ErrInvalid
	}
	f := energy.Factor{PerKWh: n, Unit: m[1] + m[3], Text: text}
	if v.mass {
		switch f.Unit {
		case "g":
		case "kg":
			f.PerKWh, f.Unit = 1000*n, "g"
		default:
			return nil, fmt.Errorf("its unit is not g/kWh or kg/kWh")
		}
	}
	return f, nil
}

// workValue is [energy.Work], NUMBER=UNIT.
type workValue struct{}

func (workValue) Noun() string    { return "amount of work" }
func (workValue) Use() string     { return "for example 1000=request" }
func (workValue) Words() []string { return []string{"1000=request"} }

func (workValue) Parse(text string) (any, error) {
	number, unit, ok := strings.Cut(text, "=")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n > 0) || math.IsInf(n, 0) || strings.TrimSpace(unit) == "" {
		return nil, cli.ErrInvalid
	}
	return energy.Work{Count: n, Unit: unit}, nil
}

// patternValue is a regular expression with a group.
type patternValue struct{}

func (patternValue) Noun() string { return "pattern" }
func (patternValue) Use() string {
	return "a regular expression with a group for the name, such as 'phase: (.*)'"
}
func (patternValue) Words() []string { return nil }

func (patternValue) Parse(text string) (any, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		if e, ok := err.(*syntax.Error); ok { //nolint:errorlint // it is that one or none
			return nil, fmt.Errorf("%s in %q", e.Code, e.Expr)
		}
		return nil, cli.ErrInvalid
	}
	if re.NumSubexp() == 0 {
		return nil, fmt.Errorf("it has no group")
	}
	return re, nil
}

// usualPhases is what a bare --phases looks for.
var usualPhases = regexp.MustCompile(`__([A-Z0-9_]+)__`)
