// Package harmless makes text from outside harmless to show and to store: names
// that devices give themselves, which anybody in radio range can choose, and
// what other programs wrote.
//
// A control or escape character in it could drive a terminal or end a line, an
// override of the writing direction or an invisible character make it look like
// something else (Unicode Technical Report 36, Unicode Security Considerations).
package harmless

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text returns s with everything that is not visible written as a Go escape:
// \x1b, \n, \u202e; bytes that are no UTF-8 as \xff. Letters, marks, numbers,
// punctuation, symbols and spaces of any script stay as they are, so text
// without anything else is returned unchanged. The result is visible itself.
func Text(s string) string {
	if Check(s) == nil {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if shown(r, size) {
			b.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// Errors of Check.
var (
	errUTF8    = errors.New("it is not UTF-8")
	errControl = errors.New("it has invisible characters")
)

// Check returns what is wrong with a text that Text would change.
func Check(s string) error {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			return errUTF8
		case !shown(r, size):
			return errControl
		}
		s = s[size:]
	}
	return nil
}

// shown reports whether a rune of so many bytes can be shown as it is. The
// format characters, which those that set the writing direction are among, and
// the separators of lines are not graphic.
func shown(r rune, size int) bool {
	return strconv.IsGraphic(r) && !(r == utf8.RuneError && size == 1)
}

// Lines makes a text harmless but for its line ends: names of files are in
// many, and not all files are the user's own.
func Lines(text string) string {
	if Check(text) == nil {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = Text(l)
	}
	return strings.Join(lines, "\n")
}
