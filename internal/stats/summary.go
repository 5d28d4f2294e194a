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
	return measured + fmt.Sprintf(`energy    %.3f J = %.6g Wh
power     mean %.3f W, median %.3f W, standard deviation %.3f W
          lowest %.3f W, highest %.3f W (averaging windows)
mains     %.3f Hz
delay     median %v, 95 %% within %v
`,
		thousandths(energy), energy/3600,
		thousandths(r.Mean()), thousandths(r.Median()), r.Deviation(),
		thousandths(r.Min), thousandths(r.Max), r.Frequency(),
		r.Delay(0.5).Round(100*time.Microsecond), r.Delay(0.95).Round(100*time.Microsecond))
}

// thousandths rounds to three decimals, with no sign left on a zero.
func thousandths(v float64) float64 { return math.Round(v*1000)/1000 + 0 }
