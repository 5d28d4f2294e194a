package watch

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// fit cuts a text to so many columns.
func fit(text string, columns int) string {
	mark := "..."
	if columns < 6 {
		mark = ""
	}
	return ansi.Truncate(text, max(columns, 0), mark)
}

// width returns how many columns a text takes.
func width(text string) int { return ansi.StringWidth(text) }

// parts joins as many texts as fit, the first ones first, and leaves out those that
// do not.
func parts(columns int, texts ...string) string {
	var b strings.Builder
	used := 0
	for _, t := range texts {
		n := width(t)
		if n == 0 {
			continue
		}
		if used > 0 {
			if used+2+n > columns {
				continue
			}
			b.WriteString("  ")
			used += 2
		}
		b.WriteString(t)
		used += n
	}
	return fit(b.String(), columns)
}

// apart puts two texts at both ends of a line. The right one is cut last.
func apart(left, right string, columns int) string {
	right = fit(right, columns)
	left = fit(left, columns-width(right)-2)
	return left + strings.Repeat(" ", max(columns-width(left)-width(right), 0)) + right
}

// watts writes a power in the digits that a person can follow, without its unit.
func watts(p float64) string {
	switch a := math.Abs(p); {
	case math.IsNaN(p):
		return "--"
	case a < 99.995:
		return strconv.FormatFloat(p, 'f', 2, 64)
	case a < 999.95:
		return strconv.FormatFloat(p, 'f', 1, 64)
	}
	return strconv.FormatFloat(p, 'f', 0, 64)
}

// digits writes a value with so many significant digits, none of them lost before
// the point.
func digits(v float64, n int) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', max(n-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), 64)
}

// seconds writes a short time.
func seconds(d time.Duration) string {
	if d >= time.Minute {
		return clock(d)
	}
	return digits(d.Seconds(), 2) + " s"
}

// clock writes a time as minutes and seconds, with hours where it has some.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// milliseconds writes the delay of a link.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// percent writes a share.
func percent(share float64) string { return digits(100*share, 2) + " %" }

const clockTime = "15:04:05"
