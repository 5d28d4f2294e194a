package shell

import (
	"errors"
	"strings"
)

// Errors of Split.
var (
	ErrQuote = errors.New("a quote is not closed")
	ErrNone  = errors.New("it has no word")
)

// Split splits a line into the words that a shell would make of it, at least one.
// Quotes and backslashes are as POSIX has them (Shell Command Language, 2.2); nothing
// is expanded, and all other characters stand for themselves.
func Split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	begun := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		escaped := c == '\\' && quote != '\'' && i+1 < len(line) && (quote == 0 || strings.IndexByte("$`\"\\\n", line[i+1]) >= 0)
		switch {
		case escaped:
			if i++; line[i] != '\n' { // else the line goes on
				word.WriteByte(line[i])
				begun = true
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	switch {
	case quote != 0:
		return nil, ErrQuote
	case begun:
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, ErrNone
	}
	return words, nil
}
