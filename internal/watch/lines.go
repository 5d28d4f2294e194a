package watch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/figures"
	"powerspy2/measure"
)

// headLine says which meter it is, and what it is doing.
func (m *Model) headLine(l *look, now time.Time) string {
	state := m.in(fine, m.choose("● ", "* ")+l.state)
	if l.trouble {
		state = m.in(warning, "! "+l.state)
	}
	if m.width >= 50 {
		state += "  " + now.Format(clockTime)
	}
	name := fit(m.config.Name, m.width/3)
	if free := m.width - width(state) - 2; free > m.width/3 {
		name = fit(m.config.Name, free)
	}
	return apart(m.in(strong, name), fit(state, m.width-width(name)-2), m.width)
}

// numberLines draws the power in large digits. Side tells that what else the meter
// measures stands beside it.
func (m *Model) numberLines(l *look) (lines []string, side bool) {
	text := "--"
	if l.fresh {
		text = watts(l.reading.Power)
	}
	size := 1
	switch {
	case m.small():
		size = 0
	case m.width >= 120 && m.height >= 40:
		size = 2
	}
	lines = large(fmt.Sprintf("%6s", text), size, m.config.UTF8)
	room := width(lines[0]) + len(" W")
	if room > m.width {
		return []string{m.in(power, text+" W")}, false
	}
	for i := range lines {
		lines[i] = m.in(power, lines[i])
	}
	lines[len(lines)-1] += m.in(power, " W")
	if values := electricalValues(l); m.width-room >= 30 && len(lines) >= len(values) {
		for i, v := range values {
			n := i + (len(lines)-len(values))/2
			lines[n] += strings.Repeat(" ", room+4-width(lines[n])) + v
		}
		return lines, true
	}
	return lines, false
}

// electricalValues is what else the meter measures, a line each.
func electricalValues(l *look) []string {
	r := &l.reading
	if !l.fresh {
		return []string{"-- V", "-- A", "PF --", "-- Hz"}
	}
	factor := "PF --"
	if f := r.PowerFactor(); !math.IsNaN(f) {
		factor = fmt.Sprintf("PF %.2f  %s VA", f, watts(r.ApparentPower()))
	}
	return []string{
		fmt.Sprintf("%.1f V  peak %.0f V", r.Voltage, r.VoltagePeak),
		fmt.Sprintf("%.3f A  peak %.2f A", r.Current, r.CurrentPeak),
		factor,
		fmt.Sprintf("%.2f Hz", r.Frequency),
	}
}

// electrical is the same in a line, unless it stands beside the digits.
func electrical(l *look, columns int, side bool) []string {
	if side {
		return nil
	}
	values := electricalValues(l)
	short := make([]string, len(values))
	for i, v := range values {
		short[i], _, _ = strings.Cut(v, "  ")
	}
	return []string{parts(columns, short...)}
}

// energyLine tells the energy since the key.
func (m *Model) energyLine() string {
	s := &m.counted
	if s.Covered <= 0 {
		return parts(m.width, m.in(strong, "-- J"), "since "+s.From.Format(clockTime)+", nothing was measured yet")
	}
	cover := coverage(s)
	cost := ""
	if m.config.Cost != nil {
		cost = "cost " + m.config.Cost(s.Energy)
	}
	return parts(m.width,
		m.in(strong, m.joules(s)),
		"in "+clock(s.Duration()), cover, cost,
		digits(s.Energy/figures.JoulesPerWh, 4)+" Wh",
		"since "+s.From.Format(clockTime))
}

// coverage tells how much of a time was measured; empty: all of it.
func coverage(s *measure.Span) string {
	if c := s.Coverage(); c < 0.99995 {
		return fmt.Sprintf("coverage %.2f %%", 100*c)
	}
	return ""
}

// joules writes an energy with its uncertainty.
func (m *Model) joules(s *measure.Span) string {
	return strings.Replace(figures.WithUncertainty(s.Energy, s.Uncertainty.Expanded(), "J"), "+-", m.choose("±", "+-"), 1)
}

// rangeLine tells the extremes since the key.
func (m *Model) rangeLine() string {
	s := &m.counted
	return parts(m.width, "mean "+watts(s.Power())+" W", "max "+watts(s.PowerMax)+" W", "min "+watts(s.PowerMin)+" W")
}

// linkLine tells how good the link is; in a small terminal what was noted just now.
func (m *Model) linkLine(l *look, now time.Time, small bool) string {
	if small && l.note != "" && now.Sub(l.noted) < 10*time.Second {
		return m.in(warning, "! "+l.note)
	}
	delay := "delay --"
	if l.link.windows > 0 {
		delay = fmt.Sprintf("delay %s (max %s)", milliseconds(l.link.delay), milliseconds(l.link.worst))
		if small {
			delay = "delay " + milliseconds(l.link.delay)
		}
	}
	gaps := fmt.Sprintf("gaps %d", l.gaps)
	if l.gaps > 0 {
		gaps += fmt.Sprintf(" (%s)", seconds(l.lost))
	}
	recovers, bridged := "", "bridged "+percent(l.link.bridged)
	if l.recovers > 0 {
		recovers = fmt.Sprintf("recoveries %d", l.recovers)
	}
	if !small {
		bridged += fmt.Sprintf(" (%s in all)", percent(l.link.bridgedAll))
	}
	return parts(m.width, "link:", delay, bridged, gaps, recovers)
}

// phaseLines tell the energies of the last phases, the last one first.
func (m *Model) phaseLines() []string {
	n := 1
	switch {
	case m.height >= 40:
		n = mostPhases
	case m.height >= 28:
		n = 3
	}
	var lines []string
	for _, p := range slices.Backward(m.phases) {
		if len(lines) == n {
			break
		}
		lines = append(lines, m.phaseLine(&p))
	}
	return lines
}

func (m *Model) phaseLine(p *measure.PhaseEnergy) string {
	name := fit(p.Name, max(m.width/3, 10))
	if p.Covered <= 0 {
		return parts(m.width, "phase "+name, "in "+clock(p.Duration()), "not measured yet")
	}
	return parts(m.width, "phase "+name,
		m.joules(&p.Span),
		"in "+clock(p.Duration()), "mean "+watts(p.Power())+" W", "from "+p.From.Format(clockTime))
}

// noteLine is the last thing that happened, for a minute.
func (m *Model) noteLine(l *look, now time.Time, small bool) []string {
	if small {
		return nil
	}
	if l.note == "" || now.Sub(l.noted) > time.Minute {
		return []string{""}
	}
	return []string{m.in(warning, "! "+l.noted.In(now.Location()).Format(clockTime)+" "+l.note)}
}

// footLine has the keys, or the name that is typed.
func (m *Model) footLine() string {
	if m.prompt != nil {
		return m.promptLine()
	}
	keys := [...][2]string{{"q", "quit"}, {"r", "recount"}, {"m", "mark"}, {"?", "help"}, {"+-", "zoom"}, {"0", "from zero"}, {"e", "end phase"}}
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = m.in(strong, k[0]) + " " + k[1]
	}
	return parts(m.width, texts...)
}

// promptLine is the line in which a name is typed. The end of what is too long for
// it is shown.
func (m *Model) promptLine() string {
	p := m.prompt
	if p.wrong != "" {
		return m.in(warning, "! "+p.wrong+" (Esc: no mark)") + " "
	}
	label, text := p.label(), p.text
	if 2*width(label) > m.width {
		label = "Mark: "
	}
	for text != "" && width(label)+width(text) >= m.width {
		runes := []rune(text)
		text = string(runes[1:])
	}
	return m.in(strong, label) + text
}

// helpLines explain keys and signs.
func (m *Model) helpLines() []string {
	lines := []string{m.in(strong, "powerspy watch")}
	for _, k := range [...][2]string{
		{"q, Ctrl-C", "quit; the meter is stopped"},
		{"r, space", "count energy, min, mean, max from now"},
		{"m", "set a mark of this moment; its name is asked"},
		{"e", "end the phase that the last mark began"},
		{"+ -", "less or more time in the chart, 30 s to 1 h"},
		{"0", "the chart from 0 W, or only where the power is"},
		{"Ctrl-Z", "stop for a while; fg goes on"},
		{"any key", "leave this help"},
	} {
		lines = append(lines, fmt.Sprintf("%-10s %s", k[0], k[1]))
	}
	return append(lines, "",
		"The chart has the lowest to the highest window of each",
		"column. "+m.choose(string(gapCell), string(gapCellASCII))+" and x on the axis: a gap, where nothing was",
		"measured. ^: a mark.",
		"bridged: windows that the meter left out and that were",
		"filled with the mean of their neighbours, in a minute.",
		"delay: how late windows come, in the last minute.",
		m.choose("±", "+-")+": two standard deviations.")
}
