package output

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Unit says how a number is written: its name, how many of it make one watt
// or one joule, and whether it counts power or energy.
type Unit struct {
	Name   string
	PerOne float64 // units in one watt (or joule): 1e6 for uW
	Energy bool    // joules rather than watts
}

// Units a reading can be written in.
var (
	Microwatt  = Unit{Name: "uW", PerOne: 1e6}
	Milliwatt  = Unit{Name: "mW", PerOne: 1e3}
	Watt       = Unit{Name: "W", PerOne: 1}
	Microjoule = Unit{Name: "uJ", PerOne: 1e6, Energy: true}
	Millijoule = Unit{Name: "mJ", PerOne: 1e3, Energy: true}
	Joule      = Unit{Name: "J", PerOne: 1, Energy: true}
)

var units = [...]Unit{Microwatt, Milliwatt, Watt, Microjoule, Millijoule, Joule}

// UnitNames returns the names that ParseUnit accepts.
func UnitNames() []string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.Name
	}
	return names
}

// ParseUnit finds a unit by its name. Case counts: mW and MW are a factor of a
// thousand million apart.
func ParseUnit(name string) (Unit, error) {
	for _, u := range units {
		if u.Name == name {
			return u, nil
		}
	}
	return Unit{}, fmt.Errorf("unit %q is not one of %s", name, strings.Join(UnitNames(), ", "))
}

// decimals is the number of decimals written for W and J, so that they carry
// as much as uW and uJ do.
const decimals = 6

// append writes v, which is in watts or joules, in the unit: an integer for the
// micro and milli units, decimals for W and J. A negative value keeps its sign;
// one that rounds to zero has none.
func (u Unit) append(b []byte, v float64, decimals int) []byte {
	if u.PerOne > 1 {
		return appendFixed(b, v*u.PerOne, 0)
	}
	return appendFixed(b, v, decimals)
}

var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6}

// appendFixed writes a finite v with up to six decimals, always all of them, and
// without a negative zero.
func appendFixed(b []byte, v float64, decimals int) []byte {
	// Through an integer it takes a tenth of the time that package strconv
	// needs for a fixed number of decimals.
	const exact = 1 << 53
	n := math.Round(math.Abs(v) * powersOfTen[decimals])
	if n >= exact {
		return strconv.AppendFloat(b, v, 'f', decimals, 64)
	}
	if v < 0 && n > 0 {
		b = append(b, '-')
	}
	return appendPoint(b, uint64(n), decimals)
}
