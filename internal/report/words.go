package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
)

// plusMinus writes a value with its expanded uncertainty.
func plusMinus(v, u float64, unit string) string {
	return strings.Replace(figures.WithUncertainty(v, u, unit), "+-", "±", 1)
}

// watts writes a power.
func watts(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.2f W", v)
}

// wattHours writes an energy for those who think of bills.
func wattHours(joules, u float64) string {
	if wh := joules / figures.JoulesPerWh; math.Abs(wh) >= 1000 {
		return plusMinus(wh/1000, u/figures.JoulesPerWh/1000, "kWh")
	}
	return plusMinus(joules/figures.JoulesPerWh, u/figures.JoulesPerWh, "Wh")
}

// moment writes a time with its offset from UTC.
func (r *Report) moment(t time.Time) string { return t.In(r.Zone).Format("2006-01-02 15:04:05 -07:00") }

// clock writes a time of the day to the millisecond.
func (r *Report) clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(r.Zone).Format("15:04:05.000")
}

// stretch writes a stretch of time, with the date once.
func (r *Report) stretch(from, to time.Time) string {
	a, b := from.In(r.Zone), to.In(r.Zone)
	text := a.Format("2006-01-02 15:04:05") + " to "
	if a.Format(time.DateOnly) == b.Format(time.DateOnly) {
		return text + b.Format("15:04:05 -07:00")
	}
	return text + b.Format("2006-01-02 15:04:05 -07:00")
}

func coverageText(c float64) string {
	switch {
	case c >= 1:
		return "all of it was measured"
	case c > 0.9999:
		return "over 99.99 % of it was measured"
	}
	return fmt.Sprintf("%.2f %% of it was measured", 100*c)
}

// windowText says how long windows were.
func windowText(rec *Recording) string {
	shortest, longest := rec.shortest.Round(100*time.Microsecond), rec.longest.Round(100*time.Microsecond)
	if float64(longest-shortest) < 0.05*float64(longest) {
		return fmt.Sprintf("%.1f ms", float64(rec.longest.Microseconds())/1e3)
	}
	return fmt.Sprintf("%.1f to %.1f ms", float64(shortest.Microseconds())/1e3, float64(longest.Microseconds())/1e3)
}

func joules(v float64) string { return figures.Significant(v) + " J" }

// meterText names a meter.
func meterText(m result.Meter) string {
	if m.Simulated {
		return "simulated meter"
	}
	if unknownMeter(m) {
		return harmless.Text(m.Name)
	}
	return fmt.Sprintf("%s, serial number %d", harmless.Text(m.Name), m.Serial)
}

// unknownMeter says whether a meter has not told what it is, as in a log of another program.
func unknownMeter(m result.Meter) bool {
	return m.Serial == 0 && m.Hardware == 0 && m.Firmware == 0
}

// calibrated says when a meter was calibrated.
func calibrated(date string) string {
	if date == "" {
		return "calibration unknown"
	}
	return "calibrated " + harmless.Text(date)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a whole number with thin spaces between groups of three digits.
func grouped(n int) string {
	text := fmt.Sprint(n)
	if len(text) <= 4 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

func countAre(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return count(n, noun) + " are"
}

func countWere(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return count(n, noun) + " were"
}
