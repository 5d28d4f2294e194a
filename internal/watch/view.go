package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// A style is how a text is shown. What it means is told by the text as well.
type style string

const (
	strong  style = "1"
	power   style = "1;36"
	graph   style = "32"
	fine    style = "32"
	warning style = "1;33"
)

// in shows a text in a style.
func (m *Model) in(s style, text string) string {
	if text == "" {
		return ""
	}
	if !m.config.Color {
		bold, _, _ := strings.Cut(string(s), ";")
		if bold != string(strong) {
			return text
		}
		s = strong
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[m"
}

// choose returns a text in Unicode or in ASCII.
func (m *Model) choose(unicode, ascii string) string {
	if m.config.UTF8 {
		return unicode
	}
	return ascii
}

// View implements [tea.Model].
func (m *Model) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	if m.width <= 0 || m.height <= 0 {
		return v // the size comes first
	}
	lines := m.picture()
	if m.help {
		lines = m.helpLines()
	}
	lines = lines[:min(len(lines), m.height)]
	for i, line := range lines {
		lines[i] = fit(line, m.width)
	}
	v.SetContent(strings.Join(lines, "\n"))
	if m.prompt != nil && !m.help {
		x := width(m.promptLine()) // it ends where the next character goes
		v.Cursor = tea.NewCursor(min(x, m.width-1), len(lines)-1)
	}
	return v
}

// A section is some lines of the picture. One of a higher rank goes first where
// there is no room for all.
type section struct {
	rank  int
	lines []string
}

// leastChart is how many rows a chart needs: with its axis.
const leastChart = 3

// picture returns all lines: a chart takes what the others leave.
func (m *Model) picture() []string {
	now := m.config.Now()
	l := m.seen.look(now)
	m.sums(&l)
	number, side := m.numberLines(&l)
	small := m.small()
	foot := 3
	if m.prompt != nil {
		foot = 0 // what is typed is seen
	}
	sections := []section{
		{1, []string{m.headLine(&l, now)}},
		{9, blank(!small)},
		{0, number},
		{6, electrical(&l, m.width, side)},
		{9, blank(!small)},
		{2, nil}, // the chart
		{2, []string{m.energyLine()}},
		{5, []string{m.rangeLine()}},
		{4, []string{m.linkLine(&l, now, small)}},
		{7, m.phaseLines()},
		{8, m.noteLine(&l, now, small)},
		{foot, []string{m.footLine()}},
	}
	const chart = 5
	left := m.height
	order := make([]int, len(sections))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return sections[a].rank - sections[b].rank })
	rows := 0
	for _, i := range order {
		need := len(sections[i].lines)
		if i == chart {
			need = leastChart
		}
		switch {
		case need <= left && i == chart:
			rows = need
		case need <= left:
		case sections[i].rank == 7: // the last phases, if not all
			sections[i].lines = sections[i].lines[:left]
			need = left
		default:
			sections[i].lines, need = nil, 0
		}
		left -= need
	}
	if rows > 0 {
		sections[chart].lines = m.chartLines(now, rows+left)
	} else {
		sections[chart].lines = make([]string, left) // keeps the foot at the bottom
	}
	var lines []string
	for _, s := range sections {
		lines = append(lines, s.lines...)
	}
	return lines
}

func blank(wanted bool) []string {
	if wanted {
		return []string{""}
	}
	return nil
}

// small reports a terminal in which every line counts.
func (m *Model) small() bool { return m.height < 18 || m.width < 60 }

// Summary says in a line what was measured since the key, for after the picture.
func (m *Model) Summary() string {
	l := m.seen.look(m.config.Now())
	m.lastSums = time.Time{}
	m.sums(&l)
	if m.counted.Covered <= 0 {
		return "nothing was measured"
	}
	ascii := *m
	ascii.config.UTF8 = false
	s := &m.counted
	text := fmt.Sprintf("%s in %s since %s, mean %s W", ascii.joules(s), clock(s.Duration()), s.From.Format(clockTime), watts(s.Power()))
	if cover := coverage(s); cover != "" {
		text += ", " + cover
	}
	if l.gaps > 0 {
		text += fmt.Sprintf("; gaps since the start: %d, %s", l.gaps, seconds(l.lost))
	}
	return text
}
