// Package screen knows what a terminal can show: how wide it is, and whether it knows
// escape sequences.
package screen

import (
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// Columns returns a function that asks the terminal f for its columns: its window
// may be resized. They are 0 where they are not known.
func Columns(f *os.File) func() int {
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}

// Dumb says whether a terminal knows no escape sequences, as TERM has it.
func Dumb(getenv func(string) string) bool {
	kind := getenv("TERM")
	return kind == "" || kind == "dumb"
}

// CutMark ends a text that was cut.
const CutMark = "..."

// Fit cuts a text to so many columns of a terminal; 0: any.
func Fit(text string, columns int) string {
	if columns <= 0 || uniseg.StringWidth(text) <= columns {
		return text
	}
	mark := CutMark[:min(len(CutMark), columns)]
	room := columns - len(mark)
	var b strings.Builder
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if room -= g.Width(); room < 0 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + mark
}

// FitLines is Fit for each line of a table. A terminal wraps a line that fills it.
func FitLines(text string, columns int) string {
	if columns <= 1 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Fit(line, columns-1)
	}
	return strings.Join(lines, "\n")
}
