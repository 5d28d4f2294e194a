package main

import (
	"fmt"
	"strings"

	"powerspy2/internal/field"
	"powerspy2/internal/fieldtest"
)

// streamTable writes how well a meter streams, a line for each length of window, which
// fits a terminal of 80 columns.
func streamTable(streams []field.Stream) string {
	var b strings.Builder
	b.WriteString("window     frames/s left out damaged delay/ms  95 %  99 % mains/Hz first frame\n")
	for i := range streams {
		s := &streams[i]
		f := &s.Figures
		periods := fmt.Sprintf("%d periods", s.Periods)
		if s.Periods == 1 {
			periods = "1 period"
		}
		if f.Frames == 0 {
			fmt.Fprintf(&b, "%-10s %s\n", periods, whyNone(s.Outcome))
			continue
		}
		fmt.Fprintf(&b, "%-10s %8.2f %8s %7s %8.1f %5.1f %5.1f %8.3f %s\n", periods, f.Rate, percent(f.LeftOutShare), percent(f.DamagedShare),
			f.Delay.Median, f.Delay.P95, f.Delay.P99, s.Hertz, firstFrame(s.Starts))
	}
	return b.String()
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// whyNone says why no frames came.
func whyNone(o field.Outcome) string {
	switch o.Status {
	case field.Refused:
		return "refused by the meter"
	case field.Silent:
		return "no frames, although the meter agreed to send them"
	case field.NotAsked:
		return "not tried"
	}
	return o.Error
}

// firstFrame says by how much the means in first frames are too large.
func firstFrame(starts []field.Start) string {
	if len(starts) == 0 {
		return "-"
	}
	const right = 1.02
	low, high, peaks := starts[0].Factor(), starts[0].Factor(), true
	for _, s := range starts {
		low, high, peaks = min(low, s.Factor()), max(high, s.Factor()), peaks && s.PeakRight()
	}
	text := fmt.Sprintf("x%.2f", high)
	switch {
	case high < right:
		text = "right"
	case high-low >= 0.01:
		text = fmt.Sprintf("x%.2f-%.2f", low, high)
	}
	if !peaks {
		text += " + peak"
	}
	return text
}

// What the doctor takes for worth a word.
const (
	muchLeftOut  = 0.02  // other adapters were seen to lose 1 %
	someLeftOut  = 0.005 // of which longer windows may lose fewer
	muchDamaged  = 0.002
	longDelay    = 200 // ms, of one frame in a hundred
	fewLeftOut   = 5   // windows that may be chance
	lossOfOthers = "0.8 to 3.9 %"
)

// better says what would do better; what was well is told, too.
func better(streams []field.Stream, through string) (advice []string) {
	say := func(format string, args ...any) { advice = append(advice, fmt.Sprintf(format, args...)) }
	var shortest *field.Stream
	for i := range streams {
		s := &streams[i]
		if s.Figures.Frames == 0 {
			if s.Status == field.Refused || s.Status == field.Silent {
				say("windows of %s are no use with this meter: %s", fieldtest.Periods(s.Periods), whyNone(s.Outcome))
			}
			continue
		}
		if shortest == nil {
			shortest = s
		}
		if s.Figures.Delay.P99 > longDelay {
			say("frames of %s are up to %.0f ms late and more: another adapter, or less other Bluetooth and Wi-Fi traffic beside it, would do better",
				fieldtest.Periods(s.Periods), s.Figures.Delay.P99)
		}
	}
	if shortest == nil {
		return advice
	}
	f := &shortest.Figures
	if f.LeftOutShare > muchLeftOut && f.LeftOut >= fewLeftOut {
		say("%s of windows of %s through %s are left out: another adapter may do better (one meter lost %s through three of them)",
			percent(f.LeftOutShare), fieldtest.Periods(shortest.Periods), through, lossOfOthers)
	}
	if f.LeftOutShare > someLeftOut && f.LeftOut >= fewLeftOut {
		if s := longer(streams, f.LeftOutShare); s != nil {
			say("longer windows do better: of %s %s are left out (`powerspy measure --averaging %d`)",
				fieldtest.Periods(s.Periods), percent(s.Figures.LeftOutShare), s.Periods)
		}
	}
	if f.DamagedShare > muchDamaged {
		say("%s of frames come damaged: bring the meter closer, or look for what else reads the line", percent(f.DamagedShare))
	}
	if len(advice) == 0 {
		say("nothing to improve: %s of windows of %s are left out", percent(f.LeftOutShare), fieldtest.Periods(shortest.Periods))
	}
	return advice
}

// longer returns the shortest windows of which far fewer are left out; nil if
// there are none.
func longer(streams []field.Stream, share float64) *field.Stream {
	const farFewer = 4
	for i := range streams {
		if s := &streams[i]; s.Figures.Frames > 0 && s.Figures.LeftOutShare <= share/farFewer {
			return s
		}
	}
	return nil
}
