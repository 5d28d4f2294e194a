package watch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"powerspy2/measure"
)

// chartLines draws the chart with its axes in so many rows, at least leastChart.
func (m *Model) chartLines(now time.Time, rows int) []string {
	names := rows >= leastChart+2
	plot := rows - 1
	if names {
		plot--
	}
	const gutter = 8
	cells := m.width - gutter - 1
	if cells < 4 {
		return make([]string, rows)
	}
	perCell := 1
	if m.config.UTF8 {
		perCell = 2
	}
	each := max((m.span / time.Duration(cells*perCell)).Round(slotTime), slotTime)
	columns, start := m.seen.columns(now, cells*perCell, each)
	start = start.In(now.Location())
	s := newScale(columns, m.fromZero)
	var drawn []string
	if m.config.UTF8 {
		drawn = drawBraille(columns, s, plot)
	} else {
		drawn = drawASCII(columns, s, plot)
	}
	labels := s.labels(plot)
	bar := m.choose("│", "|")
	lines := make([]string, 0, rows)
	for i, d := range drawn {
		lines = append(lines, fmt.Sprintf("%*s", gutter, labels[i])+bar+m.in(graph, strings.TrimRight(d, " ")))
	}
	perColumn := each * time.Duration(perCell)
	marks := m.seen.marksIn(start)
	lines = append(lines, fmt.Sprintf("%*s", gutter, spanText(perColumn*time.Duration(cells)))+m.axis(columns, marks, start, perColumn, cells))
	if names {
		lines = append(lines, strings.Repeat(" ", gutter+1)+strings.TrimRight(markNames(marks, start, perColumn, cells), " "))
	}
	return lines
}

// spanText writes the time that a chart has.
func spanText(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// labels returns what stands left of each row: the round power that is there. Both
// ends have one, and no two stand in adjacent rows.
func (s scale) labels(rows int) []string {
	list := make([]string, rows)
	decimals := max(0, -int(math.Floor(math.Log10(s.step)+1e-9)))
	put := func(v float64) {
		list[rows-1-s.dot(v, rows)] = strconv.FormatFloat(v, 'f', decimals, 64) + " W"
	}
	put(s.low)
	put(s.high)
	for v := s.low + s.step; v < s.high-s.step/2; v += s.step {
		row := rows - 1 - s.dot(v, rows)
		if row > 1 && row < rows-2 && list[row-1] == "" && list[row] == "" && list[row+1] == "" {
			put(v)
		}
	}
	return list
}

// axis draws the axis of time, with gaps and marks.
func (m *Model) axis(columns []column, marks []measure.Mark, start time.Time, each time.Duration, cells int) string {
	line := []rune(strings.Repeat(m.choose("─", "-"), cells))
	for _, mark := range marks {
		if x := int(mark.Time.Sub(start) / each); x >= 0 && x < cells {
			line[x] = '^'
		}
	}
	per := len(columns) / cells
	for i, c := range columns {
		if c.gap {
			line[i/per] = 'x'
		}
	}
	return m.choose("└", "+") + string(line)
}

// markNames writes the names of marks below their places, the last ones first, as
// far as there is room, and when the chart begins.
func markNames(marks []measure.Mark, start time.Time, each time.Duration, cells int) string {
	line := make([]string, cells)
	put := func(x int, text string) bool {
		n := width(text)
		if x < 0 || x+n > cells {
			return false
		}
		for i := max(x-1, 0); i < min(x+n+1, cells); i++ {
			if line[i] != "" {
				return false
			}
		}
		for g := uniseg.NewGraphemes(text); g.Next(); {
			line[x] = g.Str()
			for i := 1; i < width(g.Str()); i++ {
				line[x+i] = "\x00" // it is part of the one before
			}
			x += max(width(g.Str()), 1)
		}
		return true
	}
	const longestName = 20
	for _, mark := range slices.Backward(marks) {
		x := int(mark.Time.Sub(start) / each)
		name := fit(mark.Name, longestName)
		if mark.End {
			name = "end"
		}
		if !put(x, "^"+name) {
			put(x-width(name), name+"^")
		}
	}
	put(0, start.Format(clockTime))
	var b strings.Builder
	for _, cell := range line {
		switch cell {
		case "":
			b.WriteByte(' ')
		case "\x00":
		default:
			b.WriteString(cell)
		}
	}
	return b.String()
}
