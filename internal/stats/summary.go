package stats

import (
	"fmt"
	"time"
)

// Summary returns lines that tell a person about the run.
func (r *Run) Summary() string {
	gaps := "none"
	if r.Gaps > 0 {
		gaps = fmt.Sprintf("%d, %v in all", r.Gaps, r.Lost.Round(time.Millisecond))
	}
	measured := fmt.Sprintf("measured  %v, %d readings\ngaps      %s\n", r.Measured.Round(time.Millisecond), r.Readings, gaps)
	if r.Readings == 0 {
		return measured
	}
	return measured + fmt.Sprintf(`energy    %.3f J = %.6g Wh
power     mean %.3f W, median %.3f W, standard deviation %.3f W
          lowest %.3f W, highest %.3f W (averaging windows)
mains     %.3f Hz
delay     median %v, 95 %% within %v
`,
		r.Energy(), r.Energy()/3600,
		r.Mean(), r.Median(), r.Deviation(),
		r.Min, r.Max, r.Frequency(),
		r.Delay(0.5).Round(100*time.Microsecond), r.Delay(0.95).Round(100*time.Microsecond))
}
