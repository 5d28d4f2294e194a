// Package bdaddr holds the six-byte address that names a Bluetooth device or adapter.
package bdaddr

import (
	"fmt"
)

// textLen is the length of an address in text: six pairs of digits and five separators.
const textLen = 17

// An Address is a Bluetooth device address (BD_ADDR) in printed order: Address{0x00, 0x0B, 0xCE, 0x07, 0x1D, 0x32}
// prints as 00:0B:CE:07:1D:32. The kernel (bdaddr_t, include/net/bluetooth/bluetooth.h) and the radio use the reverse
// order; whoever speaks to them turns it round. The zero Address stands for "any" or "none".
type Address [6]byte

// A ParseError says why a text is not an address.
type ParseError struct {
	// Input is the text that was given.
	Input string
	// Reason is what is wrong with it.
	Reason string
}

// Error implements error.
func (e *ParseError) Error() string {
	input := e.Input
	if len(input) > 64 {
		input = input[:64] + "..."
	}
	return fmt.Sprintf("invalid Bluetooth address %q: %s", input, e.Reason)
}

// Parse reads an address written as six pairs of hexadecimal digits, of either case, separated by colons throughout
// (00:0B:CE:07:1D:32) or by dashes throughout (00-0b-ce-07-1d-32). Any other text gives a [*ParseError].
func Parse(s string) (Address, error) {
	if len(s) != textLen {
		return Address{}, &ParseError{Input: s, Reason: "want six pairs of hexadecimal digits such as 00:0B:CE:07:1D:32"}
	}
	separator := s[2]
	if separator != ':' && separator != '-' {
		return Address{}, &ParseError{Input: s, Reason: "the pairs are separated by neither ':' nor '-'"}
	}
	var a Address
	for i := range a {
		high, low := digit(s[3*i]), digit(s[3*i+1])
		if high < 0 || low < 0 {
			return Address{}, &ParseError{Input: s, Reason: fmt.Sprintf("%q is not a pair of hexadecimal digits", s[3*i:3*i+2])}
		}
		if i < len(a)-1 && s[3*i+2] != separator {
			return Address{}, &ParseError{Input: s, Reason: fmt.Sprintf("want %q between all the pairs", separator)}
		}
		a[i] = byte(high<<4 | low)
	}
	return a, nil
}

// digit gives the value of a hexadecimal digit, or -1.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// String gives the address in capitals with colons, as BlueZ prints it: 00:0B:CE:07:1D:32.
func (a Address) String() string {
	return string(a.appendText(make([]byte, 0, textLen)))
}

// IsZero reports whether a is the zero Address.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText implements [encoding.TextMarshaler] with the form of String. The error is always nil.
func (a Address) MarshalText() ([]byte, error) {
	return a.appendText(make([]byte, 0, textLen)), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]; it accepts what Parse accepts; otherwise it leaves a alone and
// returns the *ParseError.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

func (a Address) appendText(b []byte) []byte {
	const digits = "0123456789ABCDEF"
	for i, v := range a {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[v>>4], digits[v&0xf])
	}
	return b
}
