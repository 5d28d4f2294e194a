package stats

import (
	"fmt"
	"math"
	"time"
)

// Summary returns lines that tell a person about the run.
func (r *Run) Summary() string {
	gaps := "none"
	if r.Gaps > 0 {
		gaps = fmt.Sprintf("%d, %v in all", r.Gaps, r.Lost.Round(time.Millisecond))
	}
	readings := "readings"
	if r.Readings == 1 {
		readings = "reading"
	}
	measured := fmt.Sprintf("measured  %v, %d %s\ngaps      %s\n", r.Measured.Round(time.Millisecond), r.Readings, readings, gaps)
	if r.Readings == 0 {
		return measured
	}
	energy := r.Energy()
	return measured + fmt.Sprintf(`energy    %s = %s
power     mean %s, median %s, standard deviation %s
          lowest %s, highest %s (averaging windows)
mains     %s
delay     median %v, 95 %% within %v
`,
		number("%.3f J", thousandths(energy)), number("%.6g Wh", energy/3600),
		watts(r.Mean()), watts(r.Median()), watts(r.Deviation()),
		watts(r.Min), watts(r.Max), number("%.3f Hz", r.Frequency()),
		r.Delay(0.5).Round(100*time.Microsecond), r.Delay(0.95).Round(100*time.Microsecond))
}

func watts(v float64) string { return number("%.3f W", thousandths(v)) }

// number writes v. There is none where no reading had one, or none had a length.
func number(format string, v float64) string {
	if !finite(v) {
		return "unknown"
	}
	return fmt.Sprintf(format, v)
}

// thousandths rounds to three decimals, with no sign left on a zero.
func thousandths(v float64) float64 { return math.Round(v*1000)/1000 + 0 }
