package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/measure"
)

const simulatedNotice = "The meter was simulated: no real energy was measured."

func (r *Report) recordingSection(rec *Recording, index int) section {
	t := &rec.total
	u := t.Uncertainty.Expanded()
	s := section{
		ID: fmt.Sprintf("recording-%d", index+1), Title: rec.name,
		About: meterText(rec.meterData()) + ", " + r.stretch(rec.from, rec.to),
	}
	if rec.simulated {
		s.Notices = append(s.Notices, simulatedNotice)
	}
	if rec.chosen {
		s.Notices = append(s.Notices, "This is a part of the recording.")
	}
	if rec.torn {
		s.Notices = append(s.Notices, "The recording ends in the midst of a line, which was left out: it was still being written, or a crash has cut it short.")
	}
	if rec.dropped > 0 {
		s.Notices = append(s.Notices, fmt.Sprintf("%s more marks, phases and jobs are in the recording than are shown here.", grouped(rec.dropped)))
	}
	for i := 1; i < len(rec.headers); i++ {
		if m := &rec.headers[i].Meter; !m.Same(&rec.header.Meter) {
			s.Notices = append(s.Notices, fmt.Sprintf("The recording is of several meters: %s, serial number %d, too.", harmless.Text(m.Name), m.Serial))
			break
		}
	}
	s.Notices = append(s.Notices, baselineNotices(rec)...)
	s.Cards = []card{
		{"Energy", plusMinus(t.Energy, u, "J"), wattHours(t.Energy, u)},
		{"Mean power", watts(t.Power()), ""},
		{"Lowest and highest", fmt.Sprintf("%.2f and %s", rec.low, watts(rec.high)), "of a window of " + windowText(rec)},
		{"Duration", figures.Duration(t.Duration), coverageText(rec.coverage())},
	}
	if rec.baseline != nil {
		net := card{"Net energy", plusMinus(rec.net, 2*rec.netError, "J"), "above " + plusMinus(rec.baseline.Power, 2*rec.baseline.Uncertainty, "W") + " when idle"}
		s.Cards = slices.Insert(s.Cards, 1, net)
	}
	s.Plots = []plotView{{Kind: "power", Index: index, Title: "Power over time", Summary: r.pictureSummary(rec), Zooms: true, Key: pictureKey(rec)}}
	s.Tables = append(s.Tables, rec.figuresTable())
	if len(rec.totals) > 0 {
		s.Tables = append(s.Tables, rec.totalsTable())
	}
	if len(rec.phases) > len(rec.totals) {
		s.Tables = append(s.Tables, r.spansTable("Each phase, in the order of time", "Phase", rec.phases))
	}
	if len(rec.jobs) > 0 {
		rows := make([]measure.PhaseEnergy, len(rec.jobs))
		for i, j := range rec.jobs {
			rows[i] = measure.PhaseEnergy{Name: j.command, Span: j.Span}
			if j.command == "" {
				rows[i].Name = "(a time without a command)"
			}
		}
		s.Tables = append(s.Tables, r.spansTable("Jobs that ran while it was recorded", "Command", rows))
	}
	if len(rec.gaps) > 0 {
		s.Tables = append(s.Tables, r.gapsTable(rec))
	}
	s.Tables = append(s.Tables, budgetTable(t))
	s.Method = r.recordingMethod(rec)
	return s
}

func baselineNotices(rec *Recording) (list []string) {
	b := rec.baseline
	if b == nil || b.Duration == 0 {
		return nil // nobody has measured it
	}
	if b.Meter.Serial != rec.header.Meter.Serial {
		list = append(list, fmt.Sprintf("The baseline is of another meter: %s, serial number %d.", harmless.Text(b.Meter.Name), b.Meter.Serial))
	}
	if !b.Calm() {
		list = append(list, fmt.Sprintf("The machine was not calm when its baseline was measured: means of a second went from %.2f to %.2f W.", b.Low, b.High))
	}
	if b.Drifts() {
		list = append(list, fmt.Sprintf("The power of the idle machine drifted by %+.2f W over %v.", b.Drift*b.Duration.Hours(), b.Duration.Round(time.Second)))
	}
	return list
}

// pictureSummary tells what the picture shows to who does not see it.
func (r *Report) pictureSummary(rec *Recording) string {
	var top *point
	for i := range rec.trace.points {
		if p := &rec.trace.points[i]; top == nil || p.high > top.high {
			top = p
		}
	}
	text := fmt.Sprintf("Power from %s to %s: lowest %.2f W, mean %.2f W", r.clock(rec.from), r.clock(rec.to), rec.low, rec.total.Power())
	if top != nil {
		text += fmt.Sprintf(", highest %.2f W at %s", top.high, r.clock(rec.trace.origin.Add(top.start)))
	}
	text += "; " + count(rec.gapsCount, "gap")
	if n := len(rec.totals); n > 0 {
		text += fmt.Sprintf("; %s of %s", count(len(rec.phases), "phase"), count(n, "name"))
	}
	return text + "."
}

// pictureKey tells what the signs of the picture mean.
func pictureKey(rec *Recording) string {
	list := []string{"The area goes from the lowest to the highest power of each pixel, the line is the mean; zoomed in, it goes from window to window."}
	if rec.gapsCount > 0 {
		list = append(list, "Hatched: not measured.")
	}
	if len(rec.phases) > 0 {
		list = append(list, "Bands: phases.")
	}
	if rec.baseline != nil {
		list = append(list, "Dashed: the idle machine.")
	}
	if rec.trace.merged() {
		list = append(list, fmt.Sprintf("Of this long recording the picture has %s points, with the lowest and the highest of their windows; energies are those of all windows.", grouped(len(rec.trace.points))))
	}
	return strings.Join(list, " ")
}
