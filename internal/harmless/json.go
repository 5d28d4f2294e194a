package harmless

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns JSON text with whatever is not visible in it, line feeds apart, written
// as JSON's escapes, which mean the same. The text has to be UTF-8, as an encoder
// writes it: that leaves some control characters as they are, and those that set the
// writing direction.
func JSON(text []byte) []byte {
	if Check(string(text)) == nil {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || strconv.IsGraphic(r):
			b.Write(text[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.Bytes()
}
