package bench

import (
	"fmt"
	"math"

	"powerspy2/internal/harmless"
)

// Sentence says in a sentence what a comparison found, without a full stop. Names
// are harmless in it.
func (c *Comparison) Sentence() string {
	a, b, what := harmless.Text(c.Command), harmless.Text(c.Reference), c.Quantity.String()
	switch {
	case c.Verdict == Undecided && math.IsNaN(c.Ratio):
		return fmt.Sprintf("%s can't be compared with %s: too few runs were measured as a whole", a, b)
	case c.Verdict == Undecided:
		return fmt.Sprintf("%s: %.3f times the %s of %s, from one run: there is no telling how sure that is", a, c.Ratio, what, b)
	case c.Method == ByDifference:
		i, unit := c.DifferenceInterval, c.Quantity.Unit()
		of := fmt.Sprintf("%s %s (95 %% interval %s to %s %s, %s)", signed(c.Difference, i), unit, signed(i.Low, i), signed(i.High, i), unit, Probability(c.P))
		if c.Verdict == NoDifference {
			return fmt.Sprintf("%s and %s: no difference in %s found: %s", a, b, what, of)
		}
		return fmt.Sprintf("%s: %s %s than %s: %s", a, c.Verdict, what, b, of)
	}
	percent := func(ratio float64) float64 { return 100 * (ratio - 1) }
	low, high, ratio := percent(c.Interval.Low), percent(c.Interval.High), percent(c.Ratio)
	i := Interval{low, high}
	if c.Verdict == NoDifference {
		text := fmt.Sprintf("%s and %s: no difference in %s found: %s %% (95 %% interval %s to %s %%, %s)",
			a, b, what, signed(ratio, i), signed(low, i), signed(high, i), Probability(c.P))
		if c.RunsFor1 > c.Runs {
			text += fmt.Sprintf("; about %d runs of each would tell 1 %%", c.RunsFor1)
		}
		return text
	}
	if c.Verdict == Less {
		low, high = -high, -low
	}
	i = Interval{low, high}
	return fmt.Sprintf("%s: %s %% %s %s than %s (95 %% interval %s to %s %%, %s)",
		a, digits(math.Abs(ratio), half(i)), c.Verdict, what, b, digits(low, half(i)), digits(high, half(i)), Probability(c.P))
}

func half(i Interval) float64 { return (i.High - i.Low) / 2 }

func signed(v float64, i Interval) string {
	text := digits(v, half(i))
	if v >= 0 {
		text = "+" + text
	}
	return text
}

// Probability writes that of a comparison as papers do: p = 0.012.
func Probability(p float64) string {
	switch {
	case math.IsNaN(p):
		return "p unknown"
	case p < 0.001:
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", p)
}

// Remarks says what is odd about the runs of a quantity: outliers, a drift, a first
// run that differs.
func (t *Statistics) Remarks() (list []string) {
	what := t.Quantity.String()
	if n := len(t.Outliers); n > 0 {
		worst := t.Outliers[0]
		for _, o := range t.Outliers {
			if math.Abs(o.Score) > math.Abs(worst.Score) {
				worst = o
			}
		}
		text := fmt.Sprintf("run %d is far from the others in %s", worst.Run+1, what)
		if n > 1 {
			text = fmt.Sprintf("%d runs are far from the others in %s, run %d the farthest", n, what, worst.Run+1)
		}
		list = append(list, fmt.Sprintf("%s: %s %s", text, digits(worst.Value, t.Deviation), t.Quantity.Unit()))
	}
	if t.First.Told {
		list = append(list, fmt.Sprintf("the first run differs from the others by %+.1f %% in %s", 100*t.First.Difference, what))
	}
	if t.Drift.Told {
		list = append(list, fmt.Sprintf("the %s drifted by %+.1f %% from the first run to the last", what, 100*t.Drift.Change))
	}
	return list
}
