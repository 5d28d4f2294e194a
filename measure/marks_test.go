package measure

import (
	"errors"
	"strings"
	"testing"
)

func TestMarkCheck(t *testing.T) {
	for _, m := range []Mark{{Name: "x"}, {Name: "warm up, Größe 2"}, {Name: strings.Repeat("x", MaxMarkName)}, {End: true}} {
		if err := m.Check(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
	for _, m := range []Mark{{}, {Name: "a\nb"}, {Name: "\x1b[2J"}, {Name: "a\tb"}, {Name: "\u202eb"}, {Name: "\xff"},
		{Name: strings.Repeat("x", MaxMarkName+1)}, {Name: "x", End: true}} {
		if err := m.Check(); !errors.Is(err, ErrMark) {
			t.Errorf("%+v: got %v", m, err)
		}
	}
}
