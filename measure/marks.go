package measure

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Mark is a named moment of a measurement. The phase of that name goes from it
// to the next mark, or to a mark that is an end.
type Mark struct {
	Time time.Time
	Name string // empty for an End
	End  bool   // the phase under way ends, and none begins
}

// MaxMarkName bounds the name of a mark, in bytes.
const MaxMarkName = 200

// ErrMark is matched by the errors of [Mark.Check].
var ErrMark = errors.New("not a name for a mark")

// Check says what is wrong with the name: a mark that is no end has one, of up to
// [MaxMarkName] bytes of UTF-8, all of it visible or a space. Errors
// match [ErrMark].
func (m *Mark) Check() error {
	switch {
	case m.End && m.Name == "":
		return nil
	case m.End:
		return fmt.Errorf("%w: an end has none", ErrMark)
	case m.Name == "":
		return fmt.Errorf("%w: it is empty", ErrMark)
	case len(m.Name) > MaxMarkName:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrMark, MaxMarkName)
	case !utf8.ValidString(m.Name):
		return fmt.Errorf("%w: it is not UTF-8", ErrMark)
	}
	for _, r := range m.Name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: %q has characters that can't be seen", ErrMark, m.Name)
		}
	}
	return nil
}
