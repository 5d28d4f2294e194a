package watch

import (
	"math"
	"strings"
)

// A scale is the vertical axis of a chart.
type scale struct {
	low, high float64 // W at the middle of the lowest and of the highest dot
	step      float64 // a round number: low and high are multiples of it
}

// newScale returns a scale with round ends that has all columns in it.
func newScale(columns []column, fromZero bool) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range columns {
		if c.seen {
			low, high = min(low, c.low), max(high, c.high)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	if fromZero {
		low, high = min(low, 0), max(high, 0)
	}
	// A power that does not change is no reason to look at its last digit.
	if least := max(math.Abs(high)/100, 0.1); high-low < least {
		middle := (low + high) / 2
		low, high = middle-least/2, middle+least/2
		if fromZero {
			low, high = min(low, 0), max(high, 0)
		}
	}
	step := round125((high - low) / 5)
	return scale{math.Floor(low/step) * step, math.Ceil(high/step) * step, step}
}

// round125 returns the next higher of 1, 2, 5, 10, 20 ...
func round125(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*unit*(1+1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}

// dot returns which of n dots, from the lowest, a power is at.
func (s scale) dot(power float64, n int) int {
	at := (power - s.low) / (s.high - s.low) * float64(n-1)
	return min(max(int(math.Round(at)), 0), n-1)
}

// gapCell fills a place of a chart where nothing was measured, in Unicode or in
// ASCII.
const gapCell, gapCellASCII = '░', ':'

// empty is the Braille pattern without dots.
const empty = '\u2800'

// drawBraille draws two columns a character, four dots a row: the range of each
// column, joined with the one before.
func drawBraille(columns []column, s scale, rows int) []string {
	width := len(columns) / 2
	dots := rows * 4
	cells := make([][]rune, rows)
	for i := range cells {
		cells[i] = []rune(strings.Repeat(string(empty), width))
	}
	bits := [4][2]rune{{0x40, 0x80}, {0x04, 0x20}, {0x02, 0x10}, {0x01, 0x08}} // from the lowest
	last, joined := column{}, false
	for i := range 2 * width {
		c := columns[i]
		if !c.seen {
			joined = false
			continue
		}
		low, high := c.low, c.high
		if joined {
			low, high = min(low, last.high), max(high, last.low)
		}
		for d := s.dot(low, dots); d <= s.dot(high, dots); d++ {
			cells[rows-1-d/4][i/2] |= bits[d%4][i%2]
		}
		last, joined = c, true
	}
	for x := range width {
		if a, b := columns[2*x], columns[2*x+1]; !a.seen && !b.seen && (a.gap || b.gap) {
			for y := range cells {
				cells[y][x] = gapCell
			}
		}
	}
	for _, row := range cells {
		for x, r := range row {
			if r == empty {
				row[x] = ' '
			}
		}
	}
	return join(cells)
}

// drawASCII draws a column a character: the range of each.
func drawASCII(columns []column, s scale, rows int) []string {
	cells := make([][]rune, rows)
	for i := range cells {
		cells[i] = []rune(strings.Repeat(" ", len(columns)))
	}
	for x, c := range columns {
		switch {
		case c.seen:
			low, high := s.dot(c.low, rows), s.dot(c.high, rows)
			for y := low; y <= high; y++ {
				cells[rows-1-y][x] = '|'
			}
			if low == high {
				cells[rows-1-low][x] = '-'
			}
		case c.gap:
			for y := range cells {
				cells[y][x] = gapCellASCII
			}
		}
	}
	return join(cells)
}

func join(cells [][]rune) []string {
	lines := make([]string, len(cells))
	for i, row := range cells {
		lines[i] = string(row)
	}
	return lines
}
