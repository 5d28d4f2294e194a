package mqtt

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"powerspy2/internal/harmless"
)

// Topics.
const (
	prefix          = "powerspy/"
	discoveryPrefix = "homeassistant/sensor/"
	birth           = "homeassistant/status" // where Home Assistant says online when it starts
)

// What a meter's state is.
const (
	online  = "online"
	offline = "offline"
)

// Level returns a name as one level of a topic: what would separate levels, match
// others or not show is written as %XX, and so is %. Different names are different
// levels.
func Level(name string) string {
	var b strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		if strings.ContainsRune("/+#%", r) || harmless.Check(name[:size]) != nil {
			for _, c := range []byte(name[:size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(name[:size])
		}
		name = name[size:]
	}
	return b.String()
}

// objectID returns a name in the letters that Home Assistant allows in its topics:
// whatever is not one of A-Z, a-z, 0-9 and - is written as _XX. Different names
// have different ones.
func objectID(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02X", c)
		}
	}
	return b.String()
}
