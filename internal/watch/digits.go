package watch

import "strings"

// glyphs are digits of three by five dots, a row after the other.
var glyphs = map[rune][5]string{
	'0': {"###", "# #", "# #", "# #", "###"},
	'1': {"  #", "  #", "  #", "  #", "  #"},
	'2': {"###", "  #", "###", "#  ", "###"},
	'3': {"###", "  #", "###", "  #", "###"},
	'4': {"# #", "# #", "###", "  #", "  #"},
	'5': {"###", "#  ", "###", "  #", "###"},
	'6': {"###", "#  ", "###", "# #", "###"},
	'7': {"###", "  #", "  #", "  #", "  #"},
	'8': {"###", "# #", "###", "# #", "###"},
	'9': {"###", "# #", "###", "  #", "###"},
	'-': {"   ", "   ", "###", "   ", "   "},
	'.': {" ", " ", " ", " ", "#"},
	' ': {"   ", "   ", "   ", "   ", "   "},
}

// segments are the same in three rows of ASCII.
var segments = map[rune][3]string{
	'0': {" _ ", "| |", "|_|"},
	'1': {"   ", "  |", "  |"},
	'2': {" _ ", " _|", "|_ "},
	'3': {" _ ", " _|", " _|"},
	'4': {"   ", "|_|", "  |"},
	'5': {" _ ", "|_ ", " _|"},
	'6': {" _ ", "|_ ", "|_|"},
	'7': {" _ ", "  |", "  |"},
	'8': {" _ ", "|_|", "|_|"},
	'9': {" _ ", "|_|", " _|"},
	'-': {"   ", " _ ", "   "},
	'.': {" ", " ", "."},
	' ': {"   ", "   ", "   "},
}

// large returns the rows of a number in large digits: three rows for a size of 0,
// five times size rows otherwise, with dots twice as wide as high, so that they
// look square.
func large(text string, size int, utf8 bool) []string {
	switch {
	case size == 0 && utf8:
		return halves(dots(text))
	case size == 0:
		rows := make([]string, 3)
		for _, r := range text {
			for i := range rows {
				rows[i] += segments[r][i]
			}
		}
		return rows
	}
	full := "#"
	if utf8 {
		full = "█"
	}
	var rows []string
	for _, row := range dots(text) {
		var b strings.Builder
		for _, dot := range row {
			if dot == ' ' {
				b.WriteString(strings.Repeat(" ", 2*size))
			} else {
				b.WriteString(strings.Repeat(full, 2*size))
			}
		}
		for range size {
			rows = append(rows, b.String())
		}
	}
	return rows
}

// dots returns a number in rows of dots.
func dots(text string) [5]string {
	var rows [5]string
	for i, r := range text {
		for y := range rows {
			if i > 0 {
				rows[y] += " "
			}
			rows[y] += glyphs[r][y]
		}
	}
	return rows
}

// halves draws two rows of dots in one.
func halves(rows [5]string) []string {
	blocks := [2][2]rune{{' ', '▄'}, {'▀', '█'}}
	lines := make([]string, 0, 3)
	for y := 0; y < len(rows); y += 2 {
		var b strings.Builder
		for x := range rows[y] {
			above, below := 0, 0
			if rows[y][x] != ' ' {
				above = 1
			}
			if y+1 < len(rows) && rows[y+1][x] != ' ' {
				below = 1
			}
			b.WriteRune(blocks[above][below])
		}
		lines = append(lines, b.String())
	}
	return lines
}
